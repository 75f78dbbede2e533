"""Points to the columnar body of a metric batch (`events/metric_batch.py`), a few ms for 10,000."""

from math import isfinite
from typing import Final

import orjson

from runhistory.events.metric_batch import MAX_BATCH_BYTES
from runhistory.sdk.outbox import Batch

Point = tuple[str, int, float, int]
"""Name, step, value, time in µs since 1970."""


_NAMES: Final = {float("inf"): "Infinity", float("-inf"): "-Infinity"}


def encode(writer: str, seq: int, points: list[Point]) -> list[Batch]:
    """The points as batches numbered from `seq`: none for no points, and one unless their names
    are so long that the gateway would refuse it as too large."""
    if not points:
        return []
    body = _body(writer, seq, points)
    if len(body) <= MAX_BATCH_BYTES or len(points) == 1:
        return [Batch(seq, len(points), body)]
    half = len(points) // 2
    first = encode(writer, seq, points[:half])
    return first + encode(writer, first[-1].seq + 1, points[half:])


def _body(writer: str, seq: int, points: list[Point]) -> bytes:
    names, steps, values, times = zip(*points, strict=True)
    index: dict[str, int] = {}
    key_index = [index.setdefault(name, len(index) + 1) for name in names]
    column: list[float | str] | tuple[float, ...] = values
    if not all(map(isfinite, values)):  # orjson would write them as null
        column = [v if isfinite(v) else _NAMES.get(v, "NaN") for v in values]
    return orjson.dumps(
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
