"""In which order a table has its runs: by an attribute or any column, missing values last.

An order is a source of values, joined to the runs by their id, and expressions to sort by. A text
that is a number is sorted as one, before other texts; NaN comes behind all numbers.
"""

from typing import Final

from msgspec import Struct

from runhistory.query.run_columns import (
    VIEWS,
    Column,
    InvalidColumn,
    MetricColumn,
    PairColumn,
    parse_column,
)

ATTRIBUTES: Final = {
    name: name
    for name in (
        "created", "started", "ended", "updated", "status", "display_name", "experiment", "run_id",
        "type", "attempt", "created_by", "compute_target", "description",
    )
} | {
    "duration": "dateDiff('microsecond', started, ifNull(ended, now64(6)))",
}  # fmt: skip
"""What a run can be sorted by beside columns; each with its expression over the view `runs`."""

NEWEST_FIRST: Final = "-created"


class InvalidOrder(ValueError):
    """Runs cannot be sorted by this; the message says by what they can."""

    def __init__(self, text: str) -> None:
        super().__init__(
            f"sort: {text[:200]!r} is neither a column, such as param:lr or last:loss, nor one of "
            f"{', '.join(sorted(ATTRIBUTES))}. A minus before it turns the order round."
        )


class RunOrder(Struct, frozen=True):
    """`source` gives (run_uuid, cell), or is empty; its parameters are in `parameters`."""

    source: str
    by: tuple[str, ...]
    parameters: dict[str, str]


def make_order(text: str) -> RunOrder:
    """The order that is written so: an attribute or a column, a minus before it for downwards.

    Raises:
        InvalidOrder
    """
    name, direction = text.removeprefix("-"), "DESC" if text.startswith("-") else "ASC"
    if name in ATTRIBUTES:
        return RunOrder("", (f"{ATTRIBUTES[name]} {direction} NULLS LAST",), {})
    try:
        column = parse_column(name)
    except InvalidColumn as error:
        raise InvalidOrder(text) from error
    return _by_column(column, direction)


def _by_column(column: Column, direction: str) -> RunOrder:
    match column:
        case PairColumn(kind, name):
            number = "toFloat64OrNull(cell)"
            by = (f"isNull({number})", f"{number} {direction}", f"cell {direction}")
            return RunOrder(_PAIRS.format(view=VIEWS[kind]), _nulls_last(by), {"sorted": name})
        case MetricColumn("last", key):
            return RunOrder(_LAST, _nulls_last((f"cell {direction}",)), {"sorted": key})
        case MetricColumn(extreme, key):
            source = _EXTREMES.format(extreme=extreme)
            return RunOrder(source, _nulls_last((f"cell {direction}",)), {"sorted": key})


def _nulls_last(expressions: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{expression} NULLS LAST" for expression in expressions)


_PAIRS: Final = """
    SELECT run_uuid, value AS cell FROM runhistory.{view}
    WHERE workspace = {{workspace:String}} AND name = {{sorted:String}}
"""

# The newest attempt of a key hides what others have behind its first step, so its last is the last.
_LAST: Final = """
    SELECT run_uuid, argMax(last, attempt) AS cell FROM runhistory.series
    WHERE workspace = {workspace:String} AND key = {sorted:String} GROUP BY run_uuid
"""

# What is hidden costs a window over all buckets: only runs with a second attempt pay for that.
_EXTREMES: Final = """
    SELECT run_uuid, {extreme}({extreme}) AS cell FROM runhistory.series
    WHERE workspace = {{workspace:String}} AND key = {{sorted:String}}
        AND run_uuid NOT IN (SELECT run_uuid FROM runhistory.series
            WHERE workspace = {{workspace:String}} AND key = {{sorted:String}} AND attempt > 1)
    GROUP BY run_uuid
    UNION ALL
    SELECT run_uuid, {extreme} AS cell FROM runhistory.latest_series
    WHERE workspace = {{workspace:String}} AND key = {{sorted:String}}
        AND run_uuid IN (SELECT run_uuid FROM runhistory.series
            WHERE workspace = {{workspace:String}} AND key = {{sorted:String}} AND attempt > 1)
"""
