"""What a rebuild refuses, what it says of differences, and what it honours."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete
from clickhouse_connect.driver.client import Client

from runhistory.clickhouse import digests
from runhistory.clickhouse.client import open_client
from runhistory.clickhouse.migrations import migrate
from runhistory.clickhouse.storages import Storages, load_storages, save_storages
from runhistory.sink.expiry import Expirer, Retention
from runhistory.sink.generation import only_one
from runhistory.sink.rebuild import Outcome, Rebuild, Refused, Wish
from tests.conftest import Broker, Engine
from tests.support.service_process import ServiceProcess
from tests.support.sink_ledger import SinkLedger

pytestmark = pytest.mark.infrastructure


@pytest.fixture(scope="module")
def sink(
    broker: Broker, engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServiceProcess]:
    with ServiceProcess(
        "sink",
        tmp_path_factory.mktemp("sink") / "sink.log",
        RUNHISTORY_KAFKA=broker.bootstrap,
        RUNHISTORY_CLICKHOUSE=engine.url,
    ) as sink:
        sink.wait_ready()
        yield sink


@pytest.fixture
def client(engine: Engine) -> Client:
    return open_client(engine.url, "default")


async def test_a_damaged_table_is_named_and_mended_on_request(
    broker: Broker, engine: Engine, sink: ServiceProcess, client: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(digests, "ROUNDS", 2)
    ledger = SinkLedger(broker.bootstrap, engine.url)
    await ledger.produce(30)
    await ledger.wait_until_committed()
    before = load_storages(client).reading
    client.command(f"DELETE FROM {before}.points WHERE workspace = '{ledger.workspace}'")
    for _ in range(2):
        outcome = await _rebuild(broker, engine)
        assert outcome.done == "different"
        assert [one.table for one in outcome.tables if not one.same] == ["points"]
        assert load_storages(client) == Storages(before, (before,))
    outcome = await _rebuild(broker, engine, "switch even if different")
    assert outcome.done == "switched"
    ledger.check()
    await ledger.produce(10)
    await ledger.wait_until_committed()
    ledger.check()


async def test_expired_points_do_not_come_back_and_what_was_made_of_them_stays(
    broker: Broker, engine: Engine, sink: ServiceProcess, client: Client
) -> None:
    expired, kept = (SinkLedger(broker.bootstrap, engine.url) for _ in range(2))
    for ledger in (expired, kept):
        await ledger.produce(20)
        await ledger.wait_until_committed()
    expirer = Expirer(engine.url, Retention(of={expired.workspace: 1}))
    expirer.look(datetime.now(UTC))
    expired.check()  # a day has not gone by
    series = _series(client, expired.workspace)
    expirer.look(datetime.now(UTC) + timedelta(days=2))
    assert expired.seen() == 0
    outcome = await _rebuild(broker, engine)
    assert outcome.done == "switched"
    assert [one.table for one in outcome.tables if not one.same] == []
    assert expired.seen() == 0
    assert _series(client, expired.workspace) == series != []
    kept.check()


async def test_abandoned_nothing_of_it_is_left(
    broker: Broker, engine: Engine, sink: ServiceProcess, client: Client
) -> None:
    """As after a kill between two views: some read from what is thrown away."""
    ledger = SinkLedger(broker.bootstrap, engine.url)
    await ledger.produce(10)
    await ledger.wait_until_committed()
    before = load_storages(client).reading
    other = f"projection_{int(before.rpartition('_')[2]) + 1}"
    client.command(f"CREATE DATABASE {other}")
    client.command(f"CREATE TABLE {other}.points AS {before}.points")
    client.command(f"CREATE OR REPLACE VIEW runhistory.points AS SELECT * FROM {other}.points")
    save_storages(client, Storages(before, (before, other)))
    assert (await _rebuild(broker, engine, "abandon")).done == "abandoned"
    ledger.check()
    assert load_storages(client) == Storages(before, (before,))
    assert client.command(f"EXISTS DATABASE {other}") == 0
    assert (await _rebuild(broker, engine, "abandon")).done == "nothing"


async def test_what_a_killed_rebuild_of_another_version_left_is_made_anew(
    broker: Broker, engine: Engine, sink: ServiceProcess, client: Client
) -> None:
    """Its tables lack a migration, and the sink writes into them as far as they are there."""
    before = load_storages(client).reading
    other = f"projection_{int(before.rpartition('_')[2]) + 1}"
    client.command(f"CREATE DATABASE {other}")
    client.command(f"CREATE TABLE {other}.migrations AS {before}.migrations")
    assert (await _rebuild(broker, engine)).done == "switched"
    assert load_storages(client) == Storages(other, (other,))


async def test_tables_of_another_version_are_refused(
    broker: Broker, engine: Engine, client: Client
) -> None:
    storage = load_storages(client).reading
    newest = client.command(f"SELECT max(name) FROM {storage}.migrations")
    client.command(f"DELETE FROM {storage}.migrations WHERE name = '{newest}'")
    try:
        with pytest.raises(Refused, match="runhistory up"):
            await _rebuild(broker, engine)
    finally:
        migrate(engine.url)


async def test_two_at_once_are_refused(
    broker: Broker, engine: Engine, sink: ServiceProcess
) -> None:
    async with only_one(broker.bootstrap) as only:
        for wish in get_args(Wish):
            with pytest.raises(Refused, match="Another rebuild"):
                await _rebuild(broker, engine, wish)
        await only.check()


async def test_records_that_are_gone_are_refused_and_named(
    broker: Broker, engine: Engine, sink: ServiceProcess, tmp_path: Path
) -> None:
    """The last test of the file: after it nothing can be rebuilt here."""
    ledger = SinkLedger(broker.bootstrap, engine.url)
    await ledger.produce(10)
    await ledger.wait_until_committed()
    place = max(ledger.ends, key=lambda one: ledger.ends[one])
    await _rebuild(broker, engine, "abandon")
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    try:
        await admin.delete_records({place: RecordsToDelete(ledger.ends[place])})
    finally:
        await admin.close()
    with pytest.raises(Refused, match=f"gone from Kafka: {_begins(place, ledger)}"):
        await _rebuild(broker, engine)
    ledger.check()


def _series(client: Client, workspace: str) -> list[tuple[object, ...]]:
    return sorted(
        client.query(
            "SELECT * FROM runhistory.series WHERE workspace = {workspace:String}",
            parameters={"workspace": workspace},
        ).result_rows
    )


def _begins(place: TopicPartition, ledger: SinkLedger) -> str:
    return f"{place.topic}/{place.partition} begins at offset {ledger.ends[place]}"


async def _rebuild(broker: Broker, engine: Engine, wish: Wish = "switch") -> Outcome:
    return await Rebuild(broker.bootstrap, engine.url, lambda *_: None).run(wish)
