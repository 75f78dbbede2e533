"""How a page is told of the runs that it shows: events, points and lines, in small messages.

The batches of a fraction of a second are told together. Few points are given as they came, spliced
and not parsed; of many, only which keys have moved, and the page reads those curves anew, which
costs the same however many points there are. So too with lines. Each message's watermark, given to
a read, makes that see what the message tells of.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from runhistory.gateway.event_shape import Admitted
from runhistory.gateway.published import Published
from runhistory.kafka.log_ends import Positions

POINTS: Final = "metrics.logged.v1"
LINES: Final = "logs.written.v1"
MAX_BYTES: Final = 64 * 1024
"""More points, or lines, at once are not sent: a page could not draw them one by one."""


class _Points(Struct):
    run_id: str
    keys: list[str]
    steps: Raw


class _Lines(Struct):
    run_id: str
    lines: list[str]


_points: Final = msgspec.json.Decoder(_Points)
_lines: Final = msgspec.json.Decoder(_Lines)


class LiveShape:
    """For pages: who lacks much is told to load everything anew."""

    pause_seconds = 0.1
    max_gap = 5_000

    def messages(self, admitted: Sequence[Admitted]) -> bytes:
        """Messages in the order of what they tell of; the last one has the id.

        Who is cut off between them gets all of them again, and each can be told by what it has
        (version, time, offset) from one that was seen.
        """
        bulk: dict[str, list[Published]] = {POINTS: [], LINES: []}
        messages: list[bytes] = []
        for _, event in admitted:
            if event.type in bulk:
                bulk[event.type].append(event)
            else:
                messages.append(b"event: event\n" + event.message.partition(b"\n")[2])
        messages += _told(bulk[POINTS], _with_points, _moved)
        messages += _told(bulk[LINES], _with_lines, _more_lines)
        return b"".join(messages[:-1]) + admitted[-1][0] + b"\n" + messages[-1]

    def reset(self, positions: Positions) -> bytes:
        """The page was away for long, or does not keep up."""
        return _message("reset", {"watermarks": watermarks_before(positions)})


def begin(positions: Positions) -> bytes:
    """The message that a page begins with: what it loads with these watermarks lacks nothing that
    does not come after."""
    return _message("begin", {"watermarks": watermarks_before(positions)})


def watermarks_before(positions: Positions) -> list[str]:
    """Watermarks of all that lies before the ends of the log.

    The last offset of what a transaction wrote is its end's marker, which no reader is given.
    """
    last = {
        place: offset - (2 if place.topic.endswith(".events") else 1)
        for place, offset in positions.items()
    }
    return [
        f"{p.topic}/{p.partition}/{offset}" for p, offset in sorted(last.items()) if offset >= 0
    ]


def _told(batches: list[Published], whole: Any, summary: Any) -> Iterator[bytes]:
    if sum(len(batch.value) for batch in batches) <= MAX_BYTES:
        yield from map(whole, batches)
    else:
        by_run: dict[str, list[Published]] = defaultdict(list)
        for batch in batches:
            by_run[batch.run_id].append(batch)
        yield from (summary(run_id, found) for run_id, found in by_run.items())


def _with_points(batch: Published) -> bytes:
    head = msgspec.json.encode({"watermark": batch.watermark})
    return b"event: points\ndata: %b,%b\n\n" % (head[:-1], batch.line.strip()[1:])


def _with_lines(batch: Published) -> bytes:
    head = msgspec.json.encode({"watermark": batch.watermark, "offset": batch.offset})
    return b"event: lines\ndata: %b,%b\n\n" % (head[:-1], batch.line.strip()[1:])


def _moved(run_id: str, batches: list[Published]) -> bytes:
    found = [_points.decode(batch.value) for batch in batches]
    told = {
        "run_id": run_id,
        "keys": sorted({key for one in found for key in one.keys}),
        "points": sum(bytes(one.steps).count(b",") + 1 for one in found),
        "watermark": batches[-1].watermark,
    }
    return _message("moved", told)


def _more_lines(run_id: str, batches: list[Published]) -> bytes:
    count = sum(len(_lines.decode(batch.value).lines) for batch in batches)
    told = {"run_id": run_id, "lines": count, "watermark": batches[-1].watermark}
    return _message("more_lines", told)


def _message(name: str, data: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(data))
