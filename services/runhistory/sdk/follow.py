"""Follow a run to its end: its status and its console lines, as the gateway pushes them.

One subscription brings both, from the run's beginning on and each once: what happened earlier in
the order of its time, then what happens. Whoever reports a run's end has written all of its lines
before, but to another topic, so the end is told after one more read of the lines, which stops
where they end then. A gateway that is away is waited for: the run goes on.
"""

import logging
from collections.abc import Callable, Generator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from time import sleep
from typing import Any, Final

from runhistory.domain.status import TERMINAL
from runhistory.events.cloudevents import format_time
from runhistory.sdk.errors import NobodyAnswers, Unavailable
from runhistory.sdk.event_messages import Asked, Event, EventReader
from runhistory.sdk.events import subscribe
from runhistory.sdk.http import PATIENCE
from runhistory.sdk.run_client import RunClient

PAUSE: Final = 1.0
"""Seconds between two questions for the details of a run whose gateway is away."""

LOG_LINES_WRITTEN: Final = "logs.written.v1"
_DELETED: Final = "run.deleted."
_WARNED: Final = "run.warned."
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

logger: Final = logging.getLogger("runhistory")

OnLine = Callable[[dict[str, Any]], None]
"""Called with each line: `attempt`, `stream`, `time` and `line`."""
OnStatus = Callable[[dict[str, Any], str], None]
"""Called with the run's details as they are known, and each status it takes, in order and once."""

OnWarning = Callable[[dict[str, Any]], None]
"""Called with each warning about the run: `code`, `message` and `time`."""


def is_terminal(status: str) -> bool:
    """Whether a run with this status is over."""
    return status in TERMINAL


def follow(
    client: RunClient,
    *,
    on_line: OnLine | None = None,
    on_status: OnStatus | None = None,
    on_warning: OnWarning | None = None,
) -> dict[str, Any]:
    """Return the run's details when it is over and, with `on_line`, all its lines were given.

    Raises:
        NobodyAnswers: the gateway never answered.
        RunHistoryError: it refuses, as for a run that is not there.
    """
    follower = _Follower(client, on_line, on_status, on_warning)
    follower.watch()
    return follower.end()


class _Follower:
    def __init__(
        self,
        client: RunClient,
        on_line: OnLine | None,
        on_status: OnStatus | None,
        on_warning: OnWarning | None,
    ) -> None:
        self._client, self._on_line, self._on_status = client, on_line, on_status
        self._on_warning = on_warning
        self._details = self._ask()
        self._reader = EventReader()
        self._last: Event | None = None  # that gave the run its status

    def watch(self) -> None:
        """Until the run is over; what it printed in the end may not have come yet."""
        types = ["run.*", LOG_LINES_WRITTEN] if self._on_line else ["run.*"]
        with closing(self._subscribe(types, follow=True)) as events:
            for event in events:
                if event.type == LOG_LINES_WRITTEN:
                    self._tell_lines(event)
                elif event.type.startswith(_DELETED):
                    return
                elif event.type.startswith(_WARNED):
                    if self._on_warning:
                        self._on_warning(event.data)
                elif self._last is None or event.data["status"] != self._last.data["status"]:
                    self._last = event
                    if is_terminal(event.data["status"]):
                        return
                    self._tell_status()

    def end(self) -> dict[str, Any]:
        """Tell the last lines and then the end; the run's details after it."""
        if self._on_line:
            with closing(self._subscribe([LOG_LINES_WRITTEN], follow=False)) as events:
                for event in events:
                    self._tell_lines(event)
        if self._last is not None:
            self._client.connection.remember({"watermark": self._last.watermark})
        self._details = self._ask()
        self._tell_status()
        return self._details

    def _subscribe(self, types: list[str], *, follow: bool) -> Generator[Event, None, None]:
        asked = Asked(
            types=types,
            experiments=[],
            run_ids=[self._client.run_id],
            begin="beginning",
            follow=follow,
        )
        return subscribe(self._client.connection, asked, self._reader)

    def _ask(self) -> dict[str, Any]:
        while True:
            try:
                return self._client.details(PATIENCE)
            except NobodyAnswers:
                raise
            except Unavailable as error:
                run_id = self._client.run_id
                logger.warning("runhistory: still waiting for run %s. %s", run_id, error)
                sleep(PAUSE)

    def _tell_status(self) -> None:
        if self._on_status and self._last is not None:
            self._on_status(self._details, self._last.data["status"])

    def _tell_lines(self, event: Event) -> None:
        assert self._on_line is not None
        data = event.data
        for stream, time, line in zip(data["streams"], data["times"], data["lines"], strict=True):
            written = format_time(_EPOCH + timedelta(microseconds=time))
            self._on_line(
                {"attempt": data["attempt"], "stream": stream, "time": written, "line": line}
            )
