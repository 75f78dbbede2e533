"""The studio is served at `/`: strictly, cached as it may be, and nothing but what was built."""

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from runhistory.gateway.app import create_app
from runhistory.gateway.door import Door
from runhistory.gateway.studio_pages import StudioPages

INDEX = b"<!doctype html>" + b"<p>the studio</p>" * 20
SCRIPT = b"export const answer = 42;" * 20


def build(folder: Path, index: bytes = INDEX, script: str = "index-abc123.js") -> None:
    """A build as Vite leaves it, put in place in one move."""
    fresh = folder.with_name("fresh")
    (fresh / "assets").mkdir(parents=True)
    (fresh / "assets" / script).write_bytes(SCRIPT)
    (fresh / "favicon.svg").write_bytes(b"<svg/>")
    (fresh / "index.html").write_bytes(index)
    if folder.exists():
        folder.rename(folder.with_name("old"))
    fresh.rename(folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "pages"


@pytest.fixture
async def http(folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app()
    app.state.pages = StudioPages(folder)
    door = Door(app, token="secret", loopback_only=True)  # type: ignore[arg-type]
    transport = httpx.ASGITransport(app=door)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/w",
        "/w/default/experiments",
        "/w/default/runs/0190?tab=x",
        "/w/%3Cimg%20src=x%3E/runs",
    ],
)
async def test_every_page_is_the_program(folder: Path, http: httpx.AsyncClient, path: str) -> None:
    build(folder)
    answer = await http.get(path)
    assert answer.status_code == 200
    assert answer.content == INDEX
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"


async def test_people_are_told_by_the_program_that_no_page_has_an_address(
    folder: Path, http: httpx.AsyncClient
) -> None:
    build(folder)
    token = {"Authorization": "Bearer secret"}
    answer = await http.get("/elsewhere/at/all", headers={"Accept": "text/html,*/*;q=0.8"} | token)
    assert (answer.status_code, answer.content) == (404, INDEX)
    other = await http.get("/elsewhere/at/all", headers=token)
    assert (other.status_code, other.json()["error"]["code"]) == (404, "not_found")
    lost = await http.get("/assets/index-gone.js", headers={"Accept": "text/html"})
    assert (lost.status_code, lost.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/", "/assets/index-abc123.js", "/favicon.svg"])
async def test_the_browser_is_told_to_be_strict(
    folder: Path, http: httpx.AsyncClient, path: str
) -> None:
    build(folder)
    headers = (await http.get(path)).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert "unsafe" not in headers["content-security-policy"]
    assert "http" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


async def test_what_carries_its_digest_is_kept_for_good(
    folder: Path, http: httpx.AsyncClient
) -> None:
    build(folder)
    asset = await http.get("/assets/index-abc123.js")
    assert asset.content == SCRIPT
    assert "immutable" in asset.headers["cache-control"]
    assert asset.headers["content-type"].startswith("text/javascript")
    assert (await http.get("/favicon.svg")).headers["cache-control"] == "no-cache"


async def test_it_travels_pressed_to_who_can_read_that(
    folder: Path, http: httpx.AsyncClient
) -> None:
    build(folder)
    for path, content in (("/", INDEX), ("/assets/index-abc123.js", SCRIPT)):
        pressed = await http.get(path, headers={"Accept-Encoding": "gzip, br"})
        plain = await http.get(path, headers={"Accept-Encoding": "identity"})
        assert pressed.headers["content-encoding"] == "gzip"
        assert "content-encoding" not in plain.headers
        assert pressed.content == plain.content == content
        assert int(pressed.headers["content-length"]) == len(gzip.compress(content, mtime=0))
        assert pressed.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"


async def test_who_has_it_already_is_told_so(folder: Path, http: httpx.AsyncClient) -> None:
    build(folder)
    etag = (await http.get("/")).headers["etag"]
    again = await http.get("/", headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    assert (await http.get("/", headers={"If-None-Match": '"other"'})).status_code == 200


async def test_head_says_what_get_would(folder: Path, http: httpx.AsyncClient) -> None:
    build(folder)
    head, got = await http.head("/"), await http.get("/")
    assert head.content == b""
    assert head.headers["content-length"] == got.headers["content-length"]


@pytest.mark.parametrize(
    "path",
    [
        "/assets/nothing.js",
        "/assets/../index.html",
        "/assets/..%2f..%2fsecret",
        "/assets/%2e%2e/%2e%2e/secret",
        "/assets/..%5c..%5csecret",
        "/assets//etc/passwd",
        "/assets/%00",
        "/index.html",
        "/secret",
        "/pages/index.html",
    ],
)
async def test_nothing_else_is_there(folder: Path, http: httpx.AsyncClient, path: str) -> None:
    build(folder)
    (folder.parent / "secret").write_text("hidden")
    answer = await http.get(path)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


async def test_pages_take_no_writes_and_the_interface_still_needs_its_token(
    folder: Path, http: httpx.AsyncClient
) -> None:
    build(folder)
    assert (await http.post("/w/default/runs")).status_code == 405
    assert (await http.get("/api/v1/workspaces/default/runs")).status_code == 401
    foreign = {"Host": "evil.example"}
    assert (await http.get("/", headers=foreign)).status_code == 403


async def test_without_a_build_it_says_how_to_make_one(
    folder: Path, http: httpx.AsyncClient
) -> None:
    answer = await http.get("/")
    assert answer.status_code == 200
    assert b"make studio" in answer.content
    build(folder)
    assert (await http.get("/")).content == INDEX


async def test_a_new_build_is_served_when_it_is_whole(
    folder: Path, http: httpx.AsyncClient
) -> None:
    build(folder)
    assert (await http.get("/")).content == INDEX
    (folder / "index.html").unlink()  # the old one is being taken away
    assert (await http.get("/assets/index-abc123.js")).content == SCRIPT
    build(folder, index=b"<p>the next one</p>", script="index-def456.js")
    assert (await http.get("/")).content == b"<p>the next one</p>"
    assert (await http.get("/assets/index-def456.js")).status_code == 200
    assert (await http.get("/assets/index-abc123.js")).status_code == 404
