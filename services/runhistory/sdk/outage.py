"""An outage of the gateway as people are told of it: once when it begins, once when it is over.

All that a process sends to one gateway shares one. A gateway that is overloaded takes this and
refuses that for a while, which is one outage and not many: it is over when something was taken and
nothing refused for CALM_SECONDS, or when a writer has nothing left to send.
"""

import logging
import threading
import time
from typing import Final

CALM_SECONDS: Final = 5.0

logger: Final = logging.getLogger("runhistory")


class Outage:
    """Whether the gateway is away. May be used by several threads."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """There is none; for a forked child, too."""
        self._saying = threading.Lock()
        self._is_on = False
        self._has_taken = False
        self._last_trouble = 0.0

    def trouble(self, label: str, reason: str) -> None:
        """What `label` names was not taken."""
        self._last_trouble, self._has_taken = time.monotonic(), False
        with self._saying:
            if not self._is_on:
                self._is_on = True
                logger.warning(
                    "runhistory: %s wait, and all that is logged is sent when the gateway takes "
                    "it: %s",
                    label,
                    reason,
                )

    def taken(self) -> None:
        """Something was taken."""
        self._has_taken = True

    def look(self, *, is_calm: bool = False) -> None:
        """See whether it is over; `is_calm`: the one who asks has nothing left to send."""
        is_calm = is_calm or time.monotonic() - self._last_trouble >= CALM_SECONDS
        if self._is_on and self._has_taken and is_calm:
            with self._saying:
                if self._is_on:
                    self._is_on = False
                    logger.warning("runhistory: the gateway takes what is logged again.")
