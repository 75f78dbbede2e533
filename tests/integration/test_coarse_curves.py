"""Curves of which points have expired, against a plain recomputation of what the rollup keeps."""

import math
import uuid
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import given
from hypothesis import strategies as st

from runhistory.clickhouse.client import open_client
from runhistory.clickhouse.storages import FIRST_STORAGE
from runhistory.domain.ids import new_run_id
from runhistory.gateway.curve_body import encode_curves
from runhistory.query.curve_plan import LEAST, MOST, CurveName, grid_width
from runhistory.query.curves import load_drawn_curves
from runhistory.query.drawn import COARSE_COLUMNS, DrawnCurve, Range
from runhistory.query.sparklines import load_sparklines
from runhistory.sink.expiry import erase_expired, note_expiry
from tests.conftest import Engine
from tests.support.drawn_curves import (
    BATCHES,
    MANY,
    PLACES,
    STEPS,
    TIMES,
    check_drawn,
    rows_of,
)
from tests.support.landing import Row, insert
from tests.support.metric_views import Point, each_point

pytestmark = pytest.mark.infrastructure

MIDNIGHT = datetime(2026, 11, 24, tzinfo=UTC)
X = st.sampled_from(["step", "time"])


@pytest.fixture
def client(engine: Engine) -> Client:
    return open_client(engine.url)


def land(
    client: Client, workspace: str, rows: list[Row], old: set[int], again: list[int] | None = None
) -> None:
    """Store the messages, some again; those of the numbers in `old` expire."""
    for number, row in enumerate(rows):
        came = MIDNIGHT + timedelta(hours=-1 if number in old else 1)
        row["_t"] = int(came.timestamp() * 1_000)
    insert(client, "metrics_landing", rows)
    if repeated := [rows[number] for number in again or () if number < len(rows)]:
        insert(client, "metrics_landing", repeated)
    note_expiry(client, FIRST_STORAGE, workspace, MIDNIGHT)
    erase_expired(client, FIRST_STORAGE, workspace, MIDNIGHT)


