"""How long to wait before a process that died is started again."""

from typing import Final

FIRST_SECONDS: Final = 1.0
LONGEST_SECONDS: Final = 30.0
LONGEST_AFTER_READY: Final = 5.0
STABLE_SECONDS: Final = 60.0


class Backoff:
    """Doubles from 1 s to 30 s. One that became ready can do its work, so it waits for 5 s at most;
    one that ran for a minute has earned a fresh start."""

    def __init__(self) -> None:
        self._next = FIRST_SECONDS

    def after_run_of(self, seconds: float, *, was_ready: bool) -> float:
        """The wait, in seconds, after a life of `seconds`."""
        if seconds >= STABLE_SECONDS:
            self._next = FIRST_SECONDS
        wait = min(self._next, LONGEST_AFTER_READY if was_ready else LONGEST_SECONDS)
        self._next = wait * 2
        return wait
