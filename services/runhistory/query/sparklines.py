"""Curves in a few points, for a glance: the least and the greatest of each of 30 stretches.

A long curve is made of the rollup, which knows the extremes of each 1,000 steps, if not their very
steps: a glance does not tell them apart. A short one is made of its points.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from clickhouse_connect.driver.client import Client
from msgspec import Struct

from runhistory.query.curve_plan import grid_width
from runhistory.query.curves import load_drawn_curves
from runhistory.query.drawn import COLUMNS, DrawnCurve, Kind
from runhistory.query.rows import THESE_RUNS, read

STRETCHES: Final = 30
LONG: Final = 2 * STRETCHES * 1_000
"""So many steps have enough buckets in the rollup."""

_GLANCE: Final[Mapping[Kind, Sequence[tuple[str, str]]]] = {
    "points": [("step", "value")],
    "buckets": [("min_step", "min_value"), ("max_step", "max_value")],
    "coarse": [("first_step", "min_value"), ("last_step", "max_value")],
}
"""Which columns of a curve are points of its sparkline."""


class Sparkline(Struct, frozen=True):
    """At most 60 points in step order, the extremes among them; finite ones alone."""

    steps: Sequence[int] = ()
    values: Sequence[float] = ()


Point = tuple[int, float]
"""Step and value."""


def load_sparklines(
    client: Client, workspace: str, key: str, reach: Mapping[str, int]
) -> dict[str, Sparkline]:
    """{run id: the sparkline of `key`} for runs that have such points; `reach` says over how many
    steps.

    Raises:
        EngineUnavailable
    """
    short = [run_id for run_id, steps in reach.items() if steps < LONG]
    long = [run_id for run_id, steps in reach.items() if steps >= LONG]
    lines: dict[str, Sparkline] = {}
    if short:
        drawn = load_drawn_curves(
            client,
            workspace=workspace,
            run_ids=short,
            keys=[key],
            points=STRETCHES,
            share_grid=False,
        )
        lines |= {one.name.run_id: _line(_points(one)) for one in drawn}
    if long:
        lines |= _of_rollup(client, workspace, key, long)
    return lines


def _points(curve: DrawnCurve) -> set[Point]:
    columns = dict(zip(COLUMNS[curve.kind], curve.data, strict=True))
    return {
        (int(step), value)
        for steps, values in _GLANCE[curve.kind]
        for step, value in zip(columns[steps], columns[values], strict=True)
    }


def _line(points: Iterable[Point]) -> Sparkline:
    found = sorted(points)
    return Sparkline([step for step, _ in found], [value for _, value in found])


def _of_rollup(
    client: Client, workspace: str, key: str, run_ids: Sequence[str]
) -> dict[str, Sparkline]:
    found = read(
        client,
        f"""
        SELECT run_id, first_step, last_step, min, max FROM runhistory.latest_rollup
        WHERE workspace = {{workspace:String}} AND run_uuid IN {THESE_RUNS}
            AND key = {{key:String}} AND isNotNull(min)
        """,  # noqa: S608 - this package's words
        workspace=workspace,
        run_ids=list(run_ids),
        key=key,
    )
    rows: dict[str, list[tuple[int, int, float, float]]] = defaultdict(list)
    for run_id, *row in found:
        rows[run_id].append((row[0], row[1], row[2], row[3]))
    return {run_id: _line(_extremes(of_run)) for run_id, of_run in rows.items()}


def _extremes(rows: Sequence[tuple[int, int, float, float]]) -> set[Point]:
    """The extremes of each stretch, at the beginning or end of where the rollup has them."""
    width = grid_width(min(row[0] for row in rows), max(row[0] for row in rows), STRETCHES)
    stretches: dict[int, list[tuple[int, int, float, float]]] = defaultdict(list)
    for row in rows:
        stretches[row[0] // width].append(row)
    points: set[Point] = set()
    for found in stretches.values():
        first, _, least, _ = min(found, key=lambda row: row[2])
        _, last, _, greatest = max(found, key=lambda row: row[3])
        points |= {(first, least), (last, greatest)}
    return points
