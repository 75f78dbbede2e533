"""Points that expire by Kafka's time: gone from `points`, kept in the rollup, batch by batch."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from runhistory.clickhouse.client import open_client
from runhistory.clickhouse.storages import FIRST_STORAGE
from runhistory.domain.ids import new_run_id
from runhistory.sink import expiry
from runhistory.sink.expiry import Expirer, Retention
from tests.conftest import Engine
from tests.support.landing import insert, metric_row

pytestmark = pytest.mark.infrastructure

TODAY = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def client(engine: Engine) -> Client:
    return open_client(engine.url)


@pytest.fixture
def workspace() -> str:
    return f"w{uuid.uuid4().hex}"


def test_a_batch_expires_by_when_kafka_took_it_in_whatever_its_clock_said(
    client: Client, engine: Engine, workspace: str
) -> None:
    other, run_id = f"{workspace}-other", new_run_id()
    for name in (workspace, other):
        for seq, days in enumerate((10, 5, 1)):
            _land(client, name, run_id, seq, TODAY - timedelta(days=days))
    expirer = Expirer(engine.url, Retention(of={workspace: 7}))
    expirer.look(TODAY)
    assert _seqs(client, workspace) == {1, 2}
    assert _seqs(client, other) == {0, 1, 2}
    assert _expired(client)[workspace] == datetime(2026, 11, 17, tzinfo=UTC)
    assert other not in _expired(client)
    assert _first_steps(client, workspace) == [0], "what was made of them stays"
    expirer.look(TODAY + timedelta(days=4))
    assert _seqs(client, workspace) == {2}
    assert _first_steps(client, workspace) == [0]
    assert len(_batches(client, workspace)) == 3


def test_a_batch_that_came_again_later_is_as_old_as_it_was_first(
    client: Client, engine: Engine, workspace: str
) -> None:
    run_id = new_run_id()
    for days in (10, 1):
        _land(client, workspace, run_id, 0, TODAY - timedelta(days=days))
    Expirer(engine.url, Retention(7)).look(TODAY)
    assert _seqs(client, workspace) == set()


def test_killed_before_the_rows_went_they_go_at_the_next_start(
    client: Client, engine: Engine, workspace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(Exception):
        """Stands for kill -9."""

    def die(*_: Any) -> bool:
        raise Killed

    _land(client, workspace, new_run_id(), 0, TODAY - timedelta(days=10))
    with monkeypatch.context() as patch:
        patch.setattr(expiry, "erase_expired", die)
        with pytest.raises(Killed):
            Expirer(engine.url, Retention(of={workspace: 7})).look(TODAY)
    assert workspace in _expired(client)
    Expirer(engine.url, Retention(of={workspace: 7})).look(TODAY)
    assert _seqs(client, workspace) == set()


def _land(client: Client, workspace: str, run_id: str, seq: int, came: datetime) -> None:
    """A batch whose client believes that it is 1970, or 2100."""
    batch = {
        "writer": "w",
        "seq": seq,
        "keys": ["loss"],
        "key_index": [1, 1],
        "steps": [2 * seq, 2 * seq + 1],
        "values": [0.5, 0.25],
        "times": [0, 4_102_444_800_000_000],
    }
    row = metric_row(workspace, run_id, batch) | {"_t": int(came.timestamp() * 1000)}
    insert(client, "metrics_landing", [row])


def _seqs(client: Client, workspace: str) -> set[int]:
    return {int(row[0]) for row in _rows(client, "SELECT seq FROM points", workspace)}


def _first_steps(client: Client, workspace: str) -> list[int]:
    return [int(row[0]) for row in _rows(client, "SELECT first_step FROM series", workspace)]


def _batches(client: Client, workspace: str) -> list[tuple[Any, ...]]:
    return _rows(client, "SELECT seq FROM batches", workspace)


def _rows(client: Client, select: str, workspace: str) -> list[tuple[Any, ...]]:
    found = client.query(
        f"{select} WHERE workspace = {{workspace:String}}", parameters={"workspace": workspace}
    )
    return [tuple(row) for row in found.result_rows]


def _expired(client: Client) -> dict[str, datetime]:
    rows = client.query(
        f"SELECT workspace, toUnixTimestamp64Milli(before) FROM {FIRST_STORAGE}.expiries"
    )
    return {name: datetime.fromtimestamp(time / 1000, UTC) for name, time in rows.result_rows}
