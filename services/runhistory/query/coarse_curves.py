"""Curves of which points have expired, drawn of what is left of them: the rollup.

It has the least, the greatest and the last value of every 1,000 steps. So the extremes of a bucket
and its last point are exact, and where in it the extremes stand, its first value and its other
times are not known. A curve is drawn so where points are gone of any 1,000 steps in the range;
where all are still there, it is as any other.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from clickhouse_connect.driver.client import Client
from msgspec import Struct

from runhistory.query.curve_plan import Segment
from runhistory.query.curve_statements import EXPIRED, ROLLUP, parts, statement
from runhistory.query.drawn import COARSE_COLUMNS, Axis, Range
from runhistory.query.rows import read


class Stretch(Struct, frozen=True):
    """An attempt's points within 1,000 steps; `least` and `greatest` are None without a number."""

    first_step: int
    last_step: int
    last_time: int
    least: float | None
    greatest: float | None
    last: float

    def place(self, x: Axis) -> int:
        """Where it is on x: its first step, or the time of its last one, the only known."""
        return self.first_step if x == "step" else self.last_time

    def end(self, x: Axis) -> int:
        """Where it ends on x."""
        return self.last_step if x == "step" else self.last_time


def load_coarse(
    client: Client, workspace: str, segments: Sequence[Segment], within: Range
) -> dict[int, list[Stretch]]:
    """{curve: what is there of it in the range} for curves that lack points there.

    A stretch that the range cuts is told whole. Of one in which a later attempt begins only the
    points could tell what is shown: that attempt is, from its beginning on.

    Raises:
        EngineUnavailable
    """
    run_ids = sorted({one.run_id for one in segments})
    expired = {row[0] for row in read(client, EXPIRED, workspace=workspace, run_ids=run_ids)}
    lacking = [one for one in segments if one.run_id in expired]
    if not lacking:
        return {}
    bounds = {"workspace": workspace, "from": within.low, "to": within.high}
    found: dict[int, list[Stretch]] = defaultdict(list)
    incomplete: set[int] = set()
    for curve, *stretch, is_kept in read(
        client, statement(ROLLUP, within.x), **parts(lacking), **bounds
    ):
        found[curve].append(Stretch(*stretch))
        if not is_kept:
            incomplete.add(curve)
    return {curve: found[curve] for curve in incomplete}


def ends_of(stretches: Sequence[Stretch], x: Axis) -> tuple[int, int]:
    """The first and the last place on x."""
    return min(one.place(x) for one in stretches), max(one.end(x) for one in stretches)


def coarse_columns(stretches: Sequence[Stretch], x: Axis, width: int) -> list[list[float]]:
    """COARSE_COLUMNS of the buckets of a grid, or of single stretches where these are wider."""
    buckets: Mapping[int, list[Stretch]] = defaultdict(list)
    for one in stretches:
        if one.least is not None:
            buckets[one.place(x) // width].append(one)
    rows = [_row(of_bucket, x) for _, of_bucket in sorted(buckets.items())]
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in COARSE_COLUMNS]


def _row(stretches: Sequence[Stretch], x: Axis) -> tuple[float, ...]:
    last = max(stretches, key=lambda one: (one.end(x), one.last_time))
    return (
        min(one.first_step for one in stretches),
        min(one.least for one in stretches if one.least is not None),
        max(one.greatest for one in stretches if one.greatest is not None),
        last.last_step,
        last.last_time,
        last.last,
    )
