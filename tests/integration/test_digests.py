"""Digests of storage databases: equal for the same facts in any order, and different otherwise."""

import random
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from runhistory.clickhouse import digests
from runhistory.clickhouse.client import open_client
from runhistory.clickhouse.digests import compare, digest, load_tables
from runhistory.clickhouse.migrations import make_storage
from runhistory.domain.commands import CompleteRun, CreateRun, DeleteRun, FailRun, SetTags, StartRun
from runhistory.domain.ids import new_run_id
from runhistory.domain.values import RunContent, RunError
from tests.conftest import Engine
from tests.support.landing import History, Row, insert, log_row, metric_row, record_row

pytestmark = pytest.mark.infrastructure

Landed = tuple[str, Row]


@pytest.fixture
def client(engine: Engine) -> Client:
    return open_client(engine.url, "default")


@pytest.fixture
def storages(client: Client) -> Iterator[tuple[str, str]]:
    """Two storage databases of a test's own."""
    names = (f"digests_{uuid.uuid4().hex}", f"digests_{uuid.uuid4().hex}")
    for name in names:
        make_storage(client, name)
    yield names
    for name in names:
        client.command(f"DROP DATABASE {name} SYNC")


def test_the_same_facts_in_any_order_and_repeated_have_one_digest(
    client: Client, storages: tuple[str, str]
) -> None:
    rows = _history(deleted=False)
    _land(client, storages[0], [rows])
    shuffled = random.Random(1).sample(rows, len(rows))
    _land(client, storages[1], [shuffled[:7], shuffled[3:], rows[:5]])
    assert digest(client, storages[0]) == digest(client, storages[1])
    assert _different(client, storages) == {}
    filled = {name for name, one in digest(client, storages[0]).items() if one.rows}
    assert filled >= {"points", "rollup", "batches", "log_lines", "records", "events", "runs"}


@pytest.mark.parametrize("lost", ["metrics_landing", "logs_landing", "records_landing"])
def test_a_lost_message_shows_and_names_its_run(
    client: Client,
    storages: tuple[str, str],
    lost: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(digests, "ROUNDS", 2)
    rows = _history(deleted=False)
    _land(client, storages[0], [rows])
    missing = next(row for row in rows if row[0] == lost)
    _land(client, storages[1], [[row for row in rows if row is not missing]])
    different = _different(client, storages)
    assert different
    assert {id for ids in different.values() for id in ids} == {missing[1]["run_id"]}


def test_another_value_shows(
    client: Client, storages: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "ROUNDS", 2)
    rows = _history(deleted=False)
    _land(client, storages[0], [rows])
    table, row = next(row for row in rows if row[0] == "metrics_landing")
    other = (table, {**row, "values": [*row["values"][:-1], 17.0]})
    _land(client, storages[1], [[other if one[1] is row else one for one in rows]])
    assert set(_different(client, storages)) == {"points", "rollup", "batches"}


def test_deleted_runs_count_as_erased_whether_they_are_or_not(
    client: Client, storages: tuple[str, str]
) -> None:
    rows = _history(deleted=True)
    gone = rows[-1][1]["data"]  # the deletion is the last event of all
    _land(client, storages[0], [rows])
    erased = [row for row in rows if row[0] == "events_landing" or row[1]["run_id"] not in gone]
    _land(client, storages[1], [erased])
    assert len(erased) < len(rows)
    assert _different(client, storages) == {}


def test_what_is_written_meanwhile_is_no_difference(
    client: Client, storages: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other side has it a little later: by the time of the second look."""
    rows = _history(deleted=False)
    _land(client, storages[0], [rows])
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        _land(client, storages[1], [rows])

    monkeypatch.setattr(digests.time, "sleep", sleep)
    assert _different(client, storages) == {}
    assert waits


def _different(client: Client, storages: tuple[str, str]) -> dict[str, tuple[str, ...]]:
    found = [compare(client, *storages, table) for table in load_tables(client, storages[0])]
    return {one.table: one.different for one in found if not one.same}


def _history(*, deleted: bool) -> list[Landed]:
    """Everything that two runs say; the second of them is deleted afterwards, if need be."""
    return [row for number in range(2) for row in _run(deleted=deleted and number == 1)]


def _run(*, deleted: bool) -> Iterator[Landed]:
    run_id = new_run_id()
    envelope: dict[str, Any] = {"workspace": "w", "run_id": run_id}
    content = RunContent(experiment="e", type="interactive", tags={"a": "1"})
    failed = FailRun(**envelope, command_id="4", error=RunError(code="x", message="y"))
    history = History().apply(
        CreateRun(**envelope, command_id="1", content=content),
        StartRun(**envelope, command_id="2"),
        SetTags(**envelope, command_id="3", tags={"a": "2", "b": ""}),
        failed if deleted else CompleteRun(**envelope, command_id="4"),
    )
    for seq in range(3):
        yield "metrics_landing", metric_row("w", run_id, _batch(seq), attempt=1 + seq // 2)
    yield "logs_landing", log_row("w", run_id, 0, [("stdout", "a"), ("stderr", "b")])
    yield "records_landing", record_row("w", run_id, 0, [{"key": "k", "value": '{"a":1}'}])
    if deleted:
        history.apply(DeleteRun(**envelope, command_id="5"))
    for row in history.rows:
        yield "events_landing", row


def _batch(seq: int) -> dict[str, Any]:
    return {
        "writer": "w",
        "seq": seq,
        "keys": ["loss", "acc"],
        "key_index": [1, 2, 1],
        "steps": [seq, seq, 1_500 + seq],
        "values": [0.5 + seq, "NaN", "-Infinity"],
        "times": [1_764_000_000_000_000 + seq] * 3,
    }


def _land(client: Client, storage: str, inserts: list[list[Landed]]) -> None:
    """Each list is an INSERT for each of its tables."""
    for rows in inserts:
        for table in sorted({table for table, _ in rows}):
            insert(client, table, [row for name, row in rows if name == table], storage)
