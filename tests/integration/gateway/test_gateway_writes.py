"""Commands and batches over HTTP, on a real broker with a real lifecycle."""

import asyncio
import json
from typing import Any

import pytest

from runhistory.domain.ids import new_command_id, new_run_id
from runhistory.events.codec import Watermark
from runhistory.events.heartbeat import HEARTBEATS_TOPIC, decode_heartbeat
from runhistory.kafka.clients import open_consumer
from runhistory.kafka.topics import partitions_of, place_of
from tests.conftest import Broker
from tests.support.gateway_world import GatewayClient, batch, error_of, lines

pytestmark = pytest.mark.infrastructure


async def read_one(bootstrap: str, watermark: str) -> Any:
    """The record that lies at a watermark."""
    place = Watermark.parse(watermark)
    consumer = await open_consumer(bootstrap, client_id="test")
    try:
        partition = partitions_of(place.topic)[place.partition]
        consumer.assign([partition])
        consumer.seek(partition, place.offset)
        async with asyncio.timeout(10):
            return await consumer.getone(partition)
    finally:
        await consumer.stop()


async def test_a_run_is_created_once(client: GatewayClient) -> None:
    run_id = new_run_id()
    first, again = await client.post_run(run_id), await client.post_run(run_id)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["outcome"] == "accepted"
    assert again.json()["outcome"] == "unchanged"
    assert first.json()["status"] == again.json()["status"] == "NotStarted"
    other = error_of(await client.post_run(run_id, description="other"), 409)
    assert other["code"] == "run_exists"
    assert other["details"]["status"] == "NotStarted"


async def test_a_refused_batch_names_the_limit_its_value_and_the_setting(
    client: GatewayClient,
) -> None:
    run_id = await client.start()
    keys = [f"step/{number}" for number in range(5_001)]
    for body, code, setting, place in (
        (batch(1, keys=keys), "too_many_keys", "RUNHISTORY_MAX_KEYS", "$.keys[5000]"),
        (batch(1, keys=["k" * 513]), "too_large", "RUNHISTORY_MAX_KEY_LENGTH", "$.keys[0]"),
        (batch(20_000, values=[1 / 3] * 20_000, steps=[2**62] * 20_000, times=[10**15] * 20_000),
         "too_large", "RUNHISTORY_MAX_BATCH_BYTES", ""),
    ):  # fmt: skip
        error = error_of(await client.log(run_id, body), 413)
        assert (error["code"], error["details"]["setting"]) == (code, setting)
        assert f"{error['details']['limit']}" in error["message"]
        assert setting in error["message"]
        assert place in error["message"]
    assert (await client.log(run_id, batch(1, keys=keys[:5_000]))).status_code == 202
    assert (await client.log(run_id, batch(1, keys=["one more"]))).status_code == 413
    assert (await client.log(run_id, batch(1, seq=1, keys=keys[:3]))).status_code == 202
    bad = error_of(await client.log(run_id, batch(3, values=[1.0, None, None])), 400)
    assert "`$.values[1]` (key 'loss')" in bad["message"]


async def test_the_same_command_again_gets_the_same_answer(client: GatewayClient) -> None:
    run_id, command_id = await client.create(), new_command_id()
    first = await client.command(run_id, "start", command_id=command_id)
    assert (await client.command(run_id, "cancel")).status_code == 200
    again = await client.command(run_id, "start", command_id=command_id)
    assert again.status_code == 200
    assert again.json()["status"] == first.json()["status"] == "Running"
    assert again.json()["version"] == first.json()["version"]


async def test_completing_a_cancelled_run_names_its_status(client: GatewayClient) -> None:
    run_id = await client.start()
    assert (await client.command(run_id, "cancel")).json()["status"] == "Canceled"
    error = error_of(await client.command(run_id, "complete"), 409)
    assert error["code"] == "not_allowed"
    assert error["details"] == {"status": "Canceled"}
    assert "Canceled" in error["message"]


@pytest.mark.parametrize(
    ("type", "fields"),
    [
        ("complete", {}),
        ("fail", {"error": {"code": "Bug", "message": "it broke"}}),
        ("cancel", {"reason": "enough"}),
        ("set_tags", {"tags": {"a": "b"}}),
        ("add_properties", {"properties": {"a": "b"}}),
        ("add_params", {"params": {"lr": "0.1"}}),
        ("describe", {"display_name": "best", "description": "of all"}),
        ("archive", {}),
        ("pause", {}),
        ("warn", {"code": "Slow", "message": "the data come slowly"}),
        ("record_environment", {"environment": {"python_version": "3.12.1"}}),
    ],
)
async def test_every_command_is_accepted(
    client: GatewayClient, type: str, fields: dict[str, Any]
) -> None:
    run_id = await client.start()
    answer = await client.command(run_id, type, **fields)
    assert answer.status_code == 200, answer.text
    assert answer.json()["outcome"] == "accepted"
    assert Watermark.parse(answer.json()["watermark"]).topic == "run.events"