class Oracle:
    """What a curve may be made of: stretches of the rollup, and the points that are left."""

    def __init__(self, rows: list[Row], old: set[int], choice: Any) -> None:
        self.choice = choice
        self.said = list(each_point(rows))
        self.left = list(each_point(row for n, row in enumerate(rows) if n not in old))
        self.first: dict[tuple[str, int], int] = {}
        for key, step, attempt, *_ in self.said:
            self.first[key, attempt] = min(step, self.first.get((key, attempt), step))

    def shown_to(self, key: str, attempt: int) -> int:
        """The last step that an attempt shows, by the choice."""
        later = [
            first for (of, other), first in self.first.items() if of == key and other > attempt
        ]
        return min(later, default=MOST + 1) - 1 if self.choice == "latest" else MOST

    def name(self, run_id: str, point: Point) -> CurveName | None:
        """The curve that shows a point."""
        key, step, attempt = point[:3]
        if self.choice not in ("latest", "all", attempt) or step > self.shown_to(key, attempt):
            return None
        return CurveName(run_id, key, attempt if self.choice == "all" else None)

    def points(self, run_id: str) -> dict[CurveName, list[Any]]:
        """The points that are left, by curve."""
        found: dict[CurveName, list[Any]] = defaultdict(list)
        for point in self.left:
            if name := self.name(run_id, point):
                found[name].append((point[1], point[6], point[7]))
        return found

    def stretches(self, run_id: str) -> dict[CurveName, list[tuple[list[Point], bool]]]:
        """The points of each 1,000 steps that are shown whole; and whether all seem to be left."""
        groups: dict[Any, list[Point]] = defaultdict(list)
        left: dict[Any, list[int]] = defaultdict(list)
        for point in self.said:
            groups[point[0], point[2], point[1] // 1_000].append(point)
        for point in self.left:
            left[point[0], point[2], point[1] // 1_000].append(point[1])
        found: dict[CurveName, list[tuple[list[Point], bool]]] = defaultdict(list)
        for group, points in groups.items():
            names = {self.name(run_id, point) for point in points}
            (name, *others) = names
            if name is None or others:
                continue
            steps = [point[1] for point in points]
            here = left[group]
            kept = bool(here) and (min(here), max(here)) == (min(steps), max(steps))
            found[name].append((points, kept))
        return found


def last_of(points: list[Point]) -> Point:
    """The last point of a stretch: step, time, value."""
    point = max(points, key=lambda point: (point[1], point[6], point[4], point[5]))
    return point[1], point[6], point[7]


def ends(points: list[Point], x: str) -> tuple[int, int]:
    """Where a stretch is on x, as far as the rollup knows."""
    step, time, _ = last_of(points)
    return (min(point[1] for point in points), step) if x == "step" else (time, time)


@MANY
@given(
    batches=BATCHES,
    old=st.sets(st.integers(0, 5)),
    again=st.lists(st.integers(0, 5), max_size=3),
    choice=st.sampled_from(["latest", "all", 1, 2]),
    x=X,
    bounds=st.none() | st.tuples(STEPS | TIMES, STEPS | TIMES).map(sorted),
)
def test_a_curve_that_lacks_points_is_drawn_of_the_rollup(
    client: Client,
    batches: list[Any],
    old: set[int],
    again: list[int],
    choice: Any,
    x: Any,
    bounds: Any,
) -> None:
    workspace, run_id = f"w{uuid.uuid4().hex}", new_run_id()
    rows = rows_of(workspace, run_id, batches)
    land(client, workspace, rows, old, again)
    low, high = bounds or (LEAST, MOST)

    drawn = load_drawn_curves(
        client,
        workspace=workspace,
        run_ids=[run_id],
        keys=["loss", "acc"],
        within=Range(x, low, high),
        points=PLACES,
        attempt=choice,
        share_grid=False,
    )

    oracle = Oracle(rows, old, choice)
    coarse = {
        name: [points for points, _ in within]
        for name, stretches in oracle.stretches(run_id).items()
        if (
            within := [
                (points, kept)
                for points, kept in stretches
                if ends(points, x)[0] <= high and ends(points, x)[1] >= low
            ]
        )
        and not all(kept for _, kept in within)
    }
    axis = ("step", "time").index(x)
    fine = {
        name: within
        for name, points in oracle.points(run_id).items()
        if name not in coarse
        and (within := [point for point in points if low <= point[axis] <= high])
    }
    assert {curve.name for curve in drawn if curve.kind == "coarse"} == set(coarse)
    assert {curve.name for curve in drawn if curve.kind != "coarse"} == set(fine)
    for curve in drawn:
        if curve.kind == "coarse":
            check_coarse(curve, coarse[curve.name], x)
        else:
            check_drawn(curve, fine[curve.name], axis)
    assert encode_curves(drawn, x)


def check_coarse(curve: DrawnCurve, stretches: list[list[Point]], x: str) -> None:
    """It is made of these, each by its extremes and its last point."""
    places = [ends(points, x) for points in stretches]
    assert (curve.first, curve.last) == (min(one[0] for one in places), max(e for _, e in places))
    assert curve.width == grid_width(curve.first, curve.last, PLACES)
    assert (curve.count, curve.special.count) == (None, 0)
    buckets: dict[int, list[list[Point]]] = defaultdict(list)
    for points in stretches:
        if any(math.isfinite(point[7]) for point in points):
            buckets[ends(points, x)[0] // curve.width].append(points)
    assert len(curve.data) == len(COARSE_COLUMNS)
    found = list(zip(*curve.data, strict=True))
    assert len(found) == len(buckets) <= PLACES
    for row, (_, parts) in zip(found, sorted(buckets.items()), strict=True):
        first_step, least, greatest, *last = row
        every = [point for points in parts for point in points]
        values = [point[7] for point in every if math.isfinite(point[7])]
        assert (least, greatest) == (min(values), max(values))
        assert first_step == min(point[1] for point in every)
        end = max(ends(points, x)[1] for points in parts)
        ending = [last_of(points) for points in parts if ends(points, x)[1] == end]
        assert repr(tuple(last)) in {repr(one) for one in ending}


def test_a_part_whose_points_are_left_is_drawn_of_them(client: Client) -> None:
    workspace, run_id = f"w{uuid.uuid4().hex}", new_run_id()
    batches = [
        (1, "a", [(1, step, step, float(step % 7)) for step in range(begin, begin + 1_000)])
        for begin in range(0, 5_000, 1_000)
    ]
    land(client, workspace, rows_of(workspace, run_id, batches), {0, 1})

    def drawn(low: int, high: int) -> DrawnCurve:
        (curve,) = load_drawn_curves(
            client,
            workspace=workspace,
            run_ids=[run_id],
            keys=["loss"],
            within=Range("step", low, high),
            points=PLACES,
        )
        return curve

    whole = drawn(LEAST, MOST)
    assert (whole.kind, whole.first, whole.last) == ("coarse", 0, 4_999)
    assert whole.data[COARSE_COLUMNS.index("max_value")] == [6.0] * 5
    assert whole.data[COARSE_COLUMNS.index("last_step")] == [999, 1_999, 2_999, 3_999, 4_999]
    assert drawn(0, 1_500).kind == "coarse"
    later = drawn(2_000, 4_500)
    assert (later.kind, later.count) == ("buckets", 2_501)
    assert drawn(2_990, 2_995).kind == "points"


def test_a_sparkline_outlives_its_points(client: Client) -> None:
    workspace, run_id = f"w{uuid.uuid4().hex}", new_run_id()
    points = [(1, step, step, float(step)) for step in range(1_500)]
    land(client, workspace, rows_of(workspace, run_id, [(1, "a", points)]), {0})
    lines = load_sparklines(client, workspace, "loss", {run_id: 1_500})
    assert list(lines[run_id].steps) == [0, 999, 1_000, 1_499]
    assert list(lines[run_id].values) == [0.0, 999.0, 1_000.0, 1_499.0]
