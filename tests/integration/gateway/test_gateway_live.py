"""What a page is told of the runs that it watches, in one stream, and that it misses nothing."""

import asyncio
import time
from typing import Any

import pytest

from runhistory.domain.ids import new_run_id
from runhistory.gateway.live_shape import LiveShape
from tests.support.event_streams import subscribed
from tests.support.gateway_world import GatewayClient, batch, error_of, lines

pytestmark = pytest.mark.infrastructure

SAMPLES = 30


def live(client: GatewayClient, run_ids: list[str], last_event_id: str = "", **query: Any) -> Any:
    return subscribed(client, last_event_id, path="/live", run=run_ids, **query)


def of_type(stream: Any, type: str) -> list[dict[str, Any]]:
    return [message.event for message in stream.messages if message.type == type]


async def test_events_points_and_lines_of_a_run_come_in_one_stream(client: GatewayClient) -> None:
    run, other = await client.start(), await client.start()
    async with live(client, [run]) as stream:
        await client.log(other, batch())
        await client.log(run, batch(2, values=[0.5, "NaN"]))
        await client.write_lines(run, lines("\x1b[31mred\x1b[0m"))
        await client.command(run, "complete")
        await stream.until(lambda stream: bool(of_type(stream, "event")))
        await stream.has(4)
    assert stream.messages[0].type == "begin"
    (points,), (console,) = of_type(stream, "points"), of_type(stream, "lines")
    assert (points["run_id"], points["attempt"]) == (run, 1)
    assert (points["keys"], points["values"]) == (["loss"], [0.5, "NaN"])
    assert console["lines"] == ["\x1b[31mred\x1b[0m"]
    assert console["watermark"].endswith(f"/{console['offset']}")
    (event,) = of_type(stream, "event")
    assert (event["type"], event["data"]["status"]) == ("run.completed.v1", "Completed")
    seen = await client.read(f"/runs/{run}/series", points["watermark"])
    assert seen["series"][0]["count"] == 2


async def test_what_is_loaded_at_the_beginning_and_what_follows_is_everything(
    client: GatewayClient,
) -> None:
    run = await client.start()
    await client.log(run, batch(1, seq=0))
    async with live(client, [run]) as stream:
        await client.log(run, batch(1, seq=1, steps=[1]))
        await stream.until(lambda stream: bool(of_type(stream, "points")))
        watermarks = stream.messages[0].event["watermarks"]
        loaded = await client.read(f"/runs/{run}/metrics", *watermarks)
        details = await client.read(f"/runs/{run}", *watermarks)
    steps = set(loaded["series"][0]["steps"])
    steps |= {step for points in of_type(stream, "points") for step in points["steps"]}
    assert (steps, details["status"]) == ({0, 1}, "Running")


async def test_it_goes_on_where_it_was_cut(client: GatewayClient) -> None:
    run = await client.start()
    async with live(client, [run]) as stream:
        await client.log(run, batch(1, seq=0))
        await stream.has(2)
    for seq in (1, 2):
        await client.log(run, batch(1, seq=seq, steps=[seq]))
    await client.command(run, "complete")
    async with live(client, [run], stream.position) as again:
        await again.has(3)
    assert [points["steps"] for points in of_type(again, "points")] == [[1], [2]]
    assert [event["type"] for event in of_type(again, "event")] == ["run.completed.v1"]
    assert not of_type(again, "begin")


async def test_too_much_is_told_by_what_moved(client: GatewayClient) -> None:
    run = await client.start()
    async with live(client, [run]) as stream:
        answer = await client.log(run, batch(10_000))
        await client.write_lines(run, lines(*["x" * 100] * 1_000))
        await stream.has(3)
    (moved,), (more,) = of_type(stream, "moved"), of_type(stream, "more_lines")
    watermark = answer.json()["watermark"]
    assert moved == {"run_id": run, "keys": ["loss"], "points": 10_000, "watermark": watermark}
    assert (more["run_id"], more["lines"]) == (run, 1_000)


async def test_who_was_away_for_long_loads_anew(client: GatewayClient) -> None:
    run = await client.start()
    async with live(client, [run], points="false") as stream:
        await stream.has(1)
    for first in range(0, LiveShape.max_gap + 1, 100):
        batches = (lines("x", seq=seq) for seq in range(first, first + 100))
        await asyncio.gather(*(client.write_lines(run, batch) for batch in batches))
    await client.command(run, "complete")
    async with live(client, [run], stream.position, points="false") as again:
        await again.has(1)
        (reset,) = of_type(again, "reset")
        details = await client.read(f"/runs/{run}", *reset["watermarks"])
    assert details["status"] == "Completed"


async def test_points_are_there_soon(client: GatewayClient) -> None:
    run = await client.start()
    delays = []
    async with live(client, [run]) as stream:
        for seq in range(SAMPLES):
            begun = time.time()
            await client.log(run, batch(1, seq=seq, steps=[seq]))
            await stream.has(seq + 2)
            delays.append(stream.messages[-1].arrived - begun)
    assert sorted(delays)[SAMPLES // 2] < 0.5, delays


@pytest.mark.parametrize("asked", [{}, {"run": ["x"]}, {"run": [new_run_id()] * 101}])
async def test_what_cannot_be_watched(client: GatewayClient, asked: dict[str, Any]) -> None:
    error_of(await client.http.get("/live", params=asked), 400)
