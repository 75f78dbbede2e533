"""Who may come in: tokens, and pages of other sites that the user's own browser shows."""

import json
from typing import Any

import httpx
import pytest

from runhistory.gateway.door import Door


async def inside(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def ask(door: Door, path: str = "/api/v1/x", **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(app=door)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8780") as client:
        return await client.get(path, headers=headers)


def door(token: str | None = None, loopback_only: bool = True) -> Door:
    return Door(inside, token=token, loopback_only=loopback_only)


def code_of(answer: httpx.Response) -> str:
    error = json.loads(answer.content)["error"]
    assert set(error) == {"code", "message", "details"}
    return str(error["code"])


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8780", "localhost:1", "LOCALHOST.", "127.8.8.8", "[::1]:8780"]
)
async def test_names_of_this_machine_come_in(host: str) -> None:
    assert (await ask(door(), Host=host)).status_code == 204


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8780",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "localhost@evil.example",
        "evil.example@localhost",
        "localhost/evil.example",
        "10.0.0.1",
        "0.0.0.0",
        "[::]",
        "[",
        "",
    ],
)
async def test_a_rebound_name_does_not(host: str) -> None:
    answer = await ask(door(), Host=host)
    assert answer.status_code == 403
    assert code_of(answer) == "foreign_host"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost.evil", ""])
async def test_pages_of_other_sites_do_not(origin: str) -> None:
    answer = await ask(door(), Origin=origin)
    assert answer.status_code == 403
    assert code_of(answer) == "foreign_origin"


async def test_a_page_of_this_machine_does() -> None:
    assert (await ask(door(), Origin="http://localhost:5173")).status_code == 204


async def test_on_a_network_the_token_is_what_counts() -> None:
    open_door = door(token="secret", loopback_only=False)
    host = {"Host": "gateway.example", "Origin": "https://studio.example"}
    assert (await ask(open_door, Authorization="Bearer secret", **host)).status_code == 204
    assert code_of(await ask(open_door, **host)) == "unauthorized"


@pytest.mark.parametrize(
    "shown", ["", "Bearer ", "Bearer Secret", "secret", "Basic secret", "Bearer secret x"]
)
async def test_another_token_does_not_open(shown: str) -> None:
    answer = await ask(door(token="secret"), Authorization=shown)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "RUNHISTORY_TOKEN" in answer.json()["error"]["message"]


async def test_health_needs_no_token() -> None:
    assert (await ask(door(token="secret"), path="/healthz")).status_code == 204
