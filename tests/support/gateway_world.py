"""A gateway with what stands behind it, as processes, and a client that speaks HTTP to it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from runhistory.domain.ids import new_command_id, new_run_id

Json = dict[str, Any]


def batch(points: int = 3, **changes: Any) -> Json:
    """A good metric batch, changed here and there."""
    return {
        "writer": "w",
        "seq": 0,
        "keys": ["loss"],
        "key_index": [1] * points,
        "steps": list(range(points)),
        "values": [0.5] * points,
        "times": [1_700_000_000_000_000] * points,
        **changes,
    }


def lines(*texts: str, **changes: Any) -> Json:
    """A good batch of console lines."""
    return {
        "writer": "w",
        "seq": 0,
        "streams": ["stdout"] * len(texts),
        "times": [1_700_000_000_000_000] * len(texts),
        "lines": list(texts),
        **changes,
    }


class GatewayClient:
    """One workspace of one gateway."""

    def __init__(self, url: str, workspace: str | None = None) -> None:
        self.workspace = workspace or f"ws-{new_run_id()}"
        self.root = url
        self.http = httpx.AsyncClient(
            base_url=f"{url}/api/v1/workspaces/{self.workspace}", timeout=30
        )

    async def __aenter__(self) -> "GatewayClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def create(self, run_id: str | None = None, **content: Any) -> str:
        """A fresh interactive run, not started."""
        run_id = run_id or new_run_id()
        answer = await self.post_run(run_id, **content)
        assert answer.status_code == 201, answer.text
        return run_id

    async def post_run(self, run_id: str, **content: Any) -> httpx.Response:
        body = {
            "run_id": run_id,
            "command_id": new_command_id(),
            "content": {"type": "interactive", "experiment": "first", **content},
        }
        return await self.http.post("/runs", json=body)

    async def start(self, **content: Any) -> str:
        """A fresh interactive run in attempt 1."""
        run_id = await self.create(**content)
        answer = await self.command(run_id, "start")
        assert answer.json()["attempt"] == 1, answer.text
        return run_id

    async def command(self, run_id: str, type: str, **fields: Any) -> httpx.Response:
        return await self.http.post(f"/runs/{run_id}/commands", json={"type": type, **fields})

    async def log(self, run_id: str, body: Json | bytes, attempt: int = 1) -> httpx.Response:
        path = f"/runs/{run_id}/attempts/{attempt}/metrics"
        if isinstance(body, bytes):
            return await self.http.post(path, content=body)
        return await self.http.post(path, json=body)

    async def write_lines(self, run_id: str, body: Json, attempt: int = 1) -> httpx.Response:
        return await self.http.post(f"/runs/{run_id}/attempts/{attempt}/logs", json=body)

    async def read(self, path: str, *watermarks: str, **parameters: Any) -> Json:
        """A read that succeeds."""
        answer = await self.http.get(path, params={**parameters, "watermark": list(watermarks)})
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found


def error_of(answer: httpx.Response, status: int) -> Json:
    """The error of an answer, which has the one shape that errors have."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/json")
    body = answer.json()
    assert set(body) == {"error"}
    error: Json = body["error"]
    assert set(error) == {"code", "message", "details"}
    assert error["code"]
    assert len(error["message"]) > 10
    if status == 503:
        assert int(answer.headers["retry-after"]) > 0
    return error


async def eventually(check: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    """Until `await check()` is true."""
    deadline = time.monotonic() + seconds
    while not await check():
        assert time.monotonic() < deadline, "it never came true"
        await asyncio.sleep(0.1)
