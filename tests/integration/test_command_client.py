"""A command goes into Kafka and its reply comes back, whatever dies in between."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from runhistory.domain.commands import CancelRun, CompleteRun, CreateRun, StartRun
from runhistory.domain.ids import new_command_id, new_run_id
from runhistory.domain.values import RunContent
from runhistory.events.codec import Reply
from runhistory.kafka.commands import CommandClient, ReplyTimeout
from tests.conftest import Broker
from tests.support.service_process import ServiceProcess, free_port

pytestmark = pytest.mark.infrastructure


@pytest.fixture(scope="module")
def lifecycle(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """A lifecycle that has Kafka alone: ClickHouse is away."""
    log: Path = tmp_path_factory.mktemp("lifecycle") / "lifecycle.log"
    with ServiceProcess(
        "lifecycle",
        log,
        RUNHISTORY_KAFKA=broker.bootstrap,
        RUNHISTORY_CLICKHOUSE=f"http://127.0.0.1:{free_port()}",
        RUNHISTORY_INSTANCE="command-client",
    ) as process:
        process.wait_ready()
        yield process


@pytest.fixture
async def client(broker: Broker, lifecycle: ServiceProcess) -> AsyncIterator[CommandClient]:
    client = CommandClient(broker.bootstrap, "test")
    await client.start()
    yield client
    await client.stop()


def _create(run_id: str, experiment: str = "replies") -> CreateRun:
    return CreateRun(
        workspace="default",
        run_id=run_id,
        command_id=new_command_id(),
        content=RunContent(type="interactive", experiment=experiment),
    )


def _head(run_id: str) -> dict[str, str]:
    return {"workspace": "default", "run_id": run_id, "command_id": new_command_id()}


async def test_the_reply_tells_status_version_attempt_and_where_it_lies(
    client: CommandClient,
) -> None:
    run_id = new_run_id()
    created = await client.send(_create(run_id))
    started = await client.send(StartRun(**_head(run_id)))
    assert (created.outcome, created.status, created.version) == ("accepted", "NotStarted", 1)
    assert (started.outcome, started.status, started.attempt) == ("accepted", "Running", 1)
    assert started.watermark
    assert started.watermark.startswith("run.events/")


async def test_a_refusal_names_the_status_and_says_what_to_do(client: CommandClient) -> None:
    run_id = new_run_id()
    await client.send(_create(run_id))
    await client.send(CancelRun(**_head(run_id)))
    reply = await client.send(CompleteRun(**_head(run_id)))
    assert (reply.outcome, reply.code) == ("refused", "not_allowed")
    assert "Canceled" in (reply.message or "")


async def test_the_same_run_again_is_the_same_run_and_another_is_refused(
    client: CommandClient,
) -> None:
    run_id = new_run_id()
    await client.send(_create(run_id))
    assert (await client.send(_create(run_id))).outcome == "unchanged"
    other = await client.send(_create(run_id, experiment="another"))
    assert (other.outcome, other.code) == ("refused", "run_exists")


async def test_one_command_sent_by_two_at_once_is_applied_once(client: CommandClient) -> None:
    create = _create(new_run_id())
    first, second = await asyncio.gather(client.send(create), client.send(create))
    assert (first.version, second.version) == (1, 1)


async def test_one_command_id_used_for_two_runs_brings_each_its_own_reply(
    client: CommandClient,
) -> None:
    head = {"command_id": "create-1", "content": RunContent(type="interactive", experiment="e")}
    ours = CreateRun(workspace="ours", run_id=new_run_id(), **head)
    theirs = CreateRun(workspace="theirs", run_id=new_run_id(), **head)
    first, second = await asyncio.gather(client.send(ours), client.send(theirs))
    assert (first.workspace, first.run_id) == ("ours", ours.run_id)
    assert (second.workspace, second.run_id) == ("theirs", theirs.run_id)


async def test_with_the_lifecycle_gone_it_times_out_and_the_retry_gets_the_reply(
    client: CommandClient, lifecycle: ServiceProcess
) -> None:
    create = _create(new_run_id())
    lifecycle.kill()
    with pytest.raises(ReplyTimeout, match="same command id"):
        await client.send(create, timeout=0.5)
    lifecycle.start()
    assert (await client.send(create, timeout=30)).outcome == "accepted"


async def test_everybody_sees_every_reply(client: CommandClient, broker: Broker) -> None:
    seen: list[Reply] = []
    other = CommandClient(broker.bootstrap, "other")
    other.on_reply.append(seen.append)
    await other.start()
    create = _create(new_run_id())
    await client.send(create)
    async with asyncio.timeout(10):
        while create.command_id not in {reply.command_id for reply in seen}:
            await asyncio.sleep(0.01)
    await other.stop()
