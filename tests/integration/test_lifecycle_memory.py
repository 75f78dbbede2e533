"""What the lifecycle remembers is the same with ClickHouse and without."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition

from runhistory.clickhouse.client import open_client
from runhistory.domain.commands import AddParams, CancelRun, CreateRun, SetTags, StartRun
from runhistory.domain.ids import new_command_id, new_run_id
from runhistory.domain.state import State
from runhistory.domain.values import RunContent
from runhistory.events.codec import Watermark
from runhistory.kafka.clients import open_consumer
from runhistory.kafka.commands import CommandClient
from runhistory.lifecycle import memory as lifecycle_memory
from runhistory.lifecycle.memory import EVENTS_TOPIC, PartitionMemory
from runhistory.query.replay import next_offset
from tests.conftest import Broker, Engine
from tests.support.service_process import ServiceProcess, free_port

pytestmark = pytest.mark.infrastructure

NOWHERE = f"http://127.0.0.1:{free_port()}"


@pytest.fixture
def services(broker: Broker, engine: Engine, tmp_path: Path) -> Iterator[dict[str, ServiceProcess]]:
    """A lifecycle that runs, and a sink that does not yet."""
    made = {
        room: ServiceProcess(
            room,
            tmp_path / f"{room}.log",
            RUNHISTORY_KAFKA=broker.bootstrap,
            RUNHISTORY_CLICKHOUSE=engine.url,
            RUNHISTORY_INSTANCE="memory",
        )
        for room in ("lifecycle", "sink")
    }
    with made["lifecycle"]:
        made["lifecycle"].wait_ready()
        yield made
        made["sink"].__exit__(None, None, None)


def _head(run_id: str) -> dict[str, Any]:
    return {"workspace": "memory", "run_id": run_id, "command_id": new_command_id()}


async def _create_runs(client: CommandClient, count: int) -> dict[str, Watermark]:
    """Runs of which every second one is over; where each run's last event lies."""
    last = {}
    for number in range(count):
        run_id = new_run_id()
        content = RunContent(type="interactive", experiment="memory", tags={"n": str(number)})
        await client.send(CreateRun(content=content, **_head(run_id)))
        reply = await client.send(StartRun(**_head(run_id)))
        if number % 2:
            reply = await client.send(CancelRun(**_head(run_id)))
        assert reply.watermark
        last[run_id] = Watermark.parse(reply.watermark)
    return last


async def _remember(
    bootstrap: str, clickhouse: str, partition: int, run_ids: list[str]
) -> PartitionMemory:
    consumer = await open_consumer(bootstrap, client_id="memory")
    try:
        consumer.assign([TopicPartition(EVENTS_TOPIC, partition)])
        memory = PartitionMemory(clickhouse, partition)
        await memory.catch_up(consumer)
        await memory.look_up(run_ids, consumer)
        return memory
    finally:
        await consumer.stop()


async def _states(bootstrap: str, clickhouse: str, runs: dict[str, Watermark]) -> dict[str, State]:
    found: dict[str, State] = {}
    for partition in {watermark.partition for watermark in runs.values()}:
        ids = [run_id for run_id, mark in runs.items() if mark.partition == partition]
        memory = await _remember(bootstrap, clickhouse, partition, ids)
        from_log = clickhouse == NOWHERE or not next_offset(open_client(clickhouse), partition)
        assert memory.complete == from_log, "it read the log from its beginning"
        found.update({run_id: memory.states[run_id] for run_id in ids})
        assert {run_id: memory.last_offsets[run_id] for run_id in ids} == {
            run_id: runs[run_id].offset for run_id in ids
        }
    return found


async def _wait_for_projection(engine: Engine, runs: dict[str, Watermark]) -> None:
    client = open_client(engine.url)
    async with asyncio.timeout(30):
        for mark in runs.values():
            while next_offset(client, mark.partition) <= mark.offset:
                await asyncio.sleep(0.05)


