"""What the studio's pages ask: tables, consoles, events, many commands at once, previews."""

import asyncio
import hashlib
import json
from typing import Any

import httpx
import pytest

from runhistory.domain.ids import new_run_id
from tests.support.gateway_world import GatewayClient, batch, error_of, lines

pytestmark = pytest.mark.infrastructure


async def logged(client: GatewayClient, value: float, **content: Any) -> tuple[str, str]:
    """A run in attempt 1 that logged `loss` once, and the watermark of that."""
    run_id = await client.start(**content)
    answer = await client.log(run_id, batch(1, values=[value]))
    return run_id, str(answer.json()["watermark"])


def ids(table: dict[str, Any]) -> list[str]:
    return [row["run_id"] for row in table["rows"]]


async def test_a_table_sorted_by_a_metric_stays_while_runs_come(client: GatewayClient) -> None:
    runs = [
        await logged(client, value, display_name=name, params={"lr": str(value)}, tags={"t": name})
        for value, name in ((0.3, "third"), (0.1, "first"), (0.2, "second"))
    ]
    empty = await client.create()
    answer = await client.command(empty, "set_tags", tags={"n": "1"})
    seen = [*(watermark for _, watermark in runs), answer.json()["watermark"]]
    columns = ["param:lr", "tag:t", "last:loss", "min:no such: key"]
    first, second, third = (runs[place][0] for place in (1, 2, 0))

    asked = {"sort": "last:loss", "column": columns, "limit": 3}
    table = await client.read("/runs/table", *seen, **asked)
    assert (table["total"], table["newer"], table["offset"]) == (4, 0, 0)
    assert ids(table) == [first, second, third]
    assert table["rows"][0]["values"] == ["0.1", "first", 0.1, None]

    new, watermark = await logged(client, 0.0)
    asked |= {"as_of": table["as_of"], "offset": 2, "limit": 5}
    later = await client.read("/runs/table", watermark, **asked)
    assert (later["total"], later["newer"], ids(later)) == (4, 1, [third, empty])
    anew = await client.read("/runs/table", sort="-last:loss", limit=10)
    assert ids(anew) == [third, second, first, new, empty]

    by_text = await client.read("/runs/table", text="FIR", experiment="first")
    assert ids(by_text) == [first]
    some = await client.read("/runs/table", run=[third, first], sort="display_name")
    assert ids(some) == [first, third]
    used = await client.read("/runs/columns")
    assert used["params"] == [{"name": "lr", "runs": 3}]
    assert used["metrics"] == [{"name": "loss", "runs": 4}]


@pytest.mark.parametrize("asked", [{"sort": "loss"}, {"column": "loss"}, {"limit": 1_001}])
async def test_what_no_table_has_is_said(client: GatewayClient, asked: dict[str, Any]) -> None:
    answer = await client.http.get("/runs/table", params=asked)
    assert error_of(answer, 400)["code"] == "invalid_request"


async def test_one_command_to_many_runs_is_answered_for_each(client: GatewayClient) -> None:
    first, second, unknown = await client.create(), await client.create(), new_run_id()
    body = {
        "run_ids": [first, unknown, second],
        "command": {"type": "set_tags", "tags": {"a": "b"}, "command_id": "once"},
    }
    for outcome in ("accepted", "accepted"):  # the second time the old replies come back
        answer = await client.http.post("/commands", json=body)
        assert answer.status_code == 200, answer.text
        results = answer.json()["results"]
        assert [one["run_id"] for one in results] == body["run_ids"]
        assert [one["outcome"] for one in results] == [outcome, "refused", outcome]
        assert results[1]["code"] == "run_not_found"
    run = await client.read(f"/runs/{second}", results[2]["watermark"])
    assert (run["tags"], run["version"]) == ({"a": "b"}, 2)

    body["command"] = {"type": "start"}
    error_of(await client.http.post("/commands", json=body), 400)


async def test_a_run_that_nothing_started_is_not_reproduced(client: GatewayClient) -> None:
    run_id = await client.create()
    watermark = (await client.command(run_id, "start")).json()["watermark"]
    body = {"run_id": new_run_id()}
    path = f"/runs/{run_id}/reproduce"
    answer = await client.http.post(path, json=body, params={"watermark": watermark})
    error = error_of(answer, 409)
    assert (error["code"], "interactive" in error["message"]) == ("not_reproducible", True)
    answer = await client.http.post(f"/runs/{new_run_id()}/reproduce", json=body)
    assert error_of(answer, 404)["code"] == "run_not_found"


