"""Server-sent events into typed ones: what the blocking and the asynchronous reader share."""

import logging
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
import orjson
from msgspec import Struct

from runhistory.sdk.errors import InvalidRequest

if TYPE_CHECKING:
    from runhistory.sdk.run_facts import RunFacts

SILENCE_SECONDS: Final = 45.0
"""Longer than three of the gateway's signs of life: then the connection is dead."""
FIRST_PAUSE: Final = 0.1
"""Seconds from an interruption to the next connection; then longer and longer."""
REMEMBERED: Final = 10_000

EVENTS_PATH: Final = "/events"
_END: Final = "end"

logger: Final = logging.getLogger("runhistory")


class Event(Struct, frozen=True, kw_only=True):
    """Something that happened.

    Attributes:
        id: the CloudEvents id. The same fact always has the same.
        type: such as `run.completed.v1`.
        time: when it was decided or sent (UTC).
        run_id: the run (or, for `experiment.*` and the like, the thing) that it happened to.
        data: all that the type's schema says, as decoded JSON.
        source: which part said it.
        watermark: where it lies in the log: `topic/partition/offset`.
        position: `from_=event.position` begins a subscription behind this event.
    """

    id: str
    type: str
    time: datetime
    run_id: str
    data: dict[str, Any]
    source: str
    watermark: str
    position: str

    def as_cloudevent(self) -> dict[str, Any]:
        """The event as CloudEvents 1.0 in JSON has it, ready for `json.dumps`."""
        return {
            "specversion": "1.0",
            "id": self.id,
            "type": self.type,
            "source": self.source,
            "subject": self.run_id,
            "time": self.time.isoformat().replace("+00:00", "Z"),
            "datacontenttype": "application/json",
            "watermark": self.watermark,
            "data": self.data,
        }


class Asked(Struct, frozen=True, kw_only=True):
    """What a subscription asks for."""

    types: list[str]
    experiments: list[str]
    run_ids: list[str]
    begin: str
    follow: bool

    def query(self) -> dict[str, Any]:
        """The query of the request."""
        return {
            "type": self.types,
            "experiment": self.experiments,
            "run": self.run_ids,
            "from": self.begin,
            "follow": None if self.follow else "false",
        }


def asked(
    types: str | Sequence[str] | None,
    experiment: str | Sequence[str] | None,
    run: "str | RunFacts | Sequence[str | RunFacts] | None",
    from_: str | datetime,
    follow: bool,
) -> Asked:
    """What the arguments of `events` ask for.

    Raises:
        InvalidRequest: a time without its zone.
    """
    if isinstance(from_, datetime):
        if from_.tzinfo is None:
            raise InvalidRequest(
                "from_: a time needs its zone, such as datetime.now(timezone.utc)."
            )
        from_ = from_.astimezone(UTC).isoformat().replace("+00:00", "Z")
    runs = [] if run is None else [run] if isinstance(run, str) or hasattr(run, "id") else run
    return Asked(
        types=_listed(types),
        experiments=_listed(experiment),
        run_ids=[one if isinstance(one, str) else one.id for one in runs],
        begin=from_,
        follow=follow,
    )


class EventReader:
    """Takes the bytes of a stream, over all of its connections; gives each event once.

    What lies in the log twice (a batch that its writer had to send again) has one id: the last
    REMEMBERED ids are known.
    """

    def __init__(self) -> None:
        self.position: str | None = None
        self.has_ended = False
        self._rest = b""
        self._seen: set[str] = set()
        self._order: deque[str] = deque()

    def headers(self) -> dict[str, str]:
        """What a request has to carry so that the stream goes on where it stopped."""
        self._rest = b""  # half a message does not count
        return {"accept": "text/event-stream"} | (
            {"last-event-id": self.position} if self.position else {}
        )

    def read(self, chunk: bytes) -> Iterable[Event]:
        """The events that the bytes complete. `position` moves as they are taken."""
        *messages, self._rest = (self._rest + chunk).split(b"\n\n")
        for message in messages:
            fields = dict(_field(line) for line in message.split(b"\n"))
            position = fields.get("id", self.position or "")
            event = self._event(fields, position)
            if event is not None:
                yield event
            self.position = position

    def _event(self, fields: dict[str, str], position: str) -> Event | None:
        if "data" not in fields:
            return None
        if fields.get("event") == _END:
            self.has_ended = True
            return None
        found = orjson.loads(fields["data"])
        if found["id"] in self._seen:
            return None
        self._remember(found["id"])
        return Event(
            id=found["id"],
            type=found["type"],
            time=msgspec.convert(found["time"], datetime),
            run_id=found["subject"],
            data=found["data"],
            source=found["source"],
            watermark=found["watermark"],
            position=position,
        )

    def _remember(self, id: str) -> None:
        self._seen.add(id)
        self._order.append(id)
        if len(self._order) > REMEMBERED:
            self._seen.discard(self._order.popleft())


def log_interruption(error: Exception) -> None:
    """Say that a subscription waits for its gateway."""
    logger.warning("runhistory: the events are interrupted and will go on. %s", error)


def _field(line: bytes) -> tuple[str, str]:
    """A line's name and value; the name of a comment is empty."""
    name, _, value = line.partition(b":")
    return name.decode(), value.removeprefix(b" ").decode()


def _listed(values: str | Sequence[str] | None) -> list[str]:
    return [] if values is None else [values] if isinstance(values, str) else list(values)
