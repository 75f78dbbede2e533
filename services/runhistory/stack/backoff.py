"""How long to wait before a process that died is started again."""

from typing import Final

FIRST_SECONDS: Final = 1.0
LONGEST_SECONDS: Final = 30.0
STABLE_SECONDS: Final = 60.0


class Backoff:
    """Doubles from 1 s to 30 s; a process that ran for a minute has earned a fresh start."""

    def __init__(self) -> None:
        self._next = FIRST_SECONDS

    def after_run_of(self, seconds: float) -> float:
        """The wait, in seconds, after a life of `seconds`."""
        if seconds >= STABLE_SECONDS:
            self._next = FIRST_SECONDS
        wait, self._next = self._next, min(self._next * 2, LONGEST_SECONDS)
        return wait
