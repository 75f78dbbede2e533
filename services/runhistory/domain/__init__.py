"""The life of a run as pure data and pure functions: no clock, no randomness, no I/O.

`decide(state, command, context)` says what happens, `evolve(state, event)` makes it so.
Commands are wishes, events are accepted facts, and only events are truth.
"""
