"""How long to wait before the next node of a target is started, when the last ones failed."""

import time
from typing import Final

FIRST_SECONDS: Final = 1.0
LONGEST_SECONDS: Final = 30.0
FAILURES_TOLD: Final = 3
"""After so many failures in a row, the runs that wait are told."""


class Patience:
    """Doubles its pause with each node that ended before it was ready; one that works resets it."""

    def __init__(self) -> None:
        self._failures, self._until, self._why = 0, 0.0, ""

    def failed(self, why: str) -> None:
        """A node could not be started, or ended before it was ready."""
        pause = min(FIRST_SECONDS * 2**self._failures, LONGEST_SECONDS)
        self._failures, self._until, self._why = self._failures + 1, time.monotonic() + pause, why

    def worked(self) -> None:
        """A node is ready."""
        self._failures, self._until = 0, 0.0

    def is_over(self) -> bool:
        """Whether the next node may be started now."""
        return time.monotonic() >= self._until

    @property
    def trouble(self) -> str | None:
        """What is wrong, once it is worth telling."""
        if self._failures < FAILURES_TOLD:
            return None
        return f"its nodes cannot be started, the last one because of: {self._why}"