async def test_params_are_written_once(client: GatewayClient) -> None:
    run_id = await client.start()
    await client.command(run_id, "add_params", params={"lr": "0.1"})
    error = error_of(await client.command(run_id, "add_params", params={"lr": "0.2"}), 409)
    assert error["code"] == "param_exists"


async def test_a_command_to_no_run(client: GatewayClient) -> None:
    assert error_of(await client.command(new_run_id(), "cancel"), 404)["code"] == "run_not_found"


@pytest.mark.parametrize(
    ("type", "fields"),
    [
        ("restart", {}),
        ("claim", {"claim_id": "c", "worker_id": "w"}),
        ("cancel", {"reason": 1}),
        ("cancel", {"workspace": "other"}),
        ("cancel", {"command_id": "not an id"}),
        ("set_tags", {}),
        ("remove_tags", {"names": []}),
        ("take_snapshot", {"snapshot_id": "x"}),
        ("fail", {}),
    ],
)
async def test_a_command_that_is_none(
    client: GatewayClient, type: str, fields: dict[str, Any]
) -> None:
    error = error_of(await client.command(await client.start(), type, **fields), 400)
    assert error["code"] == "invalid_request"


async def test_equal_names_are_refused_in_commands(client: GatewayClient) -> None:
    run_id = await client.start()
    body = '{"type":"cancel","reason":"a","reason":"b"}'
    answer = await client.http.post(f"/runs/{run_id}/commands", content=body)
    assert "'reason' stands twice" in error_of(answer, 400)["message"]


async def test_workspaces_do_not_see_each_others_runs(client: GatewayClient, gateway: Any) -> None:
    run_id = await client.start()
    async with GatewayClient(client.root) as other:
        for answer in (
            await other.command(run_id, "cancel"),
            await other.log(run_id, batch()),
            await other.write_lines(run_id, lines("x")),
            await other.http.put(f"/runs/{run_id}/attempts/1/files/x", content=b"x"),
            await other.http.get(f"/runs/{run_id}"),
        ):
            error = error_of(answer, 404)
            assert error["code"] == "run_not_found"
            assert error["details"] == {}
    assert (await client.command(run_id, "complete")).json()["status"] == "Completed"


