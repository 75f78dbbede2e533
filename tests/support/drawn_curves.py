"""Drawn curves as plain Python makes them of the messages, and messages to draw: an oracle."""

import math
from collections import defaultdict
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from runhistory.query.curve_plan import LEAST, MOST, CurveName
from runhistory.query.drawn import BUCKET_COLUMNS, DrawnCurve
from tests.support.landing import Row, metric_row
from tests.support.metric_views import Point, kept_points, latest

PLACES = 10
MANY = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
FAR = st.sampled_from([LEAST, LEAST + 1, -1, MOST - 1, MOST])
STEPS = st.integers(-30, 60) | st.integers(900, 2_100) | FAR
TIMES = st.integers(0, 40) | st.integers(0, 9_000_000_000_000_000)
VALUES = st.sampled_from(["NaN", "Infinity", "-Infinity"]) | st.floats(-5, 5).map(
    lambda value: round(value, 1)
)
POINTS = st.lists(
    st.tuples(st.sampled_from([1, 1, 2]), STEPS, TIMES, VALUES), min_size=1, max_size=30
)
BATCHES = st.lists(
    st.tuples(st.integers(1, 3), st.sampled_from("ab"), POINTS), min_size=1, max_size=6
)


def rows_of(workspace: str, run_id: str, batches: list[Any]) -> list[Row]:
    """The batches as messages; each has a number of its own."""
    return [
        metric_row(
            workspace,
            run_id,
            {
                "writer": writer,
                "seq": seq,
                "keys": ["loss", "acc"],
                "key_index": [point[0] for point in points],
                "steps": [point[1] for point in points],
                "times": [point[2] for point in points],
                "values": [point[3] for point in points],
            },
            attempt,
        )
        for seq, (attempt, writer, points) in enumerate(batches)
    ]


Drawn = tuple[int, int, float]
"""Step, time and value of a point."""


def points_of_curves(rows: list[Row], choice: Any) -> dict[CurveName, list[Drawn]]:
    """All points that each curve shows."""
    points: list[Point] = kept_points(rows)
    if choice == "latest":
        points = latest(points)
    found: dict[CurveName, list[Drawn]] = defaultdict(list)
    for key, step, attempt, _, _, _, time, value in points:
        if choice in ("latest", "all", attempt):
            name = CurveName(rows[0]["run_id"], key, attempt if choice == "all" else None)
            found[name].append((step, time, value))
    return found


def check_drawn(curve: DrawnCurve, points: list[Drawn], axis: int) -> None:
    """It is what `points`, those in the range, are drawn as in at most PLACES places."""
    finite = [point for point in points if math.isfinite(point[2])]
    special = [point for point in points if not math.isfinite(point[2])]
    places = [point[axis] for point in points]
    assert curve.count == len(finite)
    assert (curve.first, curve.last) == (min(places), max(places))
    told = list(zip(curve.special.steps, curve.special.times, curve.special.values, strict=True))
    assert curve.special.count == len(special)
    assert sorted(map(repr, told)) == sorted(repr((s, t, _name(v))) for s, t, v in special)
    assert curve.kind == ("points" if len(points) <= PLACES else "buckets")
    if curve.kind == "points":
        found = list(zip(*curve.data, strict=True))
        assert sorted(found) == sorted(finite)
        assert all(a[axis] <= b[axis] for a, b in pairwise(found))
    else:
        _check_buckets(curve, finite, axis)


def _check_buckets(curve: DrawnCurve, finite: list[Drawn], axis: int) -> None:
    buckets: dict[int, list[Drawn]] = defaultdict(list)
    for point in finite:
        buckets[point[axis] // curve.width].append(point)
    found = list(zip(*curve.data, strict=True))
    assert len(curve.data) == len(BUCKET_COLUMNS)
    assert len(found) == len(buckets) <= PLACES
    for row, (_, points) in zip(found, sorted(buckets.items()), strict=True):
        least, greatest, first, last = (row[at : at + 3] for at in range(0, 12, 3))
        assert {least, greatest, first, last} <= set(points)
        assert least[2] == min(point[2] for point in points)
        assert greatest[2] == max(point[2] for point in points)
        ranks = [(point[axis], point[1 - axis]) for point in points]
        assert (first[axis], first[1 - axis]) == min(ranks)
        assert (last[axis], last[1 - axis]) == max(ranks)


def _name(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
