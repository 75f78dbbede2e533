"""Reads over HTTP: what was written is seen by whoever carries its watermark."""

import base64

import httpx
import pytest

from runhistory.domain.ids import new_run_id
from tests.support.gateway_world import GatewayClient, batch, error_of, lines

pytestmark = pytest.mark.infrastructure


async def test_points_are_read_back_by_their_watermark(client: GatewayClient) -> None:
    run_id = await client.start()
    values = [0.5, "NaN", "Infinity", "-Infinity"]
    steps = [-(2**63), 0, 7, 2**63 - 1]
    body = batch(4, values=values, steps=steps)
    watermark = (await client.log(run_id, body)).json()["watermark"]
    (curve,) = (await client.read(f"/runs/{run_id}/metrics", watermark))["series"]
    assert curve["key"] == "loss"
    assert curve["steps"] == steps
    assert curve["values"] == values
    assert curve["times"] == body["times"]
    (summary,) = (await client.read(f"/runs/{run_id}/series"))["series"]
    assert (summary["count"], summary["last"], summary["last_step"]) == (4, "-Infinity", steps[-1])
    assert (summary["min"], summary["max"]) == (0.5, 0.5)
    assert (await client.read(f"/runs/{run_id}/metrics", key="other"))["series"] == []


async def test_a_batch_sent_twice_counts_once(client: GatewayClient) -> None:
    run_id = await client.start()
    sent = [(await client.log(run_id, batch())).json()["watermark"] for _ in range(2)]
    (curve,) = (await client.read(f"/runs/{run_id}/metrics", *sent))["series"]
    assert curve["steps"] == [0, 1, 2]


async def test_a_hole_and_a_changed_batch_are_told(client: GatewayClient) -> None:
    run_id = await client.start()
    tagged = await client.command(run_id, "set_tags", tags={"a": "b"})
    nothing = await client.read(f"/runs/{run_id}/ingestion", tagged.json()["watermark"])
    assert nothing == {"writers": [], "is_whole": True}
    for body in (batch(seq=1), batch(seq=1), batch(seq=4), batch(seq=4, values=[1.0] * 3)):
        answer = await client.log(run_id, body)
    await client.write_lines(run_id, lines("a", "b", seq=0))
    found = await client.read(f"/runs/{run_id}/ingestion", answer.json()["watermark"])
    (writer,) = (one for one in found["writers"] if one["topic"] == "run.metrics")
    assert not found["is_whole"]
    assert (writer["writer"], writer["batches"], writer["points"]) == ("w", 2, 6)
    assert (writer["missing"], writer["missing_batches"]) == (
        [{"first": 0, "last": 0}, {"first": 2, "last": 3}],
        3,
    )
    assert writer["changed"] == [{"seq": 4, "contents": 2}]
    none = await client.http.get(f"/runs/{new_run_id()}/ingestion")
    assert error_of(none, 404)["code"] == "run_not_found"


async def test_lines_come_page_by_page(client: GatewayClient) -> None:
    run_id = await client.start()
    for seq in range(3):
        texts = [f"{seq}-{number} π" for number in range(5)]
        answer = await client.write_lines(run_id, lines(*texts, seq=seq))
    watermark, found, cursor = answer.json()["watermark"], [], None
    while True:
        after = {} if cursor is None else {"after": cursor}
        page = await client.read(f"/runs/{run_id}/logs", watermark, limit=4, **after)
        found += [line["line"] for line in page["lines"]]
        if not page["lines"]:
            break
        cursor = page["cursor"]
    assert found == [f"{seq}-{number} π" for seq in range(3) for number in range(5)]


async def test_a_run_tells_its_life(client: GatewayClient) -> None:
    run_id = await client.start(display_name="the one", tags={"team": "vision"})
    watermark = (await client.command(run_id, "complete")).json()["watermark"]
    run = await client.read(f"/runs/{run_id}", watermark)
    statuses = [change["status"] for change in run["timeline"]]
    assert statuses == ["NotStarted", "Running", "Completed"]
    assert run["created"].endswith("Z")
    for reference in (run_id, run_id[:30], "the one", "@latest"):
        assert await client.read("/runs/resolve", ref=reference) == {"run_id": run_id}
    listed = await client.read("/runs", tag="team:vision", status="Completed")
    assert [one["run_id"] for one in listed["runs"]] == [run_id]
    assert (await client.read("/runs", tag="team:audio"))["runs"] == []


async def test_runs_come_newest_first_page_by_page(client: GatewayClient) -> None:
    created, watermarks = [], []
    for _ in range(5):
        run_id = new_run_id()
        answer = await client.post_run(run_id)
        created.append(run_id)
        watermarks.append(answer.json()["watermark"])
    first = await client.read("/runs", *watermarks, limit=3)
    rest = await client.read("/runs", limit=3, cursor=first["next_cursor"])
    assert [run["run_id"] for run in first["runs"] + rest["runs"]] == created[::-1]
    assert rest["next_cursor"] is None


