"""How the SDK speaks to a gateway: retries, errors, watermarks, proxies."""

import io
import socket
import time
from pathlib import Path

import pytest

from runhistory.sdk import http
from runhistory.sdk.address import Address, find_address
from runhistory.sdk.errors import (
    Conflict,
    InvalidRequest,
    NobodyAnswers,
    NotFound,
    RunHistoryError,
    Unauthorized,
    Unavailable,
)
from runhistory.sdk.http import Connection
from tests.support.scripted_gateway import Answer, Request, ScriptedGateway


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "LONGEST_PAUSE", 0.01)


@pytest.fixture
def connection(gateway: ScriptedGateway) -> Connection:
    return Connection(Address(url=gateway.url))


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.parametrize(
    "failure", [Answer(0, None), Answer(500, {}), Answer(502, b"<html>"), Answer(503, {})]
)
def test_a_request_is_repeated_as_it_was(
    gateway: ScriptedGateway, connection: Connection, failure: Answer
) -> None:
    fates = iter([failure, failure, failure])
    gateway.script = lambda request: next(fates, Answer(200, {"fine": True}))
    assert connection.send("POST", "/runs", {"command_id": "c1"}) == {"fine": True}
    assert len(gateway.requests) == 4
    assert {request.body for request in gateway.requests} == {b'{"command_id":"c1"}'}


def test_a_body_from_a_file_is_sent_whole_each_time(
    gateway: ScriptedGateway, connection: Connection
) -> None:
    fates = iter([Answer(503, {})])
    gateway.script = lambda request: next(fates, Answer(201, {}))
    content = bytes(range(256)) * 5_000
    connection.put("/blobs/x", lambda: io.BytesIO(content))
    assert [request.body for request in gateway.requests] == [content, content]


def test_patience_ends(gateway: ScriptedGateway, connection: Connection) -> None:
    answer = {"error": {"code": "reply_timeout", "message": "The lifecycle is away."}}
    gateway.script = lambda request: Answer(503, answer)
    began = time.monotonic()
    with pytest.raises(Unavailable, match="The lifecycle is away") as caught:
        connection.get("/runs", patience=1.0)
    assert time.monotonic() - began < 5
    assert (caught.value.code, caught.value.status) == ("reply_timeout", 503)
    assert len(gateway.requests) > 2


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequest),
        (401, Unauthorized),
        (403, Unauthorized),
        (404, NotFound),
        (409, Conflict),
        (413, InvalidRequest),
        (418, RunHistoryError),
    ],
)
def test_a_refusal_is_not_repeated_and_says_what_the_gateway_said(
    gateway: ScriptedGateway, connection: Connection, status: int, kind: type[RunHistoryError]
) -> None:
    error = {"code": "some_code", "message": "Do this.", "details": {"status": "Canceled"}}
    gateway.script = lambda request: Answer(status, {"error": error})
    with pytest.raises(kind, match=r"Do this\.") as caught:
        connection.get("/runs/1")
    assert caught.value.code == "some_code"
    assert caught.value.status == status
    assert caught.value.details == {"status": "Canceled"}
    assert len(gateway.requests) == 1


def test_an_error_page_of_something_else_is_an_error_too(
    gateway: ScriptedGateway, connection: Connection
) -> None:
    gateway.script = lambda request: Answer(404, b"<html>nginx</html>")
    with pytest.raises(NotFound, match="HTTP 404"):
        connection.get("/runs")


def test_when_nobody_answers_it_says_where_and_what_to_do() -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    connection = Connection(Address(url=url, origin="RUNHISTORY_URL"))
    began = time.monotonic()
    with pytest.raises(NobodyAnswers) as caught:
        connection.get("/runs")
    assert time.monotonic() - began < http.FIRST_PATIENCE + 2
    for part in (url, "RUNHISTORY_URL", "runhistory up"):
        assert part in str(caught.value)


def test_when_a_file_names_the_address_the_advice_is_about_the_file(tmp_path: Path) -> None:
    file = tmp_path / "my data/config.json"
    file.parent.mkdir()
    file.write_text(f'{{"url": "http://127.0.0.1:{closed_port()}"}}')
    with pytest.raises(NobodyAnswers) as caught:
        Connection(find_address(file)).get("/runs", patience=0.0)
    assert f"`runhistory up --data '{file.parent}'`" in str(caught.value)
    assert f"remove {file} " in str(caught.value)
    assert "in RUNHISTORY_URL" not in str(caught.value), "the file would win"


def test_reads_carry_the_watermarks_of_own_writes_until_they_were_answered(
    gateway: ScriptedGateway, connection: Connection
) -> None:
    marks = iter(["run.events/3/7", "run.metrics/0/20", "run.metrics/0/19"])

    def script(request: Request) -> Answer:
        return Answer(200, {} if request.method == "GET" else {"watermark": next(marks)})

    gateway.script = script
    for _ in range(3):
        connection.send("POST", "/x", {})
    connection.get("/runs", tag=["a:b", "c:d"], cursor=None)
    connection.get("/runs")
    first, second = gateway.requests[-2:]
    assert first.query == {
        "watermark": ["run.events/3/7", "run.metrics/0/20"],
        "tag": ["a:b", "c:d"],
    }
    assert second.query == {}


def test_a_read_that_failed_leaves_the_watermarks_for_the_next(
    gateway: ScriptedGateway, connection: Connection
) -> None:
    connection.remember({"watermark": "run.events/0/5"})
    gateway.script = lambda request: Answer(503, {})
    with pytest.raises(Unavailable):
        connection.get("/runs", patience=0.0)
    gateway.script = lambda request: Answer(200, {})
    connection.get("/runs")
    assert gateway.requests[-1].query == {"watermark": ["run.events/0/5"]}


def test_a_streamed_read_carries_the_watermarks_and_leaves_them_for_the_next(
    gateway: ScriptedGateway, connection: Connection
) -> None:
    connection.remember({"watermark": "run.events/0/5"})
    with connection.stream("/files/x", attempt=1) as answer:
        answer.read()
    connection.get("/runs")
    streamed, got = gateway.requests
    assert streamed.query == {"attempt": ["1"], "watermark": ["run.events/0/5"]}
    assert got.query == {"watermark": ["run.events/0/5"]}


def test_the_token_goes_along(gateway: ScriptedGateway) -> None:
    Connection(Address(url=gateway.url, token="secret")).get("/runs")
    assert gateway.requests[0].headers["authorization"] == "Bearer secret"


def test_a_gateway_on_this_machine_is_not_reached_through_a_proxy(
    gateway: ScriptedGateway, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    connection.get("/runs")
    assert len(gateway.requests) == 1


def test_connections_are_kept(gateway: ScriptedGateway, connection: Connection) -> None:
    connection.get("/runs")
    client = connection._client
    connection.get("/runs")
    assert connection._client is client
    connection.close()
    connection.get("/runs")
    assert len(gateway.requests) == 3
