"""Points to the columnar body of a metric batch (`events/metric_batch.py`), a few ms for 10,000."""

from array import array
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import repeat
from math import isfinite
from typing import Any, Final, NamedTuple, cast

import orjson

from runhistory.events.metric_batch import MAX_BATCH_BYTES
from runhistory.sdk.batch import Batch

BATCH_POINTS: Final = 10_000
Point = tuple[str, int, float, int]
"""Name, step, value, time in µs since 1970."""


class Series(NamedTuple):
    """Points of one name, at most BATCH_POINTS: 24 bytes each while they wait."""

    name: str
    steps: "array[int]"
    values: "array[float]"
    times: "array[int]"


_NAMES: Final = {float("inf"): "Infinity", float("-inf"): "-Infinity"}


def take(incoming: deque[Point | Series], most: int) -> tuple[list[Point | Series], int]:
    """Pop what makes a batch, at most `most` entries; and how many more points than entries."""
    pop = incoming.popleft
    items = [pop() for _ in range(min(most, BATCH_POINTS))]
    if Series not in {*map(type, items)}:
        return items, 0
    points = 0
    for i, item in enumerate(items):
        points += len(item.steps) if isinstance(item, Series) else 1
        if points >= BATCH_POINTS:
            incoming.extendleft(reversed(items[i + 1 :]))  # nobody else takes from this end
            return items[: i + 1], points - i - 1
    return items, points - len(items)


def encode(writer: str, seq: int, items: list[Point | Series]) -> list[Batch]:
    """The points as batches numbered from `seq`: none for no points, and one unless their names
    are so long that the gateway would refuse it as too large."""
    if not items:
        return []
    batch = _batch(writer, seq, items)
    if len(batch.body) <= MAX_BATCH_BYTES or len(items) == 1:
        return [batch]
    half = len(items) // 2
    first = encode(writer, seq, items[:half])
    return first + encode(writer, first[-1].seq + 1, items[half:])


def _batch(writer: str, seq: int, items: list[Point | Series]) -> Batch:
    names, steps, values, times = _columns(items)
    index = {name: number for number, name in enumerate(dict.fromkeys(names), 1)}
    key_index = list(map(index.__getitem__, names))
    column: Sequence[float | str] = values
    if not all(map(isfinite, values)):  # orjson would write them as null
        column = [v if isfinite(v) else _NAMES.get(v, "NaN") for v in values]
    body = orjson.dumps(
        {
            "writer": writer,
            "seq": seq,
            "keys": list(index),
            "key_index": key_index,
            "steps": steps,
            "values": column,
            "times": times,
        }
    )
    return Batch(seq, len(key_index), body)


def _columns(
    items: list[Point | Series],
) -> tuple[Sequence[str], Sequence[int], Sequence[float], Sequence[int]]:
    """Names, steps, values and times of all points, in the order of the items."""
    if Series not in {*map(type, items)}:
        names, steps, values, times = zip(*items, strict=True)
        return names, steps, values, times
    columns: tuple[list[str], list[int], list[float], list[int]] = ([], [], [], [])
    for item in items:
        more: tuple[Iterable[Any], ...] = tuple((one,) for one in item)
        if isinstance(item, Series):
            more = (repeat(item.name, len(item.steps)), item.steps, item.values, item.times)
        for column, part in zip(columns, more, strict=True):
            cast("list[Any]", column).extend(part)
    return columns
