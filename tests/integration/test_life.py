"""The whole life of runs and experiments over HTTP, on a real stack: to the deletion and beyond."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from runhistory.clickhouse.client import open_client
from runhistory.clickhouse.storages import FIRST_STORAGE
from runhistory.domain.ids import new_command_id, new_run_id
from runhistory.events import cloudevents, metric_batch
from runhistory.events.metric_batch import METRICS_LOGGED
from runhistory.kafka.clients import close, open_producer
from runhistory.sink.erased_rows import ERASED_TABLES
from tests.support.gateway_world import GatewayClient, batch, error_of, eventually, lines
from tests.support.running_stack import RunningStack

pytestmark = pytest.mark.infrastructure


@pytest.fixture
async def client(stack: RunningStack) -> AsyncIterator[GatewayClient]:
    async with GatewayClient(stack.url) as client:
        yield client


@pytest.fixture
def storage(stack: RunningStack) -> Client:
    return open_client(f"http://127.0.0.1:{stack.port + 12}", FIRST_STORAGE)


async def tell(client: GatewayClient, run_id: str, type: str, **fields: Any) -> str:
    """A command that is accepted; its watermark."""
    answer = await client.command(run_id, type, **fields)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["watermark"])


async def listed(client: GatewayClient, *watermarks: str, **asked: Any) -> set[str]:
    page = await client.read("/runs", *watermarks, **asked)
    return {run["run_id"] for run in page["runs"]}


async def test_a_child_right_behind_its_parent(client: GatewayClient) -> None:
    parent = await client.create()
    child = await client.create(parent_run_id=parent)
    grandchild = await client.create(parent_run_id=child, reproduces=parent)
    mark = await tell(client, grandchild, "set_tags", tags={"a": "b"})
    await tell(client, parent, "set_tags", tags={"a": "b"})
    assert await listed(client, mark, parent=parent, recursive="true") == {child, grandchild}
    assert await listed(client) == {parent}


@pytest.mark.parametrize("field", ["parent_run_id", "reproduces"])
async def test_a_relative_that_is_not_here(client: GatewayClient, field: str) -> None:
    code = {"parent_run_id": "invalid_parent", "reproduces": "invalid_reproduced"}[field]
    own = new_run_id()
    async with GatewayClient(client.root) as other:
        foreign = await other.create()
    gone = await client.create()
    await tell(client, gone, "delete")
    for relative in (new_run_id(), foreign, own, gone):
        answer = await client.post_run(own, **{field: relative})
        assert error_of(answer, 400)["code"] == code


async def test_what_is_said_of_a_run_changes(client: GatewayClient) -> None:
    run_id = await client.start(tags={"a": "1", "b": "1"})
    await tell(client, run_id, "remove_tags", names=["a", "missing"])
    await tell(client, run_id, "describe", display_name="best", description="of all")
    mark = await tell(client, run_id, "archive")
    seen = await client.read(f"/runs/{run_id}", mark)
    assert (seen["tags"], seen["display_name"], seen["description"]) == (
        {"b": "1"}, "best", "of all",
    )  # fmt: skip
    assert seen["archived"] is True, "JSON's true, not ClickHouse's 1"
    assert await listed(client) == set()
    assert await listed(client, archived="true") == {run_id}
    mark = await tell(client, run_id, "reactivate")
    assert await listed(client, mark) == {run_id}
    answer = await client.command(run_id, "take_snapshot", snapshot_id="0" * 64)
    assert error_of(answer, 400)["code"] == "invalid_snapshot"
    environment = {"python_version": "3.12", "packages_sha256": "0" * 64}
    answer = await client.command(run_id, "record_environment", environment=environment)
    assert error_of(answer, 400)["code"] == "invalid_environment"


async def test_an_experiment_from_its_first_run_to_its_end(client: GatewayClient) -> None:
    async def command(type: str, name: str = "first", **fields: Any) -> Any:
        body = {"name": name, "type": type, **fields}
        return await client.http.post("/experiments/commands", json=body)

    assert error_of(await command("archive", "nobody's"), 404)["code"] == "not_found"
    run_id = await client.create()
    mark = (await command("set_tags", tags={"team": "vision"})).json()["watermark"]
    mark = (await command("describe", description="new")).json()["watermark"] or mark
    seen = await client.read("/experiments/first", mark)
    assert (seen["tags"], seen["description"]) == ({"team": "vision"}, "new")
    mark = (await command("archive")).json()["watermark"]
    assert (await client.read("/experiments", mark))["experiments"] == []
    assert (await client.read("/experiments/first"))["archived"] is True
    refused = error_of(await command("delete"), 409)
    assert (refused["code"], refused["details"]) == ("experiment_not_empty", {"runs": 1})

    await tell(client, run_id, "delete")
    own = new_command_id()
    deleted = await command("delete", command_id=own)
    assert deleted.status_code == 200, "the run that was just deleted does not count"
    again = await command("delete", command_id=own)
    assert again.json() == deleted.json(), "a retry gets its old answer"
    mark = deleted.json()["watermark"]
    assert (await client.read("/experiments", mark, archived="all"))["experiments"] == []
    assert error_of(await command("archive"), 404)["code"] == "not_found"

    mark = await tell(client, await client.create(), "set_tags", tags={"a": "b"})
    anew = await client.read("/experiments/first", mark)
    assert (anew["tags"], anew["description"], anew["archived"]) == ({}, "", False)


async def test_an_experiment_may_be_called_commands(client: GatewayClient) -> None:
    mark = await tell(client, await client.create(experiment="commands"), "archive")
    assert (await client.read("/experiments/commands", mark))["name"] == "commands"


async def test_a_run_under_way_is_not_deleted(client: GatewayClient) -> None:
    error = error_of(await client.command(await client.start(), "delete"), 409)
    assert error["code"] == "not_allowed"
    assert "cancel it first" in error["message"]


async def a_full_run(client: GatewayClient) -> tuple[str, list[str]]:
    """A run that is over, with something in every table; and the watermarks of it."""
    run_id = await client.start(tags={"a": "b"}, params={"lr": "1"})
    answers = [
        await client.log(run_id, batch()),
        await client.write_lines(run_id, lines("hello")),
        await client.http.put(f"/runs/{run_id}/attempts/1/files/f", content=run_id.encode()),
        await client.command(run_id, "complete"),
    ]
    return run_id, [answer.json()["watermark"] for answer in answers]


def tables_with(storage: Client, run_id: str) -> set[str]:
    return {
        table
        for table in ERASED_TABLES
        if storage.query(
            f"SELECT count() FROM {FIRST_STORAGE}.{table} WHERE run_id = unhex('{run_id}')"
        ).result_rows
        != [(0,)]
    }


async def test_a_deleted_run_is_gone_at_once_and_everywhere(
    client: GatewayClient, storage: Client
) -> None:
    run_id, marks = await a_full_run(client)
    await client.read(f"/runs/{run_id}", *marks)
    assert tables_with(storage, run_id) >= set(ERASED_TABLES) - {"records"}

    mark = await tell(client, run_id, "delete")
    assert await listed(client, mark, children="true", archived="all") == set()
    paths = ["", "/metrics", "/series", "/logs", "/files", "/files/f"]
    for path in paths:
        error = error_of(await client.http.get(f"/runs/{run_id}{path}"), 410)
        assert error["code"] == "run_deleted"
    refused = [
        await client.command(run_id, "set_tags", tags={"c": "d"}),
        await client.command(run_id, "delete"),
        await client.post_run(run_id),
        await client.log(run_id, batch(seq=1)),
        await client.write_lines(run_id, lines("x", seq=1)),
        await client.http.put(f"/runs/{run_id}/attempts/1/files/g", content=b"x"),
    ]
    for answer in refused:
        assert error_of(answer, 410)["code"] == "run_deleted"
    for view in ("events", "points", "runs"):
        answer = await client.http.post("/sql", json={"query": f"SELECT count() FROM {view}"})
        assert answer.json()["rows"] == [[0]], view

    async def is_erased() -> bool:
        return tables_with(storage, run_id) == set()

    await eventually(is_erased, 30)


async def test_a_deletion_outlives_the_sink_and_hides_what_comes_late(
    client: GatewayClient, storage: Client, stack: RunningStack
) -> None:
    run_id, marks = await a_full_run(client)
    await client.read(f"/runs/{run_id}", *marks)
    stack.kill("sink")
    await tell(client, run_id, "delete")
    stack.wait_ready("sink")

    async def is_erased() -> bool:
        return tables_with(storage, run_id) == set()

    await eventually(is_erased, 60)
    mark = await _log_behind_the_gateway(stack, client.workspace, run_id)
    other = await client.create()
    await client.read(f"/runs/{other}", mark, await tell(client, other, "archive"))
    found = storage.query(
        f"SELECT count() FROM runhistory.points WHERE run_uuid = unhex('{run_id}')"
    )
    assert found.result_rows == [(0,)]
    assert tables_with(storage, run_id) == {"points", "rollup", "batches"}, "until the next sweep"


async def _log_behind_the_gateway(stack: RunningStack, workspace: str, run_id: str) -> str:
    """Points that were in Kafka when the run was deleted, or come from somebody who is slow."""
    body = json.dumps(batch(writer="late")).encode()
    producer = await open_producer(f"127.0.0.1:{stack.port + 10}", client_id="test")
    try:
        sent = await producer.send_and_wait(
            "run.metrics",
            metric_batch.splice(body, workspace=workspace, run_id=run_id, attempt=1),
            key=run_id.encode(),
            headers=cloudevents.headers(
                id=new_command_id(),
                type=METRICS_LOGGED,
                source="test",
                subject=run_id,
                time=datetime.now(UTC),
            ),
        )
    finally:
        await close(producer)
    return f"run.metrics/{sent.partition}/{sent.offset}"