async def test_with_a_projection_a_lagging_one_and_none_it_remembers_the_same(
    broker: Broker, engine: Engine, services: dict[str, ServiceProcess]
) -> None:
    client = CommandClient(broker.bootstrap, "memory")
    await client.start()
    with services["sink"]:
        services["sink"].wait_ready()
        runs = await _create_runs(client, 20)
        await _wait_for_projection(engine, runs)
        assert await _states(broker.bootstrap, engine.url, runs) == await _states(
            broker.bootstrap, NOWHERE, runs
        )
    # The sink is gone: what follows is in the log alone, for runs that are over, too.
    for run_id in list(runs):
        reply = await client.send(SetTags(tags={"late": "yes"}, **_head(run_id)))
        assert reply.outcome == "accepted"
        runs[run_id] = Watermark.parse(reply.watermark or "")
    runs.update(await _create_runs(client, 6))
    assert await _states(broker.bootstrap, engine.url, runs) == await _states(
        broker.bootstrap, NOWHERE, runs
    )
    await client.stop()


async def test_what_was_let_go_comes_back_when_it_is_asked_for(
    broker: Broker,
    engine: Engine,
    services: dict[str, ServiceProcess],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lifecycle_memory, "MAX_STATES", 2)
    client = CommandClient(broker.bootstrap, "memory")
    await client.start()
    with services["sink"]:
        services["sink"].wait_ready()
        runs = await _create_runs(client, 40)
        await _wait_for_projection(engine, runs)
        partition = list(runs.values())[1].partition  # the second run is over
        ids = [run_id for run_id, mark in runs.items() if mark.partition == partition]
        full = await _remember(broker.bootstrap, NOWHERE, partition, ids)
        before = {run_id: full.states[run_id] for run_id in ids}
        full._clickhouse = engine.url
        await full.trim()
        gone = [run_id for run_id in ids if run_id not in full.states]
        assert gone, "nothing was let go"
        consumer = await open_consumer(broker.bootstrap, client_id="memory")
        consumer.assign([TopicPartition(EVENTS_TOPIC, partition)])
        await full.look_up(ids, consumer)
        await consumer.stop()
        assert {run_id: full.states[run_id] for run_id in ids} == before
    await client.stop()


async def test_a_lifecycle_started_anew_still_guards_runs_that_are_over(
    broker: Broker, engine: Engine, services: dict[str, ServiceProcess]
) -> None:
    client = CommandClient(broker.bootstrap, "memory")
    await client.start()
    with services["sink"]:
        services["sink"].wait_ready()
        runs = await _create_runs(client, 8)
        await _wait_for_projection(engine, runs)
        services["lifecycle"].kill()
        services["lifecycle"].start()
        services["lifecycle"].wait_ready()
        for number, run_id in enumerate(runs):
            again = RunContent(type="interactive", experiment="memory", tags={"n": str(number)})
            same = await client.send(CreateRun(content=again, **_head(run_id)))
            assert same.outcome == "unchanged"
            start = await client.send(StartRun(**_head(run_id)))
            assert (start.outcome, start.code) == ("refused", "not_allowed")
            params = await client.send(AddParams(params={"lr": "0.1"}, **_head(run_id)))
            assert params.outcome == "accepted"
    await client.stop()


BROKEN = (
    b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\nX-ClickHouse-Exception-Code: 81\r\n\r\nno!"
)


@pytest.mark.parametrize("answer", [b"", BROKEN], ids=["silent", "broken"])
async def test_a_clickhouse_that_hangs_or_is_broken_does_not_stop_the_lifecycle(
    broker: Broker, answer: bytes, tmp_path: Path
) -> None:
    """It reads the log instead, whether ClickHouse says nothing or says that it is broken."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65_536):
            writer.write(answer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = CommandClient(broker.bootstrap, "memory")
    await client.start()
    with ServiceProcess(
        "lifecycle",
        tmp_path / "lifecycle.log",
        RUNHISTORY_KAFKA=broker.bootstrap,
        RUNHISTORY_CLICKHOUSE=f"http://127.0.0.1:{port}",
        RUNHISTORY_INSTANCE="memory",
    ) as lifecycle:
        await asyncio.to_thread(lifecycle.wait_ready)
        content = RunContent(type="interactive", experiment="memory")
        reply = await client.send(CreateRun(content=content, **_head(new_run_id())))
        assert reply.outcome == "accepted"
    server.close()
    await client.stop()