async def test_console_lines_keep_their_numbers(client: GatewayClient) -> None:
    run_id = await client.start()
    texts = ["one", "\x1b[31mERROR\x1b[0m two", "three"]
    await client.write_lines(run_id, lines(*texts))
    answer = await client.write_lines(run_id, lines("no error", "five", seq=1))
    watermark = answer.json()["watermark"]

    whole = await client.read(f"/runs/{run_id}/console", watermark)
    assert [(line["number"], line["line"]) for line in whole["lines"]] == list(
        enumerate([*texts, "no error", "five"], start=1)
    )
    window = await client.read(f"/runs/{run_id}/console", **{"from": 2, "limit": 2})
    assert (window["total"], window["lines"]) == (5, whole["lines"][1:3])
    tail = await client.read(f"/runs/{run_id}/console", tail=2)
    assert (tail["lines"], tail["cursor"]) == (whole["lines"][3:], whole["cursor"])
    page = await client.read(f"/runs/{run_id}/logs", after=window["cursor"])
    assert [line["line"] for line in page["lines"]] == ["no error", "five"]
    found = await client.read(f"/runs/{run_id}/console/matches", text="Error")
    assert found == {"total": 2, "numbers": [2, 4]}
    found = await client.read(f"/runs/{run_id}/console/matches", text="error", limit=1)
    assert found == {"total": 2, "numbers": [2]}
    none = await client.read(f"/runs/{run_id}/console", stream="stderr")
    assert (none["total"], none["admitted"]) == (5, 0)
    assert (none["lines"], none["cursor"]) == ([], None)


async def test_console_lines_of_a_stream_have_places_of_their_own(client: GatewayClient) -> None:
    run_id = await client.start()
    streams = ["stdout", "stderr", "stdout", "stderr", "stderr"]
    body = lines(*"abcde") | {"streams": streams}
    watermark = (await client.write_lines(run_id, body)).json()["watermark"]

    async def window(**asked: Any) -> list[tuple[int, int]]:
        found = await client.read(f"/runs/{run_id}/console", watermark, **asked)
        counts = (5, 5) if "stream" not in asked else (5, 3)
        assert (found["total"], found["admitted"]) == counts
        return [(line["number"], line["place"]) for line in found["lines"]]

    assert await window() == [(number, number) for number in range(1, 6)]
    assert await window(from_place=4) == [(4, 4), (5, 5)]
    assert await window(stream="stderr") == [(2, 1), (4, 2), (5, 3)]
    assert await window(stream="stderr", from_place=2, limit=1) == [(4, 2)]
    assert await window(stream="stderr", tail=2) == [(4, 2), (5, 3)]
    assert await window(**{"stream": "stderr", "from": 3, "limit": 1}) == [(4, 2)]


async def test_a_runs_events_as_they_are_in_the_log(client: GatewayClient) -> None:
    run_id = await client.start()
    answer = await client.command(run_id, "set_tags", tags={"a": "b"})
    topic, partition, offset = answer.json()["watermark"].split("/")
    page = await client.read(f"/runs/{run_id}/events", answer.json()["watermark"], limit=2)
    assert [event["type"] for event in page["events"]] == ["run.created.v1", "run.started.v1"]
    assert page["total"] == 3
    rest = await client.read(f"/runs/{run_id}/events", after=2)
    (event,) = rest["events"]
    assert (event["partition"], event["offset"]) == (int(partition), int(offset))
    assert (event["version"], event["data"]["tags"], topic) == (3, {"a": "b"}, "run.events")
    down = await client.read(f"/runs/{run_id}/events", order="desc", after=3)
    assert [event["version"] for event in down["events"]] == [2, 1]


@pytest.mark.parametrize("path", ["console", "console/matches?text=x", "events"])
async def test_of_a_run_that_is_not_there(client: GatewayClient, path: str) -> None:
    answer = await client.http.get(f"/runs/{new_run_id()}/{path}")
    assert error_of(answer, 404)["code"] == "run_not_found"


