"""Points to the columnar body of a metric batch (`events/metric_batch.py`), a few ms for 10,000."""

from array import array
from collections import deque
from math import isfinite
from typing import Final, NamedTuple

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
    items: list[Point | Series] = []
    points = 0
    while len(items) < most and points < BATCH_POINTS:
        item = incoming.popleft()
        items.append(item)
        points += len(item.steps) if isinstance(item, Series) else 1
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
    index: dict[str, int] = {}
    points = [item for item in items if type(item) is tuple]
    names, steps, values, times = (
        map(list, zip(*points, strict=True)) if points else ([], [], [], [])
    )
    key_index = [index.setdefault(name, len(index) + 1) for name in names]
    if len(points) < len(items):
        for series in items:
            if isinstance(series, Series):
                key_index += [index.setdefault(series.name, len(index) + 1)] * len(series.steps)
                steps += series.steps
                values += series.values
                times += series.times
    column: list[float | str] = values
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
