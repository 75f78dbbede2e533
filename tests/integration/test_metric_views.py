"""The views of metrics against a plain recomputation, whatever the sink repeats, in any order.

Batches of several writers and attempts are inserted in several INSERTs, some of them twice; every
view has to show what Python makes of the distinct ones, before and after the engine has merged.
"""

import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from runhistory.clickhouse.client import open_client
from runhistory.clickhouse.storages import FIRST_STORAGE
from runhistory.domain.ids import new_run_id
from runhistory.query.metrics import load_curves, load_summaries
from tests.conftest import Engine
from tests.support.landing import Row, insert, metric_row, next_offset
from tests.support.metric_views import Point, expected_views, kept_points, latest, read_views

pytestmark = pytest.mark.infrastructure

MANY = settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink on an engine takes minutes
)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
ODD = st.sampled_from([-0.0, 0.0, 5e-324, "NaN", "Infinity", "-Infinity"])
VALUES = st.one_of(FINITE, st.integers(-(2**53), 2**53).map(float), ODD)
STEPS = st.one_of(
    st.integers(-3, 3),
    st.integers(-2_001, 2_001),
    st.integers(-3, 3).map(lambda near: 1_000 + near),
    st.sampled_from([-(2**63), 1 - 2**63, 2**63 - 2, 2**63 - 1]),
)
KEYS = st.sampled_from(["loss", "val/ü", "a \"b'c\\"])
TABLES = ("points", "rollup", "batches")


@pytest.fixture
def client(engine: Engine) -> Client:
    return open_client(engine.url)


def _batch(attempt: int, writer: str, seq: int, points: list[Any]) -> Row:
    keys = sorted({key for key, *_ in points})
    return {
        "attempt": attempt,
        "writer": writer,
        "seq": seq,
        "keys": keys,
        "key_index": [keys.index(key) + 1 for key, *_ in points],
        "steps": [step for _, step, _, _ in points],
        "values": [value for _, _, value, _ in points],
        "times": [time for *_, time in points],
    }


@st.composite
def batches(draw: st.DrawFn, *, changed: bool = False) -> list[Row]:
    """Batches of two writers and three attempts; `changed`: some numbers have several contents."""
    place = st.tuples(st.integers(1, 3), st.sampled_from(["w0", "w1"]), st.integers(0, 3))
    places = draw(st.lists(place, min_size=1, max_size=8, unique=not changed))
    points = st.lists(st.tuples(KEYS, STEPS, VALUES, st.integers(0, 2**40)), min_size=1, max_size=8)
    return [_batch(*place, draw(points)) for place in places]


RESUMED = [
    _batch(1, "w0", 0, [("loss", step, float(step), 0) for step in (0, 998, 1_400, 1_600, 2_100)]),
    _batch(2, "w0", 0, [("loss", step, -1.0, step) for step in (1_500, 1_700)]),
    _batch(3, "w0", 0, [("loss", 1_600, "NaN", 9)]),
]
"""Attempts that begin in the middle of a bucket, and one that ends before its predecessor did."""


def _messages(workspace: str, run_id: str, batches: list[Row]) -> list[Row]:
    return [metric_row(workspace, run_id, batch, batch["attempt"]) for batch in batches]


