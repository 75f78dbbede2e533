"""Subscribers stay attached while the gateway is killed and restarted under them."""

import asyncio
import threading
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from runhistory.domain.ids import new_run_id
from runhistory.sdk.address import Address
from runhistory.sdk.async_workspace import AsyncWorkspace
from runhistory.sdk.event_messages import Event
from runhistory.sdk.workspace import Workspace
from tests.support.event_streams import everything, subscribed
from tests.support.gateway_world import GatewayClient
from tests.support.service_process import ServiceProcess

pytestmark = pytest.mark.infrastructure

RUNS, EVENTS, KILLS = 3, 40, 2


def service(room: str, broker: Any, folder: Path, name: str = "") -> ServiceProcess:
    return ServiceProcess(
        room,
        folder / f"{name or room}.log",
        RUNHISTORY_KAFKA=broker.bootstrap,
        RUNHISTORY_CLICKHOUSE="http://127.0.0.1:9",  # nobody: events need Kafka alone
        RUNHISTORY_OBJECTS=(folder / "objects").as_uri(),
        RUNHISTORY_INSTANCE="faults",  # the next one has its partitions at once
    )


async def write(client: GatewayClient, run: str, count: int) -> None:
    for number in range(count):
        answer = await client.command(run, "set_tags", tags={"n": str(number)})
        assert answer.status_code == 200, answer.text


def versions(events: list[Event]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for event in events:
        found[event.run_id].append(event.data["version"])
    return found


async def test_every_event_arrives_once_and_in_order_over_kills_of_the_gateway(
    broker: Any, tmp_path: Path
) -> None:
    """What is written goes through another gateway, so that it never stops."""
    workspace = f"ws-{new_run_id()}"
    lifecycle, doomed, writer = (
        service("lifecycle", broker, tmp_path),
        service("gateway", broker, tmp_path, "doomed"),
        service("gateway", broker, tmp_path, "writer"),
    )
    with lifecycle, doomed, writer:
        for process in (lifecycle, doomed, writer):
            process.wait_ready()
        url = f"http://127.0.0.1:{doomed.port}"
        got: list[Event] = []
        got_async: list[Event] = []

        def read() -> None:
            for event in Workspace(url, workspace).events(from_="beginning"):
                got.append(event)
                if len(got) == RUNS * (EVENTS + 2):
                    return

        async def read_async() -> None:
            async with AsyncWorkspace(url, workspace) as opened:
                async for event in opened.events(from_="beginning"):
                    got_async.append(event)
                    if len(got_async) == RUNS * (EVENTS + 2):
                        return

        reading = threading.Thread(target=read, daemon=True)
        reading.start()
        reading_async = asyncio.create_task(read_async())
        async with GatewayClient(f"http://127.0.0.1:{writer.port}", workspace) as client:
            runs = [await client.start() for _ in range(RUNS)]
            writing = asyncio.gather(*(write(client, run, EVENTS) for run in runs))
            for _ in range(KILLS):
                await asyncio.sleep(0.5)
                doomed.kill()
                await asyncio.sleep(0.2)
                doomed.start()
                await asyncio.to_thread(doomed.wait_ready)
            await writing
        await asyncio.to_thread(reading.join, 60)
        await asyncio.wait_for(reading_async, 60)
    due = {run: list(range(1, EVENTS + 3)) for run in runs}
    assert versions(got) == due
    assert versions(got_async) == due


async def test_one_gateway_goes_on_where_another_one_stopped(broker: Any, tmp_path: Path) -> None:
    lifecycle, first, second = (
        service("lifecycle", broker, tmp_path),
        service("gateway", broker, tmp_path, "first"),
        service("gateway", broker, tmp_path, "second"),
    )
    with lifecycle, first, second:
        for process in (lifecycle, first, second):
            process.wait_ready()
        async with (
            GatewayClient(f"http://127.0.0.1:{first.port}") as client,
            GatewayClient(f"http://127.0.0.1:{second.port}", client.workspace) as other,
        ):
            run = await client.start()
            async with subscribed(client, run=run, begin="beginning") as stream:
                await write(client, run, 3)
                await stream.has(5)
                begun = asyncio.get_running_loop().time()
                assert await asyncio.to_thread(first.stop) == 0
                assert asyncio.get_running_loop().time() - begun < 5, "streams do not hold it up"
            await write(other, run, 3)
            rest = await everything(other, last_event_id=stream.position, run=run)
            assert [message.data["version"] for message in rest.messages] == [6, 7, 8]


async def test_a_gateway_that_nobody_started_is_said_at_once() -> None:
    nowhere = Address(url="http://127.0.0.1:9")
    with pytest.raises(Exception, match="Nobody answers"):
        next(iter(Workspace.at(nowhere).events()))
