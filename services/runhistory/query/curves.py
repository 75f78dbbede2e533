"""Curves for drawing: many at once, over a range, each in at most so many places.

A curve with few enough points in the range is given as it is. Of any other, each bucket of a grid
is told by its first, last, least and greatest point, with their own steps, times and values; curves
share a grid unless each shall have its own. NaN and infinities have no place among these; they are
told apart.

The rollup says where each attempt begins, so what of it is shown. A pass over the points in the
range counts them, and finds where they begin and end, so how wide a bucket is; another makes the
buckets of those that are too many, or brings the others' points. A point's place, step and time, is
one number of 128 bits: comparing tuples instead takes the engine six times as long. Two points of
one step and microsecond are in no order.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from runhistory.query.curve_plan import Beginning, CurveName, Segment, grid_width, make_segments
from runhistory.query.drawn import (
    EVERYTHING,
    MAX_SPECIAL,
    POINT_COLUMNS,
    Axis,
    DrawnCurve,
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
    share_grid: bool = True,
) -> list[DrawnCurve]:
    """The curves of these keys of these runs, each in at most `points` (two or more) places.

    Sorted by run, key and attempt; one without a point in the range is not there.

    Raises:
        EngineUnavailable
    """
    found = read(client, _BEGINNINGS, workspace=workspace, run_ids=list(run_ids), keys=list(keys))
    names, segments = make_segments([Beginning(*row) for row in found], attempt)
    if not segments:
        return []
    return _Drawing(client, workspace, segments, within).draw(names, points, share_grid)


class _Drawing:
    """One answer in the making: the points of these segments in this range."""

    def __init__(
        self, client: Client, workspace: str, segments: Sequence[Segment], within: Range
    ) -> None:
        self._client, self._segments, self._x = client, segments, within.x
        self._parameters = {"workspace": workspace, "from": within.low, "to": within.high}

    def draw(self, names: Sequence[CurveName], points: int, share_grid: bool) -> list[DrawnCurve]:
        """The curves, by their names' places."""
        found = list(zip(*self._ask(_COUNTS, dict.fromkeys(range(len(names)), 1)), strict=True))
        counts = {curve: (finite, total) for curve, finite, total, *_ in found}
        extents = {curve: Extent(*extent) for curve, _, _, *extent in found}
        widths = self._widths(extents, points, share_grid)
        whole = {curve for curve, (finite, _) in counts.items() if finite <= points}
        data = self._columns(_POINTS, {curve: widths[curve] for curve in whole})
        data |= self._columns(_BUCKETS, {c: w for c, w in widths.items() if c not in whole})
        special = self._special({c: total - finite for c, (finite, total) in counts.items()})
        return [
            DrawnCurve(
                name=names[curve],
                is_whole=curve in whole,
                count=counts[curve][0],
                extent=extents[curve],
                width=widths[curve],
                data=data.get(curve, [[] for _ in POINT_COLUMNS]),
                special=special.get(curve, Special()),
            )
            for curve in sorted(counts)
        ]

    def _widths(
        self, extents: Mapping[int, Extent], points: int, share_grid: bool
    ) -> dict[int, int]:
        ends = {curve: extent.on(self._x) for curve, extent in extents.items()}
        if share_grid and ends:
            first, last = zip(*ends.values(), strict=True)
            ends = dict.fromkeys(ends, (min(first), max(last)))
        return {curve: grid_width(first, last, points) for curve, (first, last) in ends.items()}

    def _special(self, counts: Mapping[int, int]) -> dict[int, Special]:
        found = self._columns(_SPECIAL, {curve: 1 for curve, count in counts.items() if count})
        return {
            curve: Special(counts[curve], steps, times, sayable(values))
            for curve, (steps, times, values) in found.items()
        }

    def _columns(self, asking: str, widths: Mapping[int, int]) -> dict[int, Columns]:
        """What is asked of these curves, by columns: the rows come sorted by curve."""
        if not widths:
            return {}
        curve_of, *columns = self._ask(asking, widths) or [[]]
        return {
            curve: [column[begin:end] for column in columns]
            for curve, begin, end in stretches(curve_of)
        }

    def _ask(self, asking: str, widths: Mapping[int, int]) -> Columns:
        parts = [one for one in self._segments if one.curve in widths]
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
            widths=[widths[one.curve] for one in parts],
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
        segment.width AS width, batch.steps AS steps, batch.times AS moments, batch.values AS values
    FROM runhistory.point_batches AS batch
    INNER JOIN (
        SELECT part.1 AS curve, toFixedString(unhex(part.2), 16) AS run_uuid, part.3 AS key,
            part.4 AS attempt, part.5 AS low, part.6 AS high, part.7 AS width
        FROM (SELECT arrayJoin(arrayZip(
            {{curves:Array(UInt32)}}, {{part_runs:Array(String)}}, {{part_keys:Array(String)}},
            {{attempts:Array(UInt32)}}, {{lows:Array(Int64)}}, {{highs:Array(Int64)}},
            {{widths:Array(Int64)}})) AS part)
    ) AS segment
    ON segment.run_uuid = batch.run_uuid AND segment.key = batch.key
        AND segment.attempt = batch.attempt
    WHERE batch.workspace = {{workspace:String}} AND batch.key IN {{keys:Array(String)}}
        AND batch.run_uuid IN {THESE_RUNS}
        AND LATEST >= {{from:Int64}} AND EARLIEST <= {{to:Int64}}
"""  # noqa: S608 - this package's words

_SHOWN: Final = f"""
    SELECT curve, width, step, toUnixTimestamp64Micro(moment) AS time, value FROM ({_BATCHES})
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
            intDiv(AXIS, width) - (AXIS < 0 AND AXIS % width != 0) AS bucket,
            min(value) AS min_value, argMin(place, value) AS min_place,
            max(value) AS max_value, argMax(place, value) AS max_place,
            argMin(value, rank) AS first_value, argMin(place, rank) AS first_place,
            argMax(value, rank) AS last_value, argMax(place, rank) AS last_place
        FROM (
            SELECT curve, width, AXIS, value, bitShiftLeft(toInt128(step), 64) + time AS place,
                bitShiftLeft(toInt128(AXIS), 64) + OTHER AS rank
            FROM (SHOWN) WHERE isFinite(value)
        )
        GROUP BY curve, bucket
    )
    ORDER BY curve, bucket
"""  # noqa: S608 - this package's words
