"""How a script ended, and what is said about it. Pure."""

import signal
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from runhistory.domain.values import MAX_TEXT, RunError

TERMINATED: Final = "The run was stopped by its worker."


class Exit(Struct, frozen=True, kw_only=True):
    """The end of a script's process: an exit code, a signal's name, or why it never began.

    `left_behind` counts the processes that were still there after it and had to be ended.
    """

    exit_code: int | None = None
    signal: str | None = None
    left_behind: int = 0
    problem: str | None = None


_HINTS: Final = {
    "SIGKILL": " Usually the system was out of memory; see the system/ metrics.",
    "SIGSEGV": " Native code accessed memory that is not its own.",
    "SIGBUS": " Often /dev/shm or the disk is full.",
}


def failure(exit: Exit, last_lines: Sequence[str], *, terminated: bool = False) -> RunError | None:
    """What to report for this end; None when it was a success.

    `last_lines` of the error stream become the details, the last of them when they are many.
    `terminated`: the worker ended it on purpose, so nobody need wonder about the signal.
    """
    details = tail("\n".join(last_lines))
    if exit.problem is not None:
        return RunError("RunnerLost", tail(exit.problem), details)
    if exit.signal is not None:
        hint = " It had been told to stop." if terminated else _HINTS.get(exit.signal, "")
        message = f"The script was killed by {exit.signal}.{hint}"
        return RunError("Signal", message, details)
    if exit.exit_code != 0:
        return RunError("ExitCode", f"The script exited with code {exit.exit_code}.", details)
    return None


def tail(text: str, limit: int = MAX_TEXT) -> str:
    """The end of `text`, no longer than `limit` characters."""
    return text if len(text) <= limit else "…" + text[-(limit - 1) :]


def signal_name(number: int) -> str:
    """`SIGKILL` for 9; real-time signals, which have no name of their own, count from SIGRTMIN."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN+{number - signal.SIGRTMIN}"
