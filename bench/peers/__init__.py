"""The same work for runhistory and for other trackers, one after the other: `make bench-peers`."""
