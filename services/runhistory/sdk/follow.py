"""Follow a run to its end: its status and its console lines as they come.

Both are polled; a line is asked for by the cursor after the last one, so each comes once and in
order. Lines and status reach the projection on separate ways. So before the lines of a run that
was not seen Running its status is asked for again, and after the end lines are asked for until
none came for DRAIN seconds. A gateway that is away is waited for: the run goes on.
"""

import logging
from collections.abc import Callable
from time import monotonic, sleep
from typing import Any, Final

from runhistory.domain.status import TERMINAL, RunStatus
from runhistory.sdk.errors import NobodyAnswers, Unavailable
from runhistory.sdk.http import PATIENCE
from runhistory.sdk.run_client import RunClient

SHORTEST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 1.0
DRAIN: Final = 1.0

logger: Final = logging.getLogger("runhistory")

OnLine = Callable[[dict[str, Any]], None]
"""Called with each line: `attempt`, `stream`, `time` and `line`."""
OnStatus = Callable[[dict[str, Any], str], None]
"""Called with the run's details for each status of its timeline, in order and once."""


def is_terminal(status: str) -> bool:
    """Whether a run with this status is over."""
    return status in TERMINAL


def follow(
    client: RunClient, *, on_line: OnLine | None = None, on_status: OnStatus | None = None
) -> dict[str, Any]:
    """Return the run's details when it is over and, with `on_line`, all its lines were given.

    Raises:
        NobodyAnswers: the gateway never answered.
        RunHistoryError: it refuses, as for a run that is not there.
    """
    follower = _Follower(client, on_line, on_status)
    pause = SHORTEST_PAUSE
    while not follower.is_done():
        try:
            new = follower.look()
        except NobodyAnswers:
            raise
        except Unavailable as error:
            logger.warning("runhistory: still waiting for run %s. %s", client.run_id, error)
            new = False
        pause = SHORTEST_PAUSE if new else min(pause * 1.5, LONGEST_PAUSE)
        if not follower.is_done():
            sleep(pause)
    return follower.details


class _Follower:
    def __init__(
        self, client: RunClient, on_line: OnLine | None, on_status: OnStatus | None
    ) -> None:
        self._client, self._on_line, self._on_status = client, on_line, on_status
        self.details: dict[str, Any] = {}
        self._told = 0  # statuses of the timeline
        self._cursor: str | None = None
        self._quiet_since: float | None = None

    def is_done(self) -> bool:
        """Whether the run is over and its lines are drained."""
        if not self.details or not is_terminal(self.details["status"]):
            return False
        if self._on_line is None:
            return True
        return self._quiet_since is not None and monotonic() - self._quiet_since >= DRAIN

    def look(self) -> bool:
        """Look once; whether anything was new. Lines come between the statuses around them."""
        before = self.details.get("status")
        self._look_at_status()
        lines = self._read_lines()
        status = self.details["status"]
        self._tell_statuses(and_the_end=True)
        if lines or not is_terminal(status):
            self._quiet_since = None
        elif self._quiet_since is None:
            self._quiet_since = monotonic()
        return status != before or lines > 0

    def _look_at_status(self) -> None:
        self.details = self._client.details(PATIENCE)
        self._tell_statuses(and_the_end=False)

    def _tell_statuses(self, *, and_the_end: bool) -> None:
        for point in self.details["timeline"][self._told :]:
            if is_terminal(point["status"]) and not and_the_end:
                return
            self._told += 1
            if self._on_status:
                self._on_status(self.details, point["status"])

    def _read_lines(self) -> int:
        count = 0
        while self._on_line:
            lines, cursor = self._client.lines(self._cursor, PATIENCE)
            if lines and self.details["status"] not in (RunStatus.RUNNING, *TERMINAL):
                self._look_at_status()
            self._cursor = cursor
            for line in lines:
                self._on_line(line)
            count += len(lines)
            if not lines:
                break
        return count