def _repeated(rows: list[Row], data: Any) -> Iterator[list[Row]]:
    """All rows at least once, in any order, in several INSERTs, some again at a later offset."""
    again = data.draw(st.lists(st.sampled_from(rows), max_size=len(rows)))
    retries = [{**row, "_o": next_offset()} for row in again]
    order = data.draw(st.permutations(rows + again[: len(again) // 2] + retries))
    while order:
        size = data.draw(st.integers(1, len(order)))
        yield order[:size]
        order = order[size:]


def _merge(client: Client) -> None:
    for table in TABLES:
        client.command(f"OPTIMIZE TABLE {FIRST_STORAGE}.{table} FINAL")


def _expect_views(client: Client, workspace: str, run_id: str, rows: list[Row]) -> None:
    """All views, then those of one key alone: a filter reaches through to the tables."""
    expected = expected_views(rows)
    shown = read_views(client, workspace)
    for view, found in expected.items():
        assert shown[view] == found, view
    key = rows[0]["keys"][0]
    of_key = {
        view: [point for point in found if point[0] == key]
        for view, found in expected.items()
        if view != "batches"
    }
    shown = read_views(client, workspace, run_id, key)
    for view, found in of_key.items():
        assert shown[view] == found, view


def _expect_reads(client: Client, workspace: str, run_id: str, rows: list[Row]) -> None:
    """The curves and summaries that the gateway gives, for every choice of attempts."""
    own: Any = {"workspace": workspace, "run_id": run_id}
    kept = kept_points(rows)
    chosen: dict[Any, list[Point]] = {"latest": latest(kept), "all": kept}
    chosen |= {number: [point for point in kept if point[2] == number] for number in (1, 2)}
    for attempt, points in chosen.items():
        curves = load_curves(client, **own, attempt=attempt)
        shown = [
            (curve.key, step, number, writer, time, repr(float(value)))
            for curve in curves
            for step, number, writer, time, value in zip(
                curve.steps, curve.attempts, curve.writers, curve.times, curve.values, strict=True
            )
        ]
        due = [
            (key, step, number, w, time, repr(value))
            for key, step, number, w, _, _, time, value in points
        ]
        assert sorted(shown) == sorted(due), attempt
        assert all(list(curve.steps) == sorted(curve.steps) for curve in curves), attempt
        counts = Counter((p[0], p[2] if attempt == "all" else None) for p in points)
        summaries = load_summaries(client, **own, attempt=attempt)
        assert {(one.key, one.attempt): one.count for one in summaries} == counts, attempt


@MANY
@given(batches=batches(), data=st.data())
def test_every_view_is_what_python_makes_of_the_batches(
    client: Client, batches: list[Row], data: st.DataObject
) -> None:
    workspace, run_id = f"w{uuid.uuid4().hex}", new_run_id()
    rows = _messages(workspace, run_id, batches)
    for chunk in _repeated(rows, data):
        insert(client, "metrics_landing", chunk)
    _expect_views(client, workspace, run_id, rows)
    _expect_reads(client, workspace, run_id, rows)
    _merge(client)
    _expect_views(client, workspace, run_id, rows)
    _expect_reads(client, workspace, run_id, rows)


@MANY
@given(batches=batches(changed=True), data=st.data())
def test_of_several_contents_under_one_number_the_first_is_shown(
    client: Client, batches: list[Row], data: st.DataObject
) -> None:
    """The rollup holds them all; what is made of it together with points is not compared."""
    workspace, run_id = f"w{uuid.uuid4().hex}", new_run_id()
    rows = _messages(workspace, run_id, batches)
    for chunk in _repeated(rows, data):
        insert(client, "metrics_landing", chunk)
    expected = expected_views(rows)
    for _ in range(2):
        shown = read_views(client, workspace)
        for view in ("points", "rollup", "series", "batches", "latest_points"):
            assert shown[view] == expected[view], view
        _expect_reads(client, workspace, run_id, rows)
        _merge(client)


def test_attempts_that_begin_in_the_middle_of_a_bucket(client: Client) -> None:
    workspace, run_id = f"w{uuid.uuid4().hex}", new_run_id()
    rows = _messages(workspace, run_id, RESUMED)
    for row in (*rows, *reversed(rows)):
        insert(client, "metrics_landing", [row])
    _expect_views(client, workspace, run_id, rows)
    sql = "SELECT bucket, min, max, isNaN(last), last_step FROM runhistory.latest_rollup"
    shown = client.query(f"{sql} WHERE workspace = '{workspace}' ORDER BY bucket").result_rows
    assert shown == [(0, 0.0, 998.0, False, 998), (1, -1.0, 1_400.0, True, 1_600)]


def test_a_key_that_a_batch_names_twice_is_one_key(client: Client) -> None:
    """Its points lie in one row, so neither replaces the other."""
    workspace, run_id = f"views-{uuid.uuid4().hex}", new_run_id()
    twice: Row = {
        "attempt": 1,
        "writer": "w",
        "seq": 0,
        "keys": ["loss", "accuracy", "loss"],
        "key_index": [1, 2, 3, 1, 3],
        "steps": [0, 0, 1, 2, 1_000],
        "values": [0.0, 1.0, 2.0, 3.0, 4.0],
        "times": [0, 1, 2, 3, 4],
    }
    rows = _messages(workspace, run_id, [twice])
    insert(client, "metrics_landing", rows)
    _expect_views(client, workspace, run_id, rows)
