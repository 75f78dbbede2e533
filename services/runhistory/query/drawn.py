"""Curves as they are drawn: what is asked for, and what is answered."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

from msgspec import Struct

from runhistory.query.curve_plan import LEAST, MOST, CurveName
from runhistory.query.metrics import Value

Axis = Literal["step", "time"]

POINT_COLUMNS: Final = ("step", "time", "value")
BUCKET_COLUMNS: Final = tuple(
    f"{which}_{what}" for which in ("min", "max", "first", "last") for what in POINT_COLUMNS
)
COARSE_COLUMNS: Final = (
    "first_step",
    "min_value",
    "max_value",
    "last_step",
    "last_time",
    "last_value",
)
MAX_SPECIAL: Final = 1_000

Kind = Literal["points", "buckets", "coarse"]
COLUMNS: Final[Mapping[Kind, Sequence[str]]] = {
    "points": POINT_COLUMNS,
    "buckets": BUCKET_COLUMNS,
    "coarse": COARSE_COLUMNS,
}


class Range(Struct, frozen=True):
    """From `low` to `high`, both included, on the axis `x`; times are µs since 1970."""

    x: Axis = "step"
    low: int = LEAST
    high: int = MOST


EVERYTHING: Final = Range()


class Special(Struct, frozen=True):
    """Points whose value is no number to draw: how many, and the first of them in their order."""

    count: int = 0
    steps: Sequence[int] = ()
    times: Sequence[int] = ()
    values: Sequence[Value] = ()


class DrawnCurve(Struct, frozen=True, kw_only=True):
    """One curve: its points, its buckets, or, where points have expired, what the rollup keeps.

    `data` has a list of equal length for each of the kind's COLUMNS, in order of x. A bucket is
    `width` wide, and its borders are multiples of that; a coarse one has 1,000 steps at least, and
    its extremes and its last point are exact. `count` is of the finite points (None: unknown);
    `first` and `last` are on x, of all points in the range, those that are no numbers too.
    """

    name: CurveName
    kind: Kind
    count: int | None
    first: int
    last: int
    width: int
    data: Sequence[Sequence[float]]
    special: Special = Special()
