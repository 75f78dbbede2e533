"""Curves for drawing: many at once, over a range, each in at most so many places.

A curve with few enough points in the range is given as it is. Of any other, each bucket of a grid
that all curves share is told by its first, last, least and greatest point, with their own steps,
times and values. NaN and infinities have no place among these; they are told apart.

The rollup says where each attempt begins, so what of it is shown. A pass over the points in the
range counts them, and finds where they begin and end, so how wide a bucket is; another makes the
buckets of those that are too many, or brings the others' points. A point's place, step and time, is
one number of 128 bits: comparing tuples instead takes the engine six times as long. Two points of
one step and microsecond are in no order.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from runhistory.query.curve_plan import Beginning, CurveName, Segment, grid_width, make_segments
from runhistory.query.drawn import (
    EVERYTHING,
    MAX_SPECIAL,
    POINT_COLUMNS,
    Axis,
    DrawnCurve,
    DrawnCurves,
    Extent,
    Range,
    Special,
)
from runhistory.query.metrics import AttemptChoice, sayable, stretches
from runhistory.query.rows import THESE_RUNS, read, read_columns

Columns = Sequence[Sequence[Any]]


def load_drawn_curves(
    client: Client,
    *,
    workspace: str,
    run_ids: Sequence[str],
    keys: Sequence[str],
    within: Range = EVERYTHING,
    points: int = 1_000,
    attempt: AttemptChoice = "latest",
) -> DrawnCurves:
    """The curves of these keys of these runs, each in at most `points` (two or more) places.

    Raises:
        EngineUnavailable
    """
    found = read(client, _BEGINNINGS, workspace=workspace, run_ids=list(run_ids), keys=list(keys))
    names, segments = make_segments([Beginning(*row) for row in found], attempt)
    if not segments:
        return DrawnCurves(1, [])
    return _Drawing(client, workspace, segments, within).draw(names, points)


class _Drawing:
    """One answer in the making: the points of these segments in this range."""

    def __init__(
        self, client: Client, workspace: str, segments: Sequence[Segment], within: Range
    ) -> None:
        self._client, self._segments, self._x = client, segments, within.x
        self._parameters = {"workspace": workspace, "from": within.low, "to": within.high}

    def draw(self, names: Sequence[CurveName], points: int) -> DrawnCurves:
        """The curves, by their names' places."""
        found = list(zip(*self._ask(_COUNTS, range(len(names))), strict=True))
        counts = {curve: (finite, total) for curve, finite, total, *_ in found}
        extents = {curve: Extent(*extent) for curve, _, _, *extent in found}
        if not counts:
            return DrawnCurves(1, [])
        first, last = zip(*(extent.on(self._x) for extent in extents.values()), strict=True)
        width = grid_width(min(first), max(last), points)
        whole = {curve for curve, (finite, _) in counts.items() if finite <= points}
        data = self._columns(_POINTS, whole) | self._columns(_BUCKETS, counts.keys() - whole, width)
        special = self._special(
            {curve: total - finite for curve, (finite, total) in counts.items()}
        )
        curves = [
            DrawnCurve(
                name=names[curve],
                is_whole=curve in whole,
                count=counts[curve][0],
                extent=extents[curve],
                data=data.get(curve, [[] for _ in POINT_COLUMNS]),
                special=special.get(curve, Special()),
            )
            for curve in sorted(counts)
        ]
        return DrawnCurves(width, curves)

    def _special(self, counts: Mapping[int, int]) -> dict[int, Special]:
        found = self._columns(_SPECIAL, {curve for curve, count in counts.items() if count})
        return {
            curve: Special(counts[curve], steps, times, sayable(values))
            for curve, (steps, times, values) in found.items()
        }

    def _columns(self, asking: str, curves: Collection[int], width: int = 1) -> dict[int, Columns]:
        """What is asked of these curves, by columns: the rows come sorted by curve."""
        if not curves:
            return {}
        curve_of, *columns = self._ask(asking, curves, width) or [[]]
        return {
            curve: [column[begin:end] for column in columns]
            for curve, begin, end in stretches(curve_of)
        }

    def _ask(self, asking: str, curves: Collection[int], width: int = 1) -> Columns:
        parts = [one for one in self._segments if one.curve in curves]
        return read_columns(
            self._client,
            _statement(asking, self._x),
            **self._parameters,
            run_ids=sorted({one.run_id for one in parts}),
            keys=sorted({one.key for one in parts}),
            curves=[one.curve for one in parts],
            part_runs=[one.run_id for one in parts],
            part_keys=[one.key for one in parts],
            attempts=[one.attempt for one in parts],
            lows=[one.low for one in parts],
            highs=[one.high for one in parts],
            width=width,
            most=MAX_SPECIAL,
        )


