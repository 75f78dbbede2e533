"""Curves for drawing against a plain recomputation: repetitions, attempts, points without order."""

import struct
import uuid
from typing import Any

import orjson
import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import given
from hypothesis import strategies as st

from runhistory.clickhouse.client import open_client
from runhistory.domain.ids import new_run_id
from runhistory.gateway.curve_body import encode_curves
from runhistory.query.curve_plan import LEAST, MOST, grid_width
from runhistory.query.curves import load_drawn_curves
from runhistory.query.drawn import Range
from tests.conftest import Engine
from tests.support.drawn_curves import (
    BATCHES,
    MANY,
    PLACES,
    STEPS,
    TIMES,
    check_drawn,
    points_of_curves,
    rows_of,
)
from tests.support.landing import insert

pytestmark = pytest.mark.infrastructure


@pytest.fixture
def client(engine: Engine) -> Client:
    return open_client(engine.url)


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
        for name, points in points_of_curves(rows, choice).items()
        if (within := [point for point in points if low <= point[axis] <= high])
    }
    assert [curve.name for curve in drawn] == sorted(
        due, key=lambda name: (name.key, name.attempt or 0)
    )
    for curve in drawn:
        sharing = due.values() if share_grid else [due[curve.name]]
        places = [point[axis] for points in sharing for point in points]
        assert curve.width == grid_width(min(places), max(places), PLACES)
        check_drawn(curve, due[curve.name], axis)


def test_many_special_points_are_told_by_their_first(client: Client) -> None:
    workspace, run_id = f"w{uuid.uuid4().hex}", new_run_id()
    points = [(1, step, step, "NaN") for step in range(1_500)]
    insert(client, "metrics_landing", rows_of(workspace, run_id, [(1, "a", points)]))
    drawn = load_drawn_curves(client, workspace=workspace, run_ids=[run_id], keys=["loss"])
    (curve,) = drawn
    assert (curve.count, curve.kind, list(curve.data)) == (0, "buckets", [[]] * 12)
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
