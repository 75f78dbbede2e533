"""The scheduler: starts nodes for the runs that wait, and releases those that are idle."""
