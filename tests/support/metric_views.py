"""The views of metrics as plain Python makes them of the messages: an oracle.

Rows are those of `tests.support.landing.metric_row`. What (attempt, writer, seq) says of a key is
one fact: said again it is the same, and of several contents the one with the lowest offset counts.
`rollup` and `series` hold what all contents said, as docs/clickhouse.md tells.
"""

import math
import struct
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from clickhouse_connect.driver.client import Client

from tests.support.landing import Row

Point = tuple[Any, ...]
"""Key, step, attempt, writer, seq, index, time, value."""

AGGREGATES = "min, max, reinterpretAsUInt64(last), toUnixTimestamp64Micro(last_time)"
VIEWS = {
    "points": "key, step, attempt, writer, seq, index, toUnixTimestamp64Micro(time), "
    "reinterpretAsUInt64(value)",
    "point_batches": "key, attempt, writer, seq, steps, indexes, "
    "arrayMap(time -> toUnixTimestamp64Micro(time), times), "
    "arrayMap(value -> reinterpretAsUInt64(value), values)",
    "rollup": f"key, attempt, bucket, {AGGREGATES}, first_step, last_step",
    "series": f"key, attempt, {AGGREGATES}, first_step, last_step",
    "batches": "topic, attempt, writer, seq, points, toUnixTimestamp64Milli(received), partition, "
    "offset",
    "latest_points": "key, step, attempt, writer, seq, index, toUnixTimestamp64Micro(time), "
    "reinterpretAsUInt64(value)",
    "latest_rollup": f"key, bucket, {AGGREGATES}, first_step, last_step",
    "latest_series": f"key, {AGGREGATES}, first_step, last_step",
}
"""Each view with the columns that are compared."""


def read_views(
    client: Client, workspace: str, run_id: str | None = None, key: str | None = None
) -> dict[str, list[Point]]:
    """What each view shows of a workspace or a run, or those with keys of one key of a run."""
    where = "workspace = {workspace:String}"
    if run_id is not None:
        where += " AND run_uuid = unhex({run_id:String})"
    if key is not None:
        where += " AND key = {key:String}"
    asked = {"workspace": workspace, "run_id": run_id or "", "key": key or ""}
    return {
        view: _sorted(
            client.query(
                f"SELECT {columns} FROM runhistory.{view} WHERE {where}", parameters=asked
            ).result_rows
        )
        for view, columns in VIEWS.items()
        if key is None or view != "batches"
    }


def expected_views(rows: list[Row]) -> dict[str, list[Point]]:
    """What each view has to show of the messages `rows` (each once)."""
    said, kept = list(each_point(rows)), kept_points(rows)
    shown = latest(kept)
    found = {
        "points": [_as_row(point) for point in kept],
        "point_batches": _as_batches(kept),
        "rollup": _aggregated(said, lambda point: (point[0], point[2], point[1] // 1_000)),
        "series": _aggregated(said, lambda point: (point[0], point[2])),
        "batches": _batches(rows),
        "latest_points": [_as_row(point) for point in shown],
        "latest_rollup": _aggregated(shown, lambda point: (point[0], point[1] // 1_000)),
        "latest_series": _aggregated(shown, lambda point: (point[0],)),
    }
    return {view: _sorted(points) for view, points in found.items()}


def each_point(rows: Iterable[Row]) -> Iterator[Point]:
    """Every point that the messages say."""
    for row in rows:
        columns = zip(row["key_index"], row["steps"], row["values"], row["times"], strict=True)
        for index, (key_index, step, value, time) in enumerate(columns):
            place = (row["attempt"], row["writer"], row["seq"], index)
            yield (row["keys"][key_index - 1], step, *place, time, float(value))


def kept_points(rows: list[Row]) -> list[Point]:
    """What each batch says of each key: the first in the log."""
    found: dict[Point, list[Point]] = {}
    for row in sorted(rows, key=lambda row: int(row["_o"])):
        facts: dict[Point, list[Point]] = defaultdict(list)
        for point in each_point([row]):
            key, _, *batch = point[:5]
            facts[key, *batch].append(point)
        for fact, points in facts.items():
            found.setdefault(fact, points)
    return [point for points in found.values() for point in points]


def latest(points: list[Point]) -> list[Point]:
    """Those that no later attempt of their key hides, by having begun at their step or before."""
    begun: dict[tuple[str, int], int] = {}
    for key, step, attempt, *_ in points:
        begun[key, attempt] = min(step, begun.get((key, attempt), step))
    return [
        point
        for point in points
        if not any(
            key == point[0] and attempt > point[2] and first <= point[1]
            for (key, attempt), first in begun.items()
        )
    ]


def _aggregated(points: list[Point], group: Callable[[Point], Point]) -> list[Point]:
    groups: dict[Point, list[Point]] = defaultdict(list)
    for point in points:
        groups[group(point)].append(point)
    return [(*name, *_extremes(points)) for name, points in groups.items()]


def _extremes(points: list[Point]) -> Point:
    finite = [value for *_, value in points if math.isfinite(value)] or [None]
    *_, bits = last = max(
        (step, time, seq, index, _bits(value)) for _, step, _, _, seq, index, time, value in points
    )
    first_step = min(step for _, step, *_ in points)
    return (min(finite), max(finite), bits, last[1], first_step, last[0])


def _as_batches(points: list[Point]) -> list[Point]:
    """What each batch says of each key, by columns."""
    found: dict[Point, list[Point]] = defaultdict(list)
    for key, step, attempt, writer, seq, index, time, value in points:
        found[key, attempt, writer, seq].append((step, index, time, _bits(value)))
    return [(*name, *map(list, zip(*rows, strict=True))) for name, rows in found.items()]


def _batches(rows: list[Row]) -> list[Point]:
    """One for each content of a place, with the place of its first message."""
    found: dict[Any, Point] = {}
    for row in sorted(rows, key=lambda row: int(row["_o"])):
        place = (row["attempt"], row["writer"], row["seq"])
        columns = (*map(tuple, (row["keys"], row["key_index"], row["steps"], row["times"])),)
        content = (*columns, tuple(_bits(float(value)) for value in row["values"]))
        shown = ("run.metrics", *place, len(row["steps"]), row["_t"], row["_p"], row["_o"])
        found.setdefault((place, content), shown)
    return list(found.values())


def _sorted(points: Iterable[Any]) -> list[Point]:
    return sorted(map(tuple, points), key=repr)


def _as_row(point: Point) -> Point:
    return (*point[:-1], _bits(point[-1]))


def _bits(value: float) -> int:
    bits: int = struct.unpack("<Q", struct.pack("<d", value))[0]
    return bits