async def test_several_runs_of_a_name_are_named(client: GatewayClient) -> None:
    runs, watermarks = [], []
    for _ in range(2):
        run_id = new_run_id()
        answer = await client.post_run(run_id, display_name="twin")
        runs.append(run_id)
        watermarks.append(answer.json()["watermark"])
    parameters = {"ref": "twin", "watermark": watermarks}
    error = error_of(await client.http.get("/runs/resolve", params=parameters), 409)
    assert error["code"] == "ambiguous_run"
    assert {one["run_id"] for one in error["details"]["candidates"]} == set(runs)


async def test_an_experiment_with_any_name_is_found(client: GatewayClient) -> None:
    name = "mnist/β 100%"
    answer = await client.http.post("/experiments", json={"name": name, "description": "d"})
    path = "/experiments/mnist%2F%CE%B2%20100%25"
    assert (await client.read(path, answer.json()["watermark"]))["description"] == "d"
    assert [one["name"] for one in (await client.read("/experiments"))["experiments"]] == [name]
    assert error_of(await client.http.get("/experiments/none"), 404)["code"] == "not_found"


async def test_more_points_than_one_answer_may_have(client: GatewayClient) -> None:
    run_id = await client.start()
    for seq, key in enumerate(["a", "b"]):
        answer = await client.log(run_id, batch(9_000, seq=seq, keys=[key]))
        assert answer.status_code == 202, answer.text
    parameters = {"watermark": answer.json()["watermark"]}
    refused = error_of(await client.http.get(f"/runs/{run_id}/metrics", params=parameters), 413)
    assert (refused["code"], refused["details"]) == (
        "too_many_points",
        {"points": 18_000, "limit": 10_000},
    )
    assert "name a key" in refused["message"]
    (curve,) = (await client.read(f"/runs/{run_id}/metrics", key="a", system="false"))["series"]
    assert len(curve["steps"]) == 9_000


@pytest.mark.parametrize("path", ["", "/metrics", "/series", "/logs", "/files", "/files/x"])
async def test_a_run_that_is_not_there(client: GatewayClient, path: str) -> None:
    answer = await client.http.get(f"/runs/{new_run_id()}{path}")
    assert error_of(answer, 404)["code"] == "run_not_found"


def cursor_of(created: int) -> str:
    return base64.urlsafe_b64encode(f"{created} {'0' * 32}".encode()).decode()


@pytest.mark.parametrize(
    ("path", "parameters", "code"),
    [
        ("/runs", {"watermark": "yesterday"}, "invalid_watermark"),
        ("/runs", {"watermark": "run.events/99/1"}, "invalid_watermark"),
        ("/runs", {"cursor": "x"}, "invalid_cursor"),
        ("/runs", {"cursor": ""}, "invalid_cursor"),
        ("/runs", {"cursor": cursor_of(2**63)}, "invalid_cursor"),
        ("/runs", {"limit": "0"}, "invalid_request"),
        ("/runs", {"status": "Sleeping"}, "invalid_request"),
        ("/runs", {"tag": ":no name"}, "invalid_request"),
        ("/runs/resolve", {}, "invalid_request"),
        ("/runs/nothex", {}, "invalid_request"),
        (f"/runs/{'0' * 32}/metrics", {"attempt": "first"}, "invalid_request"),
        (f"/runs/{'0' * 32}/logs", {"after": "x"}, "invalid_cursor"),
        (f"/runs/{'0' * 32}/logs", {"after": ""}, "invalid_cursor"),
        (f"/runs/{'0' * 32}/logs", {"after": f"{2**63}-0"}, "invalid_cursor"),
    ],
)
async def test_a_question_that_is_none(
    client: GatewayClient, path: str, parameters: dict[str, str], code: str
) -> None:
    assert error_of(await client.http.get(path, params=parameters), 400)["code"] == code


async def test_what_is_none_of_a_few_words_is_told_them(client: GatewayClient) -> None:
    error = error_of(await client.http.get("/runs", params={"status": "running"}), 400)
    assert "Running, Starting" in error["message"]
    error = error_of(await client.http.get("/runs", params={"type": "azureml.scriptrun"}), 400)
    assert error["message"].endswith("it is one of interactive, script")


async def test_what_never_becomes_visible_is_given_up(client: GatewayClient) -> None:
    parameters = {"watermark": f"run.events/0/{2**62}"}
    error = error_of(await client.http.get("/runs", params=parameters), 503)
    assert error["code"] == "not_yet_visible"


async def test_errors_of_the_framework_have_the_shape_too(client: GatewayClient) -> None:
    async with httpx.AsyncClient(base_url=client.root) as http:
        assert error_of(await http.get("/nowhere"), 404)["code"] == "not_found"
        assert error_of(await http.post("/api/v1/nowhere"), 404)["code"] == "not_found"
        assert error_of(await http.delete("/healthz"), 405)["code"] == "method_not_allowed"
        document = (await http.get("/openapi.json")).json()
        assert document["info"]["title"] == "runhistory"
        own = (await http.get("/metrics")).text
        assert 'runhistory_gateway_requests_total{method="GET",route="(none)"' in own
