"""Curves for drawing against a plain recomputation: repetitions, attempts, points without order."""

import math
import struct
import uuid
from collections import defaultdict
from itertools import pairwise
from typing import Any

import orjson
import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from runhistory.clickhouse.client import open_client
from runhistory.domain.ids import new_run_id
from runhistory.gateway.curve_body import encode_curves
from runhistory.query.curve_plan import LEAST, MOST, CurveName, grid_width
from runhistory.query.curves import load_drawn_curves
from runhistory.query.drawn import BUCKET_COLUMNS, DrawnCurve, Range
from tests.conftest import Engine
from tests.support.landing import Row, insert, metric_row
from tests.support.metric_views import Point, kept_points, latest

pytestmark = pytest.mark.infrastructure

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


@pytest.fixture
def client(engine: Engine) -> Client:
    return open_client(engine.url)


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


def expected(rows: list[Row], choice: Any) -> dict[CurveName, list[Drawn]]:
    points: list[Point] = kept_points(rows)
    if choice == "latest":
        points = latest(points)
    found: dict[CurveName, list[Drawn]] = defaultdict(list)
    for key, step, attempt, _, _, _, time, value in points:
        if choice in ("latest", "all", attempt):
            name = CurveName(rows[0]["run_id"], key, attempt if choice == "all" else None)
            found[name].append((step, time, value))
    return found


@MANY
@given(
    batches=BATCHES,
    again=st.lists(st.integers(0, 5), max_size=3),
    choice=st.sampled_from(["latest", "all", 1, 2]),
    x=st.sampled_from(["step", "time"]),
    share_grid=st.booleans(),
    bounds=st.none() | st.tuples(STEPS | TIMES, STEPS | TIMES).map(sorted),
)
def test_a_drawn_curve_is_what_plain_python_draws(
    client: Client,
    batches: list[Any],
    again: list[int],
    choice: Any,
    x: Any,
    share_grid: bool,
    bounds: Any,
) -> None:
    workspace, run_id = f"w{uuid.uuid4().hex}", new_run_id()
    rows = rows_of(workspace, run_id, batches)
    insert(client, "metrics_landing", rows[::-1])
    if repeated := [rows[number] for number in again if number < len(rows)]:
        insert(client, "metrics_landing", repeated)
    low, high = bounds or (LEAST, MOST)

    drawn = load_drawn_curves(
        client,
        workspace=workspace,
        run_ids=[run_id],
        keys=["loss", "acc", "none"],
        within=Range(x, low, high),
        points=PLACES,
        attempt=choice,
        share_grid=share_grid,
    )

    axis = ("step", "time").index(x)
    due = {
        name: within
        for name, points in expected(rows, choice).items()
        if (within := [point for point in points if low <= point[axis] <= high])
    }
    assert [curve.name for curve in drawn] == sorted(
        due, key=lambda name: (name.key, name.attempt or 0)
    )
    for curve in drawn:
        sharing = due.values() if share_grid else [due[curve.name]]
        places = [point[axis] for points in sharing for point in points]
        assert curve.width == grid_width(min(places), max(places), PLACES)
        _check(curve, due[curve.name], axis)


def _check(curve: DrawnCurve, points: list[Drawn], axis: int) -> None:
    finite = [point for point in points if math.isfinite(point[2])]
    special = [point for point in points if not math.isfinite(point[2])]
    places = [point[axis] for point in points]
    assert curve.count == len(finite)
    assert (curve.first, curve.last) == (min(places), max(places))
    told = list(zip(curve.special.steps, curve.special.times, curve.special.values, strict=True))
    assert curve.special.count == len(special)
    assert sorted(map(repr, told)) == sorted(repr((s, t, _name(v))) for s, t, v in special)
    assert curve.is_whole == (len(points) <= PLACES)
    if curve.is_whole:
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


def test_many_special_points_are_told_by_their_first(client: Client) -> None:
    workspace, run_id = f"w{uuid.uuid4().hex}", new_run_id()
    points = [(1, step, step, "NaN") for step in range(1_500)]
    insert(client, "metrics_landing", rows_of(workspace, run_id, [(1, "a", points)]))
    drawn = load_drawn_curves(client, workspace=workspace, run_ids=[run_id], keys=["loss"])
    (curve,) = drawn
    assert (curve.count, curve.is_whole, list(curve.data)) == (0, False, [[]] * 12)
    assert curve.special.count == 1_500
    assert list(curve.special.steps) == list(range(1_000))
    assert encode_curves(drawn, "step")


def test_the_bytes_say_where_each_column_is(client: Client) -> None:
    workspace, run_id = f"w{uuid.uuid4().hex}", new_run_id()
    points = [(1, step, step * 10, step / 2) for step in range(50)] + [(2, 7, 70, 0.5)]
    insert(client, "metrics_landing", rows_of(workspace, run_id, [(1, "a", points)]))
    drawn = load_drawn_curves(
        client, workspace=workspace, run_ids=[run_id], keys=["loss", "acc"], points=PLACES
    )
    header, columns = decode(encode_curves(drawn, "step"))
    assert [curve["kind"] for curve in header["curves"]] == ["points", "buckets"]
    assert columns[0] == {"step": [7.0], "time": [70.0], "value": [0.5]}
    assert header["width"] == 10
    assert columns[1]["max_value"] == columns[1]["last_value"] == [4.5, 9.5, 14.5, 19.5, 24.5]
    assert columns[1]["first_time"] == [0.0, 100.0, 200.0, 300.0, 400.0]


def decode(body: bytes) -> tuple[dict[str, Any], list[dict[str, list[float]]]]:
    """The header and each curve's columns, as a page reads them."""
    length = int.from_bytes(body[:4], "little")
    header = orjson.loads(body[4 : 4 + length])
    assert (4 + length) % 8 == 0
    numbers = struct.unpack(f"<{(len(body) - 4 - length) // 8}d", body[4 + length :])
    return header, [
        {
            name: list(numbers[curve["at"] + c * curve["rows"] :][: curve["rows"]])
            for c, name in enumerate(curve["columns"])
        }
        for curve in header["curves"]
    ]
