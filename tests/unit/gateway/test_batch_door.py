"""The short way for batches is a short way, not another one: the framework is the oracle."""

import json
from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runhistory.events.codec import Watermark
from runhistory.gateway.app import create_app
from runhistory.gateway.appender import Appender, LogUnavailable
from runhistory.gateway.attempts import AttemptNotFound, RunNotFound
from runhistory.gateway.batch_door import BatchDoor
from runhistory.gateway.context import Gateway
from runhistory.query.deleted_runs import RunDeleted

RUN, DELETED, UNKNOWN = "1" * 32, "2" * 32, "3" * 32
METRICS = {
    "writer": "w",
    "seq": 7,
    "keys": ["loss"],
    "key_index": [1, 1],
    "steps": [1, 2],
    "values": [0.5, "NaN"],
    "times": [1, 2],
}
LOGS = {"writer": "w", "seq": 1, "streams": ["stdout"], "times": [1], "lines": ["hello"]}
RECORDS = {
    "writer": "w",
    "seq": 1,
    "records": [{"key": "k", "kind": "value", "value": "text", "step": 0, "time": 1}],
}


class Log(Appender):
    """Remembers what was appended; `fails` says that Kafka is away."""

    def __init__(self) -> None:
        super().__init__("127.0.0.1:9", "test")
        self.appended: list[tuple[str, bytes, bytes]] = []
        self.fails = False

    async def append(self, topic: str, key: bytes, value: bytes, headers: Any) -> Watermark:
        if self.fails:
            raise LogUnavailable("Kafka did not take the batch.")
        self.appended.append((topic, key, value))
        return Watermark(topic, 0, len(self.appended))


class Attempts:
    async def require(self, workspace: str, run_id: str, attempt: int) -> None:
        if run_id == UNKNOWN:
            raise RunNotFound(workspace, run_id)
        if run_id == DELETED:
            raise RunDeleted(run_id)
        if attempt > 2:
            raise AttemptNotFound(run_id, attempt, 2)


async def ask(app: Any, path: str, pieces: list[bytes], **headers: str) -> tuple[int, bytes]:
    waiting = list(pieces)
    answer: list[Any] = []

    async def receive() -> Any:
        piece = waiting.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(waiting)}

    async def send(message: Any) -> None:
        answer.append(message)

    encoded = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    scope = {
        "type": "http", "method": "POST", "path": path, "raw_path": path.encode(),
        "root_path": "", "query_string": b"", "headers": encoded, "scheme": "http",
        "http_version": "1.1", "asgi": {"version": "3.0"}, "client": None, "server": None,
    }  # fmt: skip
    await app(scope, receive, send)
    start = answer[0]
    assert dict(start["headers"])[b"content-type"] == b"application/json"
    return start["status"], b"".join(message.get("body", b"") for message in answer[1:])


@cache
def gateway_of(log: Log) -> tuple[Any, Any]:
    """The framework's application, and the short way before it."""
    rest: Any = {f.name: None for f in msgspec.structs.fields(Gateway) if f.required}
    gateway = Gateway(**{**rest, "appender": log, "attempts": Attempts()})
    app = create_app(gateway)
    return app, BatchDoor(app, gateway)


LOG = Log()


async def both(path: str, pieces: list[bytes], *, fails: bool = False) -> tuple[int, bytes]:
    """The answer of the short way, which is the framework's own."""
    answers, logs = [], []
    LOG.fails = fails
    for app in gateway_of(LOG):
        LOG.appended = []
        length = str(sum(map(len, pieces)))
        answers.append(await ask(app, path, pieces, content_length=length))
        logs.append(LOG.appended)
    assert answers[0] == answers[1]
    assert logs[0] == logs[1]
    return answers[0]


def path_of(kind: str, run: str = RUN, attempt: str = "1", workspace: str = "ws") -> str:
    return f"/api/v1/workspaces/{workspace}/runs/{run}/attempts/{attempt}/{kind}"


@pytest.mark.parametrize(
    ("kind", "batch"), [("metrics", METRICS), ("logs", LOGS), ("records", RECORDS)]
)
async def test_a_batch_is_taken(kind: str, batch: dict[str, Any]) -> None:
    body = json.dumps(batch).encode()
    assert (await both(path_of(kind), [body]))[0] == 202
    assert (await both(path_of(kind), [body[:9], b"", body[9:]]))[0] == 202


@pytest.mark.parametrize(
    ("run", "attempt", "workspace", "status"),
    [
        (UNKNOWN, "1", "ws", 404),
        (DELETED, "1", "ws", 410),
        (RUN, "3", "ws", 404),
        (RUN, "0", "ws", 400),
        (RUN, "01", "ws", 202),
        (RUN, "99999999999", "ws", 400),
        (RUN, "x", "ws", 404),
        (RUN.upper().replace("1", "A"), "1", "ws", 400),
        (RUN, "1", "-ws", 400),
        (RUN, "1", "w" * 64, 400),
    ],
)
async def test_whose_batch_it_is_has_to_be_right(
    run: str, attempt: str, workspace: str, status: int
) -> None:
    body = json.dumps(METRICS).encode()
    assert (await both(path_of("metrics", run, attempt, workspace), [body]))[0] == status


@pytest.mark.parametrize("kind", ["metrics", "logs", "records"])
async def test_kafka_away_is_503(kind: str) -> None:
    body = json.dumps({"metrics": METRICS, "logs": LOGS, "records": RECORDS}[kind]).encode()
    assert (await both(path_of(kind), [body], fails=True))[0] == 503


@pytest.mark.parametrize("kind", ["metrics", "logs", "records"])
async def test_too_many_bytes_are_413(kind: str) -> None:
    status, answer = await both(path_of(kind), [b" " * 1_048_577])
    assert status == 413
    assert b"bytes" in answer


@settings(deadline=None)  # a loaded machine stops for longer than any call takes
@given(
    kind=st.sampled_from(["metrics", "logs", "records"]),
    body=st.one_of(
        st.binary(max_size=40),
        st.dictionaries(
            st.sampled_from([*METRICS, *LOGS, "other"]),
            st.one_of(st.integers(), st.text(max_size=4), st.lists(st.integers(), max_size=3)),
        ).map(lambda value: json.dumps(value).encode()),
        st.sampled_from([*METRICS]).map(
            lambda name: json.dumps({k: v for k, v in METRICS.items() if k != name}).encode()
        ),
    ),
)
async def test_what_is_no_batch_is_refused_in_the_same_words(kind: str, body: bytes) -> None:
    assert (await both(path_of(kind), [body]))[0] == 400
