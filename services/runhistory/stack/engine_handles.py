"""Prepared handles of the engine that wait for the next request with the same settings.

To open a handle and prepare it costs as much as a small query does (1 ms), so one that has served
nothing but a whole SELECT is kept: a SELECT leaves no trace in its handle, whatever SETTINGS and
parameters it came with. Every other statement may leave one, and so may an answer that was broken
off: whoever ran such a thing closes the handle instead of putting it back.

A handle is lent to nobody but requests with the settings and the database it was prepared for.
"""

import threading
from collections import deque
from typing import Any, Final

MAX_IDLE: Final = 16

Preparation = tuple[str, frozenset[tuple[str, str]]]
"""Database and settings."""


class IdleHandles:
    """`take` and `put` from any thread; at most `max_idle` wait, those that were used last."""

    def __init__(self, max_idle: int = MAX_IDLE) -> None:
        self._max_idle = max_idle
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Preparation, Any]] = deque()  # the one used last at the end

    def take(self, preparation: Preparation) -> Any | None:
        """A handle that was prepared so, now the caller's; None: none waits."""
        with self._lock:
            for place in reversed(range(len(self._waiting))):
                found, handle = self._waiting[place]
                if found == preparation:
                    del self._waiting[place]
                    return handle
        return None

    def put(self, preparation: Preparation, handle: Any) -> None:
        """Keep a handle without a trace of its use; the one that has waited longest may go."""
        with self._lock:
            self._waiting.append((preparation, handle))
            surplus = self._waiting.popleft()[1] if len(self._waiting) > self._max_idle else None
        if surplus is not None:
            surplus.close()

    def close(self) -> None:
        """Close all that wait."""
        with self._lock:
            handles = [handle for _, handle in self._waiting]
            self._waiting.clear()
        for handle in handles:
            handle.close()
