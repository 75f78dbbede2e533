"""While the gateway's memory for batches is full, a body is not even read."""

from typing import Any

import msgspec
import pytest

from runhistory.gateway.app import create_app
from runhistory.gateway.appender import Appender
from runhistory.gateway.context import Gateway

RUN = f"/api/v1/workspaces/ws/runs/{'1' * 32}/attempts/1"


class Upload:
    """A request in flight, whose body arrives when the test says so."""

    def __init__(self, path: str, **headers: str) -> None:
        self.status, self.read = 0, 0
        self._headers = [
            (name.replace("_", "-").encode(), v.encode()) for name, v in headers.items()
        ]
        self._path = path

    async def receive(self) -> Any:
        self.read += 1
        return {"type": "http.request", "body": b"x", "more_body": False}

    async def send(self, message: Any) -> None:
        self.status = message.get("status", self.status)

    async def serve(self, app: Any) -> None:
        scope = {
            "type": "http", "method": "POST", "path": self._path, "raw_path": self._path.encode(),
            "root_path": "", "query_string": b"", "headers": self._headers, "scheme": "http",
            "http_version": "1.1", "asgi": {"version": "3.0"}, "client": None, "server": None,
        }  # fmt: skip
        await app(scope, self.receive, self.send)


@pytest.fixture
def appender() -> Appender:
    return Appender("127.0.0.1:9", "test", pending_bytes=1_000)


@pytest.fixture
def app(appender: Appender) -> Any:
    rest: Any = {
        field.name: None
        for field in msgspec.structs.fields(Gateway)
        if field.required and field.name != "appender"
    }
    return create_app(Gateway(appender=appender, **rest))


@pytest.mark.parametrize("path", ["metrics", "logs"])
@pytest.mark.parametrize("headers", [{}, {"content_length": "1"}])
async def test_a_full_gateway_reads_no_body(
    app: Any, appender: Appender, path: str, headers: dict[str, str]
) -> None:
    upload = Upload(f"{RUN}/{path}", **headers)
    with appender.admit(1_000):
        await upload.serve(app)
    assert (upload.status, upload.read) == (503, 0)


@pytest.mark.parametrize("path", ["metrics", "logs"])
async def test_a_body_that_is_being_read_takes_room(
    app: Any, appender: Appender, path: str
) -> None:
    """Each request comes while the one before it is still sending."""
    inner = Upload(f"{RUN}/{path}")

    class Outer(Upload):
        async def receive(self) -> Any:
            await inner.serve(app)
            return await super().receive()

    outer = Outer(f"{RUN}/{path}")
    await outer.serve(app)
    assert (outer.status, outer.read) == (400, 1)
    assert (inner.status, inner.read) == (503, 0)
    after = Upload(f"{RUN}/{path}")
    await after.serve(app)
    assert after.status == 400
