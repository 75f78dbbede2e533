"""What is asked of ClickHouse to draw curves. Its words in capitals are filled in by `statement`.

Planning takes longer than reading where little is read, so statements are flat: no join, no select
in a select. Which segment a batch is of, `part`, is looked up by its name in an array (0: none).

A point's place, step and time, is one number of 128 bits: comparing tuples instead takes the engine
six times as long. Two points of one step and microsecond are in no order.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from runhistory.query.curve_plan import Segment
from runhistory.query.drawn import Axis
from runhistory.query.rows import THESE_RUNS


def statement(asking: str, x: Axis) -> str:
    """The statement for curves over `x`."""
    for word, meaning in _WORDS[x].items():
        asking = asking.replace(word, meaning)
    return asking


def parts(segments: Sequence[Segment]) -> dict[str, object]:
    """The parameters that tell of which segments points are wanted."""
    return {
        "run_ids": sorted({one.run_id for one in segments}),
        "keys": sorted({one.key for one in segments}),
        "attempts": sorted({one.attempt for one in segments}),
        "names": [f"{one.run_id}/{one.attempt}/{one.key}" for one in segments],
        "curves": [one.curve for one in segments],
        "lows": [one.low for one in segments],
        "highs": [one.high for one in segments],
    }


BEGINNINGS: Final = f"""
    SELECT run_id, key, attempt, first_step,
        workspace IN (SELECT workspace FROM runhistory.expiries) AS may_have_expired
    FROM runhistory.series
    WHERE workspace = {{workspace:String}} AND run_uuid IN {THESE_RUNS}
        AND key IN {{keys:Array(String)}}
"""  # noqa: S608 - this package's words

_PART: Final = """
    transform(concat(run_id, '/', toString(attempt), '/', key),
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
        "BEGINNING": "first_step",
        "ENDING": "last_step",
        "COLUMNS": "batch.steps",
    },
    "time": {
        "AXIS": "time",
        "OTHER": "step",
        "EARLIEST": "toUnixTimestamp64Micro(arrayMin(batch.times))",
        "LATEST": "toUnixTimestamp64Micro(arrayMax(batch.times))",
        "EACH": "(time, step)",
        "BEGINNING": "time",
        "ENDING": "time",
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

EXPIRED: Final = f"""
    SELECT DISTINCT run_id FROM runhistory.batches
    WHERE workspace = {{workspace:String}} AND run_uuid IN {THESE_RUNS} AND topic = 'run.metrics'
        AND received < (
            SELECT max(before) FROM runhistory.expiries WHERE workspace = {{workspace:String}}
        )
"""  # noqa: S608 - this package's words

# A bucket is kept where the points that are there begin and end as the rollup says.
ROLLUP: Final = f"""
    WITH {_PART}, toUnixTimestamp64Micro(last_time) AS time
    SELECT curve, first_step, last_step, time, min, max, last,
        (run_uuid, key, attempt, bucket, first_step, last_step) IN (
            SELECT run_uuid, key, attempt, intDiv(step, 1000) - (step < 0 AND step % 1000 != 0)
                AS bucket, min(step), max(step)
            FROM runhistory.point_batches ARRAY JOIN steps AS step
            WHERE workspace = {{workspace:String}} AND key IN {{keys:Array(String)}}
                AND run_uuid IN {THESE_RUNS}
            GROUP BY run_uuid, key, attempt, bucket
        ) AS is_kept
    FROM runhistory.rollup
    WHERE workspace = {{workspace:String}} AND key IN {{keys:Array(String)}}
        AND run_uuid IN {THESE_RUNS} AND attempt IN {{attempts:Array(UInt32)}} AND part != 0
        AND first_step >= {{lows:Array(Int64)}}[part]
        AND last_step <= {{highs:Array(Int64)}}[part]
        AND ENDING >= {{from:Int64}} AND BEGINNING <= {{to:Int64}}
    ORDER BY curve, ENDING
"""  # noqa: S608 - this package's words
