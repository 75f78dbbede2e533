"""Runs that a gateway keeps: never older than a change that it has heard of, whoever made it."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.gateway_world import GatewayClient, error_of, eventually
from tests.support.service_process import ServiceProcess

pytestmark = pytest.mark.infrastructure


class _Way:
    """A way to ClickHouse that can be closed."""

    def __init__(self, url: str) -> None:
        self._port = int(url.rpartition(":")[2])
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> "_Way":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        beyond, to = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers += [writer, to]
        await asyncio.gather(_pass_on(reader, to), _pass_on(beyond, writer))


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@pytest.fixture
async def others(
    client: GatewayClient, gateway_environment: dict[str, str], tmp_path: Path
) -> AsyncIterator[GatewayClient]:
    """The same workspace by another gateway."""
    with ServiceProcess("gateway", tmp_path / "gateway.log", **gateway_environment) as other:
        other.wait_ready()
        async with GatewayClient(f"http://127.0.0.1:{other.port}", client.workspace) as others:
            yield others


async def _is_tagged(client: GatewayClient, run_id: str, value: int) -> bool:
    answer = await client.http.get(f"/runs/{run_id}")
    return answer.status_code == 200 and answer.json()["tags"] == {"n": str(value)}


async def test_changes_by_another_gateway_are_seen_and_never_unseen(
    client: GatewayClient, others: GatewayClient
) -> None:
    """Read all the time, so that kept answers and ClickHouse's take turns."""
    run_id = await client.create(tags={"n": "0"})
    for gateway in (client, others):
        await eventually(functools.partial(_is_tagged, gateway, run_id, 0))
    for change in range(1, 6):
        answer = await others.command(run_id, "set_tags", tags={"n": str(change)})
        watermark = answer.json()["watermark"]
        seen = [0]
        async with asyncio.timeout(20):
            while seen[-1] < change:
                one, two = await asyncio.gather(
                    client.read(f"/runs/{run_id}"), others.read(f"/runs/{run_id}")
                )
                seen.append(int(one["tags"]["n"]))
                assert int(two["tags"]["n"]) >= change - 1
        assert seen[1:] == sorted(seen[1:])
        for gateway in (client, others):
            assert (await gateway.read(f"/runs/{run_id}", watermark))["tags"]["n"] == str(change)
            assert await _is_tagged(gateway, run_id, change)


async def test_an_answer_from_memory_has_the_bytes_of_clickhouse_s(client: GatewayClient) -> None:
    run_id = await client.create(tags={"n": "0"})
    watermark = (await client.command(run_id, "set_tags", tags={"n": "1"})).json()["watermark"]
    path = f"/runs/{run_id}"
    first = await client.http.get(path, params={"watermark": watermark})
    kept = await client.http.get(path)
    asked = await client.http.get(path, params={"watermark": watermark})
    assert first.content == kept.content == asked.content
    assert kept.headers["content-type"] == first.headers["content-type"] == "application/json"


async def test_a_kept_run_needs_no_clickhouse_but_a_changed_one_does(
    client: GatewayClient, gateway_environment: dict[str, str], tmp_path: Path
) -> None:
    run_id = await client.create()
    async with _Way(gateway_environment["RUNHISTORY_CLICKHOUSE"]) as way:
        environment = {**gateway_environment, "RUNHISTORY_CLICKHOUSE": way.url}
        with ServiceProcess("gateway", tmp_path / "gateway.log", **environment) as own:
            own.wait_ready()
            url = f"http://127.0.0.1:{own.port}"
            async with GatewayClient(url, client.workspace) as others:
                await others.command(run_id, "set_tags", tags={"n": "1"})
                await eventually(lambda: _is_tagged(others, run_id, 1))
                await way.close()
                assert await _is_tagged(others, run_id, 1)
                await client.command(run_id, "set_tags", tags={"n": "2"})

                async def is_dropped() -> bool:
                    return (await others.http.get(f"/runs/{run_id}")).status_code == 503

                await eventually(is_dropped)


async def test_a_deleted_run_is_gone_at_both(client: GatewayClient, others: GatewayClient) -> None:
    run_id = await client.create()
    watermark = (await client.command(run_id, "cancel")).json()["watermark"]
    for gateway in (client, others):
        await gateway.read(f"/runs/{run_id}", watermark)
        await gateway.read(f"/runs/{run_id}")
    watermark = (await others.command(run_id, "delete")).json()["watermark"]
    for gateway in (client, others):
        for parameters in ({"watermark": watermark}, {}):
            answer = await gateway.http.get(f"/runs/{run_id}", params=parameters)
            assert error_of(answer, 410)["code"] == "run_deleted"


async def test_what_a_killed_gateway_did_not_hear_is_seen_after_its_restart(
    client: GatewayClient, gateway_environment: dict[str, str], tmp_path: Path
) -> None:
    run_id = await client.create(tags={"n": "0"})
    with ServiceProcess("gateway", tmp_path / "gateway.log", **gateway_environment) as mortal:
        mortal.wait_ready()
        url = f"http://127.0.0.1:{mortal.port}"
        async with GatewayClient(url, client.workspace) as others:
            await others.command(run_id, "set_tags", tags={"n": "1"})
            await eventually(lambda: _is_tagged(others, run_id, 1))
        mortal.kill()
        await client.command(run_id, "set_tags", tags={"n": "2"})
        mortal.start()
        mortal.wait_ready()
        async with GatewayClient(url, client.workspace) as others:
            await eventually(lambda: _is_tagged(others, run_id, 2))
            await client.command(run_id, "set_tags", tags={"n": "3"})
            await eventually(lambda: _is_tagged(others, run_id, 3))


async def test_a_gateway_that_was_frozen_soon_tells_what_it_slept_through(
    client: GatewayClient, gateway_environment: dict[str, str], tmp_path: Path
) -> None:
    run_id = await client.create(tags={"n": "0"})
    with ServiceProcess("gateway", tmp_path / "gateway.log", **gateway_environment) as sleeper:
        sleeper.wait_ready()
        url = f"http://127.0.0.1:{sleeper.port}"
        async with GatewayClient(url, client.workspace) as others:
            await others.command(run_id, "set_tags", tags={"n": "1"})
            await eventually(lambda: _is_tagged(others, run_id, 1))
            sleeper.freeze()
            answer = await client.command(run_id, "set_tags", tags={"n": "2"})
            watermark = answer.json()["watermark"]
            sleeper.thaw()
            assert (await others.read(f"/runs/{run_id}", watermark))["tags"]["n"] == "2"
            assert await _is_tagged(others, run_id, 2)
