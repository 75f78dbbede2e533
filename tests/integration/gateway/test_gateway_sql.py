"""SQL over HTTP: exact values, limits, errors that say what to do, and a query that dies."""

import asyncio
import re
import time
from typing import Any

import httpx
import pytest

from runhistory.clickhouse.client import open_client
from tests.support.gateway_world import GatewayClient, Json, batch, error_of
from tests.support.hostile_sql import HOSTILE

pytestmark = pytest.mark.infrastructure

SLOW = "SELECT max(sipHash64(a.c, b.c, c.c)) FROM (SELECT arrayJoin(range(3000)) AS c) AS a, (SELECT arrayJoin(range(3000)) AS c) AS b, (SELECT arrayJoin(range(3000)) AS c) AS c"  # noqa: E501


async def ask(client: GatewayClient, query: str, *watermarks: str, **fields: Any) -> Json:
    answer = await post(client, query, *watermarks, **fields)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def post(
    client: GatewayClient, query: str, *watermarks: str, **fields: Any
) -> httpx.Response:
    parameters = {"watermark": list(watermarks)}
    return await client.http.post("/sql", json={"query": query, **fields}, params=parameters)


async def test_rows_are_seen_by_their_watermark(client: GatewayClient) -> None:
    run_id = await client.start()
    watermark = (await client.log(run_id, batch(3))).json()["watermark"]
    found = await ask(client, "SELECT step, value FROM points ORDER BY step", watermark)
    assert found["columns"] == [
        {"name": "step", "type": "Int64"},
        {"name": "value", "type": "Float64"},
    ]
    assert found["rows"] == [[0, 0.5], [1, 0.5], [2, 0.5]]
    assert found["truncated"] is False
    assert found["rows_read"] >= 1, "the three lie in one stored row"
    assert found["elapsed_ms"] > 0


async def test_every_value_arrives_as_it_is(client: GatewayClient) -> None:
    query = """SELECT 9223372036854775807::Int64, 18446744073709551615::UInt64, toInt128('1') * -7,
        nan, -inf, 0.1, toDecimal64('1.50', 2), toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0'),
        toDateTime64('2026-01-02 03:04:05.000006', 6, 'UTC'), toDate('2026-01-02'),
        unhex('00ff')::FixedString(2), [1, NULL], (1, 'é'), map('a', nan), map(1, 2), NULL, true"""
    (row,) = (await ask(client, query))["rows"]
    assert row == [
        9223372036854775807, 18446744073709551615, "-7" if isinstance(row[2], str) else -7,
        "NaN", "-Infinity", 0.1, "1.50", "61f0c404-5cb3-11e7-907b-a6006ad3dba0",
        "2026-01-02T03:04:05.000006Z", "2026-01-02",
        "00ff", [1, None], [1, "é"], {"a": "NaN"}, [[1, 2]], None, True,
    ]  # fmt: skip


async def test_the_rows_are_cut_off_and_it_is_said(client: GatewayClient) -> None:
    found = await ask(client, "SELECT arrayJoin(range(10)) AS x ORDER BY x", limit=4)
    assert (found["rows"], found["truncated"]) == ([[0], [1], [2], [3]], True)
    error = error_of(await post(client, "SELECT 1", limit=10**9), 400)
    assert "at most 1,000,000 rows" in error["message"]


async def test_an_arrow_stream_is_had_for_the_asking(client: GatewayClient) -> None:
    import pyarrow as pa

    stream = "application/vnd.apache.arrow.stream"
    answer = await client.http.post(
        "/sql",
        json={"query": "SELECT arrayJoin(range(5)) AS x, 'é' AS s, now64(6) AS t", "limit": 3},
        headers={"accept": stream},
    )
    assert (answer.status_code, answer.headers["content-type"]) == (200, stream)
    table = pa.ipc.open_stream(answer.content).read_all()
    assert table.column("x").to_pylist() == [0, 1, 2]
    assert table.column("s").to_pylist() == ["é"] * 3


async def test_hostile_statements_are_refused(client: GatewayClient) -> None:
    """Each over HTTP, as an attacker would send it; no answer tells of the server."""
    room = asyncio.Semaphore(8)

    async def refused(why: str, statement: str) -> None:
        async with room:
            error = error_of(await post(client, statement), 400)
        assert error["code"] == "invalid_sql", (why, error)
        told = error["message"].replace(statement, "")
        assert not re.search(r"root:|DB::|Code:|127\.0\.0\.1|\.py|/tmp/[a-z]+/", told), why

    await asyncio.gather(*(refused(why, statement) for why, statement in HOSTILE))


async def test_two_workspaces_do_not_see_each_other(client: GatewayClient) -> None:
    async with GatewayClient(client.root) as other:
        run_id = await other.start(tags={"secret": "theirs"})
        seen = (await other.log(run_id, batch(2))).json()["watermark"]
        await ask(other, "SELECT count() FROM points", seen)
        assert (await ask(other, "SELECT count() FROM points"))["rows"] == [[2]]
        for view in ("runs", "points", "tags", "events", "experiments"):
            found = await ask(
                client, f"SELECT * FROM {view} WHERE workspace != '{client.workspace}'"
            )
            assert found["rows"] == []


async def test_refusals_name_the_place(client: GatewayClient) -> None:
    error = error_of(await post(client, "SELECT 1,\n file('/etc/passwd')"), 400)
    assert (error["code"], error["details"]) == ("invalid_sql", {"line": 2, "column": 2})
    error = error_of(await post(client, "SELECT loss FROM runs"), 400)
    assert error["code"] == "invalid_sql"
    assert error["message"].startswith("Unknown expression")
    assert error_of(await post(client, ""), 400)["code"] == "invalid_sql"
    assert error_of(await post(client, "SELECT 1", lim=1), 400)["code"] == "invalid_request"


async def test_what_costs_too_much_is_ended(client: GatewayClient) -> None:
    error = error_of(await post(client, SLOW), 422)
    assert error["code"] == "query_too_expensive"
    assert error["details"]["limit"] == "time"


async def test_a_query_dies_with_its_client(client: GatewayClient, engine: Any) -> None:
    mark = f"SELECT 'mark{time.time_ns()}', "
    asking = asyncio.create_task(post(client, SLOW.replace("SELECT ", mark, 1)))
    watcher = open_client(engine.url)

    def running() -> int:
        found = watcher.query(
            "SELECT count() FROM system.processes WHERE startsWith(query, {mark:String})",
            parameters={"mark": mark},
        ).result_rows
        return int(found[0][0])

    await _until(lambda: running() == 1, 5)
    asking.cancel()
    await _until(lambda: running() == 0, 1.5)  # its own limit would come at 3 s


async def test_the_views_are_listed_with_their_columns(client: GatewayClient) -> None:
    views = {one["name"]: one["columns"] for one in (await client.read("/sql/views"))["views"]}
    assert {"runs", "points", "series", "events"} <= set(views)
    assert {"name": "step", "type": "Int64"} in views["points"]
    assert "event_offsets" not in views


async def _until(check: Any, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(check):
        assert time.monotonic() < deadline, "it never came true"
        await asyncio.sleep(0.05)