async def test_an_experiment_is_created_once(client: GatewayClient) -> None:
    body = {"name": "mnist / β", "description": "digits", "tags": {"team": "vision"}}
    first = await client.http.post("/experiments", json=body)
    again = await client.http.post("/experiments", json=body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["experiment_id"] == again.json()["experiment_id"]


async def test_a_batch_lies_in_the_log_with_our_envelope(
    client: GatewayClient, broker: Any
) -> None:
    run_id = await client.start()
    answer = await client.log(run_id, batch(values=["NaN", "-Infinity", 1e-300], seq=7))
    assert answer.status_code == 202
    record = await read_one(broker.bootstrap, answer.json()["watermark"])
    assert record.key == run_id.encode()
    assert dict(record.headers)["ce_id"] == f"{run_id}:w:1:7".encode()
    assert dict(record.headers)["ce_type"] == b"metrics.logged.v1"
    assert json.loads(record.value) == {
        "workspace": client.workspace,
        "run_id": run_id,
        "attempt": 1,
        **batch(values=["NaN", "-Infinity", 1e-300], seq=7),
    }


async def test_points_are_accepted_however_late(client: GatewayClient) -> None:
    run_id = await client.start()
    await client.command(run_id, "complete")
    assert (await client.log(run_id, batch())).status_code == 202
    assert (await client.write_lines(run_id, lines("late"))).status_code == 202
    assert (await client.command(run_id, "set_tags", tags={"a": "b"})).json()["status"] == (
        "Completed"
    )


async def test_unknown_runs_and_attempts_take_no_points(client: GatewayClient) -> None:
    assert error_of(await client.log(new_run_id(), batch()), 404)["code"] == "run_not_found"
    created, started = await client.create(), await client.start()
    assert error_of(await client.log(created, batch()), 404)["code"] == "attempt_not_found"
    error = error_of(await client.log(started, batch(), attempt=2), 404)
    assert error["code"] == "attempt_not_found"
    assert "latest is 1" in error["message"]
    error = error_of(await client.write_lines(started, lines("x"), attempt=2), 404)
    assert error["code"] == "attempt_not_found"


BAD_BATCHES: dict[str, tuple[bytes, str]] = {
    "empty name": (json.dumps(batch(keys=[""])).encode(), "$.keys[0]"),
    "newline in a name": (json.dumps(batch(keys=["loss\n"])).encode(), "$.keys[0]"),
    "step 2^63": (json.dumps(batch(1, steps=[2**63])).encode(), "$.steps[0]"),
    "step -2^63-1": (json.dumps(batch(1, steps=[-(2**63) - 1])).encode(), "$.steps[0]"),
    "step 2^64+5": (json.dumps(batch(1, steps=[2**64 + 5])).encode(), "$.steps[0]"),
    "step 1e3": (json.dumps(batch(1, steps=[0])).replace("[0]", "[1e3]").encode(), "$.steps[0]"),
    "step 1.0": (json.dumps(batch(1, steps=[1.0])).encode(), "$.steps[0]"),
    "value of text": (json.dumps(batch(1, values=["high"])).encode(), "$.values[0]"),
    "value null": (json.dumps(batch(1, values=[None])).encode(), "$.values[0]"),
    "value true": (json.dumps(batch(1, values=[True])).encode(), "$.values[0]"),
    "NaN literal": (json.dumps(batch(1, values=[float("nan")])).encode(), "malformed"),
    "Infinity literal": (json.dumps(batch(1, values=[float("inf")])).encode(), "malformed"),
    "equal names": (json.dumps(batch()).encode()[:-1] + b',"seq":1}', "twice"),
    "unequal lengths": (json.dumps(batch(3, steps=[1])).encode(), "differ in length"),
    "workspace in the body": (json.dumps(batch(workspace="x")).encode(), "workspace"),
    "run in the body": (json.dumps(batch(run_id="0" * 32)).encode(), "run_id"),
    "key_index 0": (json.dumps(batch(1, key_index=[0])).encode(), "$.key_index[0]"),
    "key_index 2 of 1": (json.dumps(batch(1, key_index=[2])).encode(), "$.key_index[0]"),
    "no points": (json.dumps(batch(0)).encode(), "$.key_index"),
    "no JSON": (b"loss=1", "malformed"),
    "nothing": (b"", "body"),
    "an array": (b"[]", "object"),
    "no UTF-8": (b'{"writer":"\xff"}', "codec"),
    "deep nesting": (b"[" * 100_000, "object"),
}


@pytest.mark.parametrize("name", BAD_BATCHES)
async def test_a_bad_batch_is_refused_whole_and_says_where(
    client: GatewayClient, name: str
) -> None:
    body, place = BAD_BATCHES[name]
    error = error_of(await client.log(await client.start(), body), 400)
    assert error["code"] == ("invalid_request" if name == "nothing" else "invalid_batch")
    assert place in error["message"]


@pytest.mark.parametrize("step", [-(2**63), 2**63 - 1])
async def test_every_int64_is_a_step(client: GatewayClient, step: int) -> None:
    assert (await client.log(await client.start(), batch(1, steps=[step]))).status_code == 202


async def test_a_batch_over_the_limit_names_it(client: GatewayClient) -> None:
    error = error_of(await client.log(await client.start(), b" " * 1_000_001), 413)
    assert error["code"] == "too_large"
    assert "1000000" in error["message"]


async def test_bad_log_lines(client: GatewayClient) -> None:
    run_id = await client.start()
    for body in (
        lines("x", streams=["stdlog"]),
        lines("x", times=[]),
        lines("x", workspace="other"),
        lines("y" * 16_385),
        lines(),
    ):
        assert error_of(await client.write_lines(run_id, body), 400)["code"] == "invalid_batch"


async def test_a_submitted_run_needs_its_snapshot(client: GatewayClient) -> None:
    spec = {"script": "train.py", "snapshot_id": "0" * 64}
    answer = await client.post_run(new_run_id(), type="script", spec=spec)
    assert error_of(answer, 400)["code"] == "invalid_snapshot"


async def test_a_heartbeat_lies_in_the_log_at_the_brokers_time(
    client: GatewayClient, broker: Broker
) -> None:
    run_id = await client.start()
    place = place_of(HEARTBEATS_TOPIC, run_id)
    consumer = await open_consumer(broker.bootstrap, client_id="test")
    try:
        consumer.assign([place])
        end = (await consumer.end_offsets([place]))[place]
        answer = await client.http.post(f"/runs/{run_id}/attempts/1/heartbeat")
        assert answer.status_code == 202
        consumer.seek(place, end)
        async with asyncio.timeout(10):
            record = await consumer.getone(place)
    finally:
        await consumer.stop()
    heartbeat = decode_heartbeat(record.value or b"")
    assert (heartbeat.workspace, heartbeat.run_id, heartbeat.attempt) == (
        client.workspace,
        run_id,
        1,
    )
    assert record.key == run_id.encode()
    assert record.timestamp_type == 1  # LogAppendTime
    missing = await client.http.post(f"/runs/{run_id}/attempts/2/heartbeat")
    assert error_of(missing, 404)["code"] == "attempt_not_found"
    nobody = await client.http.post(f"/runs/{new_run_id()}/attempts/1/heartbeat")
    assert error_of(nobody, 404)["code"] == "run_not_found"
