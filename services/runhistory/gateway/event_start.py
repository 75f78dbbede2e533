"""Where a subscription begins: now, at a time, at the beginning, or behind an event.

Positions come from outside, so they are compared with the log: what was deleted by its retention
cannot be resumed, and a position that the log has not reached belongs to another log.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from runhistory.gateway.errors import ApiError
from runhistory.gateway.event_filter import EventFilter
from runhistory.gateway.event_positions import InvalidPosition, parse_positions
from runhistory.kafka.log_ends import LogEnds, Positions

LATEST: Final = "latest"
BEGINNING: Final = "beginning"

_CLOCKS_APART: Final = timedelta(minutes=10)
"""So far the clocks of writers may be apart: nothing of a run is older than it by more."""

Created = Callable[[str, frozenset[str]], Awaitable[datetime | None]]
"""(workspace, run ids) -> when the first of the runs was created; None: not known of all."""


async def find_start(
    ends: LogEnds, created: Created, wanted: EventFilter, *, after: str | None, begin: str
) -> Positions:
    """The first offset to look at, for each partition that the filter reads.

    `after` (an event's id) goes before `begin`: `latest`, `beginning`, a time or a position.

    Raises:
        ApiError: 400 for neither of these; 410 when the position's events were deleted.
        aiokafka.errors.KafkaError, OSError: Kafka is away.
    """
    places = wanted.places()
    if after is not None:
        return await _position(ends, wanted, after)
    if begin == LATEST:
        return await ends.ends(places)
    if "@" in begin:
        return await _position(ends, wanted, begin)
    if begin != BEGINNING:
        return await ends.at_time(places, _milliseconds(_time(begin)))
    if wanted.run_ids and (first := await created(wanted.workspace, wanted.run_ids)):
        return await ends.at_time(places, _milliseconds(first - _CLOCKS_APART))
    return await ends.beginnings(places)


async def _position(ends: LogEnds, wanted: EventFilter, text: str) -> Positions:
    try:
        found = parse_positions(text)
    except InvalidPosition as error:
        raise ApiError(400, "invalid_position", str(error)) from error
    places = wanted.places()
    if missing := [f"{p.topic}@{p.partition}" for p in places if p not in found]:
        raise ApiError(
            400,
            "invalid_position",
            f"The position says nothing of {', '.join(missing)}: it is an id of a subscription to "
            "something else. Begin with from= instead, and go on with the ids that come then.",
        )
    start = {place: found[place] for place in places}
    first, last = await ends.beginnings(places), await ends.ends(places)
    if any(offset < first[place] for place, offset in start.items()):
        raise ApiError(
            410,
            "position_expired",
            "What came after this position is not kept any more (see retention in topics.yaml). "
            "Begin anew with from=beginning, which gives what there still is.",
        )
    if any(offset > last[place] for place, offset in start.items()):
        raise ApiError(
            400,
            "invalid_position",
            "The log has not come to this position: it is an id of another deployment. Begin with "
            "from=beginning, latest or a time.",
        )
    return start


def _time(text: str) -> datetime:
    # A plus of a time zone that was not percent-encoded has become a space.
    try:
        found = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    except ValueError:
        raise ApiError(
            400,
            "invalid_request",
            f"from: {text[:100]!r} is neither latest, beginning, an event's id, nor a time such as "
            "2026-11-23T10:00:00Z.",
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _milliseconds(time: datetime) -> int:
    return max(0, int(time.timestamp() * 1_000))
