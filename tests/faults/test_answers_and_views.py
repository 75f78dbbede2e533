"""Faults between sink and ClickHouse, and clients that say things twice, under the one oracle."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from runhistory.clickhouse.client import open_client
from runhistory.clickhouse.storages import load_storages
from runhistory.query.ingestion import load_ingestion
from tests.conftest import Broker, Engine
from tests.support.fault_ledger import POINTS, Name, content
from tests.support.fault_oracle import judge, read_log
from tests.support.fault_records import FaultRecords
from tests.support.lossy_engine import lossy_engine
from tests.support.metric_views import expected_views, read_views
from tests.support.readiness import reason_not_ready
from tests.support.service_process import ServiceProcess

pytestmark = pytest.mark.infrastructure


def a_sink(broker: Broker, clickhouse: str, log: Path, instance: str = "faults") -> ServiceProcess:
    return ServiceProcess(
        "sink",
        log,
        RUNHISTORY_KAFKA=broker.bootstrap,
        RUNHISTORY_CLICKHOUSE=clickhouse,
        RUNHISTORY_INSTANCE=instance,
    )


@pytest.fixture
def client(engine: Engine) -> Iterator[Client]:
    client = open_client(engine.url)
    yield client
    client.close()


@pytest.fixture
def records(broker: Broker, engine: Engine, tmp_path: Path) -> FaultRecords:
    return FaultRecords(broker, engine, tmp_path / "ledger")


async def test_the_oracle_sees_what_is_lost_invented_and_changed(
    broker: Broker, engine: Engine, records: FaultRecords, tmp_path: Path
) -> None:
    """An oracle that never said no would prove nothing."""
    run_id = records.world.run_ids[0]
    with a_sink(broker, engine.url, tmp_path / "sink.log"):
        await records.append(3)
        assert (await judge(records.world, records.ledger)).problems == []
        lost = Name(run_id, "w", 3)
        for kind in ("sent", "acked"):
            records.ledger.write(kind, lost)
        verdict = await judge(records.world, records.ledger)
        assert verdict.lost == POINTS
        assert [str(lost) in problem for problem in verdict.problems] == [True, True]
        changed = content(lost)["values"][::-1]
        await records.send([records.value(lost, values=changed)], [run_id])
        verdict = await judge(records.world, records.ledger)
        assert verdict.lost == POINTS
        stranger = Name(run_id, "stranger", 1)
        await records.send([records.value(stranger)], [run_id])
        problems = " ".join((await judge(records.world, records.ledger)).problems)
        assert "never sent" in problems
        assert "gap report" in problems, "its number 0 is missing"


async def test_an_insert_that_was_done_and_whose_answer_was_lost(
    broker: Broker, engine: Engine, records: FaultRecords, tmp_path: Path
) -> None:
    async with lossy_engine(engine.url) as proxy:
        with a_sink(broker, proxy.url, tmp_path / "sink.log") as sink:
            await asyncio.to_thread(sink.wait_ready)
            for _ in range(3):
                proxy.losses += 2
                await records.append(20)
            verdict = await judge(records.world, records.ledger)
    assert (proxy.lost, proxy.losses) == (6, 0), "an INSERT's answer came through"
    assert verdict.problems == []


async def test_a_view_that_fails_halfway_through_an_insert(
    broker: Broker, engine: Engine, records: FaultRecords, client: Client, tmp_path: Path
) -> None:
    """Some views have the rows and one has refused them: all of it is inserted again."""
    storage = load_storages(client).reading
    with a_sink(broker, engine.url, tmp_path / "sink.log") as sink:
        await asyncio.to_thread(sink.wait_ready)
        await records.append(5)
        await asyncio.to_thread(
            client.command,
            f"CREATE MATERIALIZED VIEW {storage}.zz_failing ENGINE = Null AS "
            "SELECT throwIf(length(steps) > 0, 'halfway') AS nothing "
            f"FROM {storage}.metrics_landing",
        )
        try:
            await records.append(20)
            assert "halfway" in await reason_not_ready(sink)
            assert sink.process.poll() is None
        finally:
            await asyncio.to_thread(client.command, f"DROP VIEW {storage}.zz_failing")
        verdict = await judge(records.world, records.ledger)
    assert verdict.problems == []


async def test_a_client_that_repeats_itself_and_one_that_says_something_else_under_one_number(
    broker: Broker, engine: Engine, records: FaultRecords, client: Client, tmp_path: Path
) -> None:
    """The first content wins in every view of points, and the report names the batch."""
    world = records.world
    names = await records.append(4)
    await records.send([records.value(name) for name in names], [name.run_id for name in names])
    with a_sink(broker, engine.url, tmp_path / "sink.log"):
        verdict = await judge(world, records.ledger)
        assert (verdict.problems, verdict.repeated) == ([], len(names))
        other = [value / 2 for value in range(POINTS)]
        await records.send([records.value(names[0], values=other)], [names[0].run_id])
        await records.send([records.value(names[0])], [names[0].run_id])
        rows = [row for row in await read_log(world) if row["run_id"] == names[0].run_id]
    expected, shown = expected_views(rows), read_views(client, world.workspace, names[0].run_id)
    for view in ("points", "rollup", "series", "batches", "latest_points"):
        assert shown[view] == expected[view], view
    report = load_ingestion(client, workspace=world.workspace, run_id=names[0].run_id)
    assert not report.is_whole
    assert report.writers[0].changed[0].seq == names[0].seq
    assert report.writers[0].missing == []
