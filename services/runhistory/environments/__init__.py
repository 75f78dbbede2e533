"""What a script runs in, as a text that can be installed again: locks, and what is installed."""
