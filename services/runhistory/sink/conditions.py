"""Several reasons not to be ready, as one answer of `/healthz`."""

from typing import Any

import structlog

from runhistory.runtime.health import Health

log: Any = structlog.get_logger(__name__)


class Conditions:
    """The service is ready when nothing that it needs is broken.

    Conditions named at the start count as broken until they have been seen to hold.
    """

    def __init__(self, health: Health, *unknown: str) -> None:
        self._health = health
        self._broken = dict.fromkeys(unknown, "not seen yet")
        self._report()

    @property
    def whole(self) -> bool:
        """Whether nothing is broken."""
        return not self._broken

    def broken(self, name: str, reason: str) -> None:
        """It does not hold, because of `reason`."""
        if name not in self._broken:
            log.warning("broken", condition=name, reason=reason)
        self._broken[name] = reason
        self._report()

    def mended(self, name: str) -> None:
        """It holds."""
        if self._broken.pop(name, None) is not None:
            log.info("mended", condition=name)
            self._report()

    def hold(self, name: str, holds: bool, reason: str) -> None:
        """Mended or broken, by `holds`."""
        if holds:
            self.mended(name)
        else:
            self.broken(name, reason)

    def _report(self) -> None:
        if self._broken:
            reasons = (f"{name}: {reason}" for name, reason in sorted(self._broken.items()))
            self._health.not_ready("; ".join(reasons))
        else:
            self._health.ready()