async def kept(client: GatewayClient, name: str, data: bytes, content_type: str) -> httpx.Response:
    run_id = await client.start()
    path = f"/runs/{run_id}/attempts/1/files/{name}"
    answer = await client.http.put(path, content=data, headers={"Content-Type": content_type})
    await client.read(f"/runs/{run_id}/files", answer.json()["watermark"])
    return await client.http.get(f"/runs/{run_id}/files/{name}", params={"inline": "true"})


async def test_what_is_shown_in_place_cannot_run(client: GatewayClient) -> None:
    page, picture, drawing = await asyncio.gather(
        kept(client, "a.html", b"<script>alert(1)</script>", "text/html"),
        kept(client, "a.png", b"\x89PNG", "image/png"),
        kept(client, "a.svg", b"<svg onload='alert(1)'/>", "image/svg+xml"),
    )
    for answer in (page, picture, drawing):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert page.headers["content-type"] == "text/plain; charset=utf-8"
    assert picture.headers["content-type"] == "image/png"
    kinds = [one.headers["content-disposition"].split(";")[0] for one in (page, picture, drawing)]
    assert kinds == ["inline", "inline", "attachment"]


async def test_a_part_of_a_blob(client: GatewayClient) -> None:
    data = bytes(range(256)) * 20_000
    digest = hashlib.sha256(data).hexdigest()
    await client.http.put(f"/blobs/{digest}", content=data)
    answer = await client.http.get(f"/blobs/{digest}", headers={"Range": "bytes=1000-2999999"})
    assert (answer.status_code, answer.content) == (206, data[1_000:3_000_000])
    assert answer.headers["content-range"] == f"bytes 1000-2999999/{len(data)}"
    assert answer.headers["content-length"] == "2999000"
    answer = await client.http.get(f"/blobs/{digest}", headers={"Range": f"bytes={len(data)}-"})
    assert error_of(answer, 416)["code"] == "range_not_satisfiable"
    assert answer.headers["content-range"] == f"bytes */{len(data)}"


async def test_curves_come_as_numbers_behind_a_header(client: GatewayClient) -> None:
    run_id = await client.start()
    answer = await client.log(run_id, batch(100, values=[*range(99), "Infinity"]))
    asked = {"run": run_id, "key": ["loss", "other"], "points": 10, "from": 10, "to": 99}
    watermark = {"watermark": answer.json()["watermark"]}
    found = await client.http.get("/curves", params={**asked, **watermark})
    assert found.headers["content-type"] == "application/vnd.runhistory.curves"
    length = int.from_bytes(found.content[:4], "little")
    header = json.loads(found.content[4 : 4 + length])
    (curve,) = header["curves"]
    assert (curve["count"], curve["rows"], header["width"]) == (89, 9, 10)
    assert (curve["special"]["steps"], curve["special"]["values"]) == ([99], ["Infinity"])
    assert len(found.content) == 4 + length + 8 * curve["rows"] * len(curve["columns"])

    error_of(await client.http.get("/curves", params={"run": run_id}), 400)
    many = {"run": [new_run_id() for _ in range(20)], "key": [f"k{n}" for n in range(51)]}
    assert "1020 curves" in error_of(await client.http.get("/curves", params=many), 400)["message"]
    none = await client.http.get("/curves", params={"run": new_run_id(), "key": "loss"})
    assert b'"curves":[]' in none.content


async def test_experiments_at_a_glance(client: GatewayClient) -> None:
    run_id, watermark = await logged(client, 0.25, experiment="overview")
    chosen = await client.http.post(
        "/experiments/commands",
        json={"type": "set_tags", "name": "overview", "tags": {"main_metric": "loss"}},
    )
    found = await client.read("/overview", watermark, chosen.json()["watermark"])
    (experiment,) = found["experiments"]
    assert (experiment["name"], experiment["runs"]) == ("overview", {"Running": 1})
    metric = experiment["main_metric"]
    assert (metric["key"], metric["is_chosen"], metric["run_id"]) == ("loss", True, run_id)
    assert (metric["last"], metric["sparkline"]) == (0.25, {"steps": [0], "values": [0.25]})
