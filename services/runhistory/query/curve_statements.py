"""What is asked of ClickHouse to draw curves. Its words in capitals are filled in by `statement`.

Planning takes longer than reading where little is read, so statements are flat: no join, no select
in a select. Which segment a batch is of, `part`, is looked up by its name in an array (0: none).

A point's place, step and time, is one number of 128 bits: comparing tuples instead takes the engine
six times as long. Two points of one step and microsecond are in no order.
"""

from collections.abc import Mapping
from typing import Final

from runhistory.query.curve_plan import Segment
from runhistory.query.drawn import Axis
from runhistory.query.rows import THESE_RUNS


def statement(asking: str, x: Axis) -> str:
    """The statement for curves over `x`."""
    for word, meaning in _WORDS[x].items():
        asking = asking.replace(word, meaning)
    return asking


def part_name(segment: Segment) -> str:
    """What `part` is looked up by."""
    return f"{segment.run_id}/{segment.attempt}/{segment.key}"


BEGINNINGS: Final = f"""
    SELECT run_id, key, attempt, first_step FROM runhistory.series
    WHERE workspace = {{workspace:String}} AND run_uuid IN {THESE_RUNS}
        AND key IN {{keys:Array(String)}}
"""  # noqa: S608 - this package's words

_PART: Final = """
    transform(concat(batch.run_id, '/', toString(batch.attempt), '/', batch.key),
        {names:Array(String)}, arrayEnumerate({names:Array(String)}), 0::UInt32) AS part,
    {curves:Array(UInt32)}[part] AS curve
"""

# Whole batches are left out before they are unfolded; by `seq` they are found without being read.
_OF_BATCHES: Final = f"""
    WHERE batch.workspace = {{workspace:String}} AND batch.key IN {{keys:Array(String)}}
        AND batch.run_uuid IN {THESE_RUNS}
        AND batch.attempt IN {{attempts:Array(UInt32)}}
        AND batch.seq BETWEEN {{first_seq:UInt64}} AND {{last_seq:UInt64}}
        AND LATEST >= {{from:Int64}} AND EARLIEST <= {{to:Int64}} AND part != 0
"""

_SHOWN: Final = f"""
    FROM runhistory.point_batches AS batch
    ARRAY JOIN steps AS step, times AS moment, values AS value
    {_OF_BATCHES}
        AND step BETWEEN {{lows:Array(Int64)}}[part] AND {{highs:Array(Int64)}}[part]
        AND AXIS BETWEEN {{from:Int64}} AND {{to:Int64}}
"""

_WORDS: Final[Mapping[Axis, Mapping[str, str]]] = {
    "step": {
        "AXIS": "step",
        "OTHER": "time",
        "EARLIEST": "arrayMin(batch.steps)",
        "LATEST": "arrayMax(batch.steps)",
        "EACH": "step",
        "COLUMNS": "batch.steps",
    },
    "time": {
        "AXIS": "time",
        "OTHER": "step",
        "EARLIEST": "toUnixTimestamp64Micro(arrayMin(batch.times))",
        "LATEST": "toUnixTimestamp64Micro(arrayMax(batch.times))",
        "EACH": "(time, step)",
        "COLUMNS": "arrayMap(moment -> toUnixTimestamp64Micro(moment), batch.times), batch.steps",
    },
}
"""What stands for the words in capitals."""

PLACES: Final = f"""
    WITH {_PART},
        arrayFilter(
            EACH -> AXIS BETWEEN {{from:Int64}} AND {{to:Int64}}
                AND step BETWEEN {{lows:Array(Int64)}}[part] AND {{highs:Array(Int64)}}[part],
            COLUMNS
        ) AS inside
    SELECT curve, sum(length(inside)), min(arrayMin(inside)), max(arrayMax(inside)),
        min(batch.seq), max(batch.seq)
    FROM runhistory.point_batches AS batch
    {_OF_BATCHES} AND notEmpty(inside)
    GROUP BY curve
"""  # noqa: S608 - this package's words

POINTS: Final = f"""
    WITH {_PART}, toUnixTimestamp64Micro(moment) AS time
    SELECT curve, step, time, value {_SHOWN} ORDER BY curve, AXIS, OTHER
"""

SPECIAL: Final = f"""
    WITH {_PART}, toUnixTimestamp64Micro(moment) AS time
    SELECT curve, step, time, value {_SHOWN} AND NOT isFinite(value)
    ORDER BY curve, AXIS, OTHER LIMIT {{most:UInt32}} BY curve
"""

# intDiv rounds towards zero. The lower half of a place is its time, which is never negative.
BUCKETS: Final = f"""
    WITH {_PART}, toUnixTimestamp64Micro(moment) AS time,
        {{widths:Array(Int64)}}[part] AS width,
        bitShiftLeft(toInt128(step), 64) + time AS place,
        bitShiftLeft(toInt128(AXIS), 64) + OTHER AS rank,
        argMin(place, value) AS min_place, argMax(place, value) AS max_place,
        argMin(place, rank) AS first_place, argMax(place, rank) AS last_place,
        min(value) AS min_value, max(value) AS max_value,
        argMin(value, rank) AS first_value, argMax(value, rank) AS last_value
    SELECT curve, isFinite(value) AS is_finite, count(), {
    ", ".join(
        f"toInt64(bitShiftRight({one}_place, 64)), toInt64({one}_place), {one}_value"
        for one in ("min", "max", "first", "last")
    )
}
    {_SHOWN}
    GROUP BY curve, intDiv(AXIS, width) - (AXIS < 0 AND AXIS % width != 0) AS bucket, is_finite
    ORDER BY curve, bucket
"""