def _statement(asking: str, x: Axis) -> str:
    """The statement with its words in capitals filled in."""
    statement = asking.replace("SHOWN", _SHOWN)
    for word, meaning in _WORDS[x].items():
        statement = statement.replace(word, meaning)
    return statement


_BEGINNINGS: Final = f"""
    SELECT run_id, key, attempt, first_step FROM runhistory.series
    WHERE workspace = {{workspace:String}} AND run_uuid IN {THESE_RUNS}
        AND key IN {{keys:Array(String)}}
"""  # noqa: S608 - this package's words

# Batches that lie outside are left out, and the others joined to segments, before they are
# unfolded: they are a thousandth of the points.
_BATCHES: Final = f"""
    SELECT segment.curve AS curve, segment.low AS low, segment.high AS high,
        batch.steps AS steps, batch.times AS moments, batch.values AS values
    FROM runhistory.point_batches AS batch
    INNER JOIN (
        SELECT part.1 AS curve, toFixedString(unhex(part.2), 16) AS run_uuid, part.3 AS key,
            part.4 AS attempt, part.5 AS low, part.6 AS high
        FROM (SELECT arrayJoin(arrayZip(
            {{curves:Array(UInt32)}}, {{part_runs:Array(String)}}, {{part_keys:Array(String)}},
            {{attempts:Array(UInt32)}}, {{lows:Array(Int64)}}, {{highs:Array(Int64)}})) AS part)
    ) AS segment
    ON segment.run_uuid = batch.run_uuid AND segment.key = batch.key
        AND segment.attempt = batch.attempt
    WHERE batch.workspace = {{workspace:String}} AND batch.key IN {{keys:Array(String)}}
        AND batch.run_uuid IN {THESE_RUNS}
        AND LATEST >= {{from:Int64}} AND EARLIEST <= {{to:Int64}}
"""  # noqa: S608 - this package's words

_SHOWN: Final = f"""
    SELECT curve, step, toUnixTimestamp64Micro(moment) AS time, value FROM ({_BATCHES})
    ARRAY JOIN steps AS step, moments AS moment, values AS value
    WHERE step BETWEEN low AND high AND AXIS BETWEEN {{from:Int64}} AND {{to:Int64}}
"""  # noqa: S608 - this package's words

_WORDS: Final[Mapping[Axis, Mapping[str, str]]] = {
    "step": {
        "AXIS": "step",
        "OTHER": "time",
        "EARLIEST": "arrayMin(batch.steps)",
        "LATEST": "arrayMax(batch.steps)",
    },
    "time": {
        "AXIS": "time",
        "OTHER": "step",
        "EARLIEST": "toUnixTimestamp64Micro(arrayMin(batch.times))",
        "LATEST": "toUnixTimestamp64Micro(arrayMax(batch.times))",
    },
}
"""What stands for the words in capitals."""

_COUNTS: Final = """
    SELECT curve, countIf(isFinite(value)), count(), min(step), max(step), min(time), max(time)
    FROM (SHOWN) GROUP BY curve
"""

_POINTS: Final = """
    SELECT curve, step, time, value FROM (SHOWN) WHERE isFinite(value)
    ORDER BY curve, AXIS, OTHER
"""

_SPECIAL: Final = """
    SELECT curve, step, time, value FROM (SHOWN) WHERE NOT isFinite(value)
    ORDER BY curve, AXIS, OTHER LIMIT {most:UInt32} BY curve
"""

# intDiv rounds towards zero. The lower half of a place is its time, which is never negative.
_BUCKETS: Final = f"""
    SELECT curve, {
    ", ".join(
        f"toInt64(bitShiftRight({one}_place, 64)), toInt64({one}_place), {one}_value"
        for one in ("min", "max", "first", "last")
    )
}
    FROM (
        SELECT curve,
            intDiv(AXIS, {{width:Int64}}) - (AXIS < 0 AND AXIS % {{width:Int64}} != 0) AS bucket,
            min(value) AS min_value, argMin(place, value) AS min_place,
            max(value) AS max_value, argMax(place, value) AS max_place,
            argMin(value, rank) AS first_value, argMin(place, rank) AS first_place,
            argMax(value, rank) AS last_value, argMax(place, rank) AS last_place
        FROM (
            SELECT curve, AXIS, value, bitShiftLeft(toInt128(step), 64) + time AS place,
                bitShiftLeft(toInt128(AXIS), 64) + OTHER AS rank
            FROM (SHOWN) WHERE isFinite(value)
        )
        GROUP BY curve, bucket
    )
    ORDER BY curve, bucket
"""  # noqa: S608 - this package's words
