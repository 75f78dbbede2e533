"""Views of compute and of offsets against a plain recomputation; and that no view goes without."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from runhistory.clickhouse.client import open_client
from runhistory.clickhouse.storages import FIRST_STORAGE
from runhistory.domain.commands import (
    Command,
    CreateComputeTarget,
    CreateRun,
    DeleteComputeTarget,
    UpdateComputeTarget,
)
from runhistory.domain.ids import compute_target_id, new_run_id
from runhistory.domain.state import ComputeTarget
from runhistory.domain.values import NodePool, RunContent
from runhistory.query.sql_views import FOR_SERVICES, readable_views
from tests.conftest import Engine
from tests.integration.test_views import EVENT_VIEWS
from tests.support import metric_views
from tests.support.landing import History, Row, insert, next_offset

pytestmark = pytest.mark.infrastructure

MANY = settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
RECOMPUTED = {
    *metric_views.VIEWS,  # test_metric_views.py
    *EVENT_VIEWS,  # test_views.py, as the next two
    *("log_lines", "records"),
    *("compute_targets", "nodes", "event_offsets", "expiries"),  # here
}
START = datetime(2026, 11, 23, 12, tzinfo=UTC)
SAID = {"node.started.v1": "Starting", "node.ready.v1": "Ready", "node.lost.v1": "Lost"}


@pytest.fixture
def client(engine: Engine) -> Client:
    return open_client(engine.url)


def test_every_view_is_recomputed_somewhere() -> None:
    assert readable_views() | FOR_SERVICES == RECOMPUTED


def _insert_repeated(client: Client, table: str, rows: list[Row], data: st.DataObject) -> None:
    """Each at least once, some twice, in any order, in two INSERTs."""
    order = data.draw(st.permutations(rows + data.draw(st.lists(st.sampled_from(rows)))))
    cut = data.draw(st.integers(0, len(order)))
    for part in filter(None, (order[:cut], order[cut:])):
        insert(client, table, part)


def _node_event(workspace: str, type: str, node: str, life: int, seconds: int) -> Row:
    return {
        "_p": 0,
        "_o": next_offset(),
        "_t": 0,
        "type": type,
        "workspace": workspace,
        "target_id": "1" * 32,
        "compute_target": "pool",
        "node": node,
        "worker_id": f"worker of {node}",
        "life": life,
        "slots": life,
        "time": (START + timedelta(seconds=seconds)).isoformat(),
        "message": "gone" if type == "node.lost.v1" else "",
    }


@MANY
@given(
    lives=st.lists(
        st.tuples(
            st.sampled_from(["a", "b"]),
            st.lists(st.sampled_from(["node.ready.v1"]), max_size=1),
            st.lists(st.sampled_from(["node.lost.v1", "node.released.v1"]), max_size=1),
        ),
        min_size=1,
        max_size=5,
    ),
    data=st.data(),
)
def test_a_node_is_what_its_newest_life_said_last(
    client: Client, lives: list[tuple[str, list[str], list[str]]], data: st.DataObject
) -> None:
    workspace = f"w{uuid.uuid4().hex}"
    rows: list[Row] = []
    last: dict[str, Row] = {}
    for node, ready, end in lives:
        life = last[node]["life"] + 1 if node in last else 1
        for type in ["node.started.v1", *ready, *end]:
            last[node] = _node_event(workspace, type, node, life, len(rows))
            rows.append(last[node])
    _insert_repeated(client, "nodes_landing", rows, data)
    expected = sorted(
        (
            *(node, SAID.get(row["type"], "Released"), datetime.fromisoformat(row["time"])),
            *(row["life"], row["slots"], row["message"], row["worker_id"]),
        )
        for node, row in last.items()
    )
    sql = "SELECT node, status, since, life, slots, message, worker_id FROM runhistory.nodes"
    for _ in range(2):
        found = client.query(f"{sql} WHERE workspace = '{workspace}'", tz_mode="aware")
        assert sorted(map(tuple, found.result_rows)) == expected
        client.command(f"OPTIMIZE TABLE {FIRST_STORAGE}.nodes FINAL")


@MANY
@given(data=st.data())
def test_compute_targets_are_what_the_domain_folds(client: Client, data: st.DataObject) -> None:
    workspace = f"w{uuid.uuid4().hex}"
    target_id = compute_target_id(workspace, "pool")
    own: dict[str, Any] = {"workspace": workspace, "run_id": target_id, "name": "pool"}
    pools = st.builds(NodePool, max_nodes=st.integers(1, 3), slots=st.integers(1, 1_024))
    makers = [
        lambda: CreateComputeTarget(**own, command_id=uuid.uuid4().hex, pool=data.draw(pools)),
        lambda: UpdateComputeTarget(**own, command_id=uuid.uuid4().hex, pool=data.draw(pools)),
        lambda: DeleteComputeTarget(**own, command_id=uuid.uuid4().hex),
    ]
    chosen = data.draw(st.lists(st.sampled_from(makers), max_size=6))
    commands: list[Command] = [makers[0](), *(make() for make in chosen)]
    history = History(START).attempt(*commands)
    _insert_repeated(client, "events_landing", history.rows, data)
    target = history.state
    assert isinstance(target, ComputeTarget)
    pool = target.pool
    fields = (pool.min_nodes, pool.max_nodes, pool.idle_seconds, pool.slots)
    updated = datetime.fromisoformat(history.rows[-1]["time"])
    expected = [] if target.is_deleted else [("pool", *fields, target_id, updated)]
    columns = "name, min_nodes, max_nodes, idle_seconds, slots, target_id, updated"
    sql = f"SELECT {columns} FROM runhistory.compute_targets WHERE workspace = '{workspace}'"
    for _ in range(2):
        found = client.query(sql, tz_mode="aware").result_rows
        assert [tuple(row) for row in found] == expected
        client.command(f"OPTIMIZE TABLE {FIRST_STORAGE}.compute_targets FINAL")


@MANY
@given(partitions=st.lists(st.integers(0, 3), min_size=1, max_size=6), data=st.data())
def test_offsets_are_those_behind_the_last_event_of_each_partition(
    client: Client, partitions: list[int], data: st.DataObject
) -> None:
    base = 1_000 + uuid.uuid4().int % 2**30 * 4  # of nobody else
    content = RunContent(type="interactive", experiment="e")
    rows: list[Row] = []
    for partition in partitions:
        own = {"workspace": "offsets", "run_id": new_run_id(), "command_id": uuid.uuid4().hex}
        (row,) = History().apply(CreateRun(**own, content=content)).rows
        rows.append({**row, "_p": base + partition})
    _insert_repeated(client, "events_landing", rows, data)
    expected: dict[int, int] = {}
    for row in rows:
        expected[row["_p"]] = max(row["_o"] + 1, expected.get(row["_p"], 0))
    sql = "SELECT partition, next_offset FROM runhistory.event_offsets"
    for _ in range(2):
        found = client.query(f"{sql} WHERE partition BETWEEN {base} AND {base + 3}").result_rows
        assert dict(found) == expected
        client.command(f"OPTIMIZE TABLE {FIRST_STORAGE}.events FINAL")


@MANY
@given(times=st.lists(st.integers(0, 2**40), min_size=1, max_size=5), data=st.data())
def test_points_have_expired_up_to_the_latest_time_that_was_said(
    client: Client, times: list[int], data: st.DataObject
) -> None:
    workspace = f"w{uuid.uuid4().hex}"
    moments = [datetime.fromtimestamp(time // 1_000, UTC) for time in times]
    rows: list[Row] = [
        {"workspace": workspace, "before": f"{moment:%Y-%m-%d %H:%M:%S}.{time % 1_000:03}"}
        for moment, time in zip(moments, times, strict=True)
    ]
    _insert_repeated(client, "expiries", rows, data)
    sql = "SELECT toUnixTimestamp64Milli(before) FROM runhistory.expiries"
    for _ in range(2):
        found = client.query(f"{sql} WHERE workspace = '{workspace}'").result_rows
        assert found == [(max(times),)]
        client.command(f"OPTIMIZE TABLE {FIRST_STORAGE}.expiries FINAL")
