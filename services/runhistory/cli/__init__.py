"""The command line: `runhistory submit`, `runs`, `metrics` and the others.

It asks the SDK for everything, except that `up`, `down` and `status` are the stack's. Modules
import what is slow (rich, httpx, the stack) where it is used, so that `--help` answers at once.
"""
