"""Files, blobs and snapshots over HTTP."""

import asyncio
import hashlib
import http.client
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from runhistory.domain.ids import new_run_id
from runhistory.snapshots.manifest import File, Manifest
from tests.support.gateway_world import GatewayClient, error_of

pytestmark = pytest.mark.infrastructure

LARGE = bytes(range(256)) * 40_000  # 10 MB: streamed, not buffered


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 100_000):
        yield data[start : start + 100_000]


def ask_raw(gateway: Any, method: str, path: str, body: bytes = b"") -> tuple[int, Any]:
    """A request whose path no client library has tidied up."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
    connection.putrequest(method, path, skip_host=False, skip_accept_encoding=True)
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


@pytest.mark.parametrize("data", [b"", b"small", LARGE], ids=len)
async def test_blobs_come_back(client: GatewayClient, data: bytes) -> None:
    digest = sha256(data)
    for _ in range(2):
        answer = await client.http.put(f"/blobs/{digest}", content=pieces(data))
        assert answer.status_code == 201
        assert answer.json() == {"sha256": digest, "size": len(data)}
    answer = await client.http.get(f"/blobs/{digest}")
    assert answer.content == data
    assert answer.headers["content-length"] == str(len(data))


@pytest.mark.parametrize("data", [b"small", LARGE], ids=len)
async def test_other_bytes_than_the_digest_says(client: GatewayClient, data: bytes) -> None:
    digest = sha256(data + b"x")
    answer = await client.http.put(f"/blobs/{digest}", content=data)
    assert error_of(answer, 400)["code"] == "digest_mismatch"
    assert error_of(await client.http.get(f"/blobs/{digest}"), 404)["code"] == "not_found"


async def test_a_blob_over_the_limit(client: GatewayClient) -> None:
    data = b"x" * 20_000_001
    answer = await client.http.put(f"/blobs/{sha256(data)}", content=data)
    error = error_of(answer, 413)
    assert error["code"] == "too_large"
    assert "20000000 bytes" in error["message"]


async def test_only_missing_blobs_are_named(client: GatewayClient) -> None:
    there, absent = sha256(b"there"), sha256(b"absent")
    await client.http.put(f"/blobs/{there}", content=b"there")
    answer = await client.http.post("/blobs/missing", json={"sha256": [absent, there, absent]})
    assert answer.json() == {"missing": [absent]}


@pytest.mark.parametrize("digest", ["0" * 63, "0" * 65, "g" * 64, "0" * 64 + "%0A", ".."])
async def test_digests_that_are_none(client: GatewayClient, digest: str) -> None:
    answer = await client.http.put(f"/blobs/{digest}", content=b"")
    assert answer.status_code in {400, 404, 405}
    error_of(answer, answer.status_code)


async def test_a_snapshot_needs_all_its_blobs(client: GatewayClient) -> None:
    code = b"print('hello')\n"
    manifest = Manifest.of([File(path="train.py", mode=0o644, size=len(code), sha256=sha256(code))])
    path = f"/snapshots/{manifest.snapshot_id}"
    error = error_of(await client.http.put(path, content=manifest.encode()), 400)
    assert error["code"] == "invalid_manifest"
    assert error["details"]["missing"] == [sha256(code)]
    assert error_of(await client.http.get(path), 404)["code"] == "not_found"

    await client.http.put(f"/blobs/{sha256(code)}", content=code)
    for _ in range(2):
        assert (await client.http.put(path, content=manifest.encode())).status_code == 201
    assert (await client.http.get(path)).content == manifest.encode()

    other = f"/snapshots/{sha256(b'other')}"
    answer = await client.http.put(other, content=manifest.encode())
    assert error_of(answer, 400)["code"] == "digest_mismatch"
    for bad in (b"{}", b"[", json.dumps(json.loads(manifest.encode())).encode()):
        answer = await client.http.put(f"/snapshots/{sha256(bad)}", content=bad)
        assert error_of(answer, 400)["code"] == "invalid_manifest"

    spec = {"script": "train.py", "snapshot_id": manifest.snapshot_id}
    created = await client.post_run(new_run_id(), type="script", spec=spec)
    assert created.json()["status"] == "Queued"
    absent = await client.post_run(new_run_id(), type="script", spec={**spec, "script": "x.py"})
    assert error_of(absent, 400)["code"] == "invalid_script"
    elsewhere = {**spec, "compute_target": "moon"}
    refused = error_of(await client.post_run(new_run_id(), type="script", spec=elsewhere), 409)
    assert refused["code"] == "unknown_compute_target"
    assert "local" in refused["message"]


@pytest.mark.parametrize("data", [b"", b"weights", LARGE], ids=len)
async def test_files_come_back(client: GatewayClient, data: bytes) -> None:
    run_id = await client.start()
    name = "outputs/sub dir/modèle 100%.pt"
    answer = await client.http.put(
        f"/runs/{run_id}/attempts/1/files/outputs/sub%20dir/mod%C3%A8le%20100%25.pt",
        content=pieces(data),
    )
    assert answer.status_code == 201, answer.text
    kept = answer.json()
    assert kept["file"] == {
        "name": name,
        "sha256": sha256(data),
        "size": len(data),
        "content_type": "application/octet-stream",
    }
    watermark = kept["watermark"]
    listed = await client.read(f"/runs/{run_id}/files", watermark)
    assert [file["name"] for file in listed["files"]] == [name]
    found = await client.http.get(f"/runs/{run_id}/files/outputs/sub%20dir/mod%C3%A8le%20100%25.pt")
    assert found.content == data
    assert found.headers["content-length"] == str(len(data))


async def test_a_name_again_is_the_newer_file(client: GatewayClient) -> None:
    run_id = await client.start()
    path = f"/runs/{run_id}/attempts/1/files/notes.txt"
    for data in (b"old", b"new", b"old"):
        watermark = (await client.http.put(path, content=data)).json()["watermark"]
    answer = await client.http.get(
        f"/runs/{run_id}/files/notes.txt", params={"watermark": watermark}
    )
    assert answer.content == b"old"
    assert len((await client.read(f"/runs/{run_id}/files"))["files"]) == 1


async def test_no_browser_shows_what_a_script_wrote(client: GatewayClient) -> None:
    run_id = await client.start()
    kept = await client.http.put(
        f"/runs/{run_id}/attempts/1/files/report.html",
        content=b"<script>steal()</script>",
        headers={"Content-Type": "text/html"},
    )
    answer = await client.http.get(
        f"/runs/{run_id}/files/report.html", params={"watermark": kept.json()["watermark"]}
    )
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''report.html"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]


CLIMBING = [
    "../x",
    "..",
    "a/../../x",
    "a/..",
    "%2e%2e/x",
    "%2E%2E%2Fx",
    "a%2f..%2f..%2fx",
    "..%2fx",
    "/etc/passwd",
    "%2Fetc%2Fpasswd",
    "a//b",
    "a/",
    "./a",
    "a/./b",
    "a%00b",
    "a%0Ab",
    "a%0A",
    "..%5cx",
    "C:%5cx",
    "%ff",
    "a" * 1_025,
    "",
]


@pytest.mark.parametrize("name", CLIMBING)
async def test_names_that_climb_out(client: GatewayClient, gateway: Any, name: str) -> None:
    run_id = await client.start()
    base = f"/api/v1/workspaces/{client.workspace}/runs/{run_id}"
    for method, path in (("PUT", f"{base}/attempts/1/files/"), ("GET", f"{base}/files/")):
        status, body = await asyncio.to_thread(ask_raw, gateway, method, path + name)
        if name == "":  # the list of files, or no such path
            assert status in {200, 404, 405}
            continue
        assert status == 400, body
        assert body["error"]["code"] == "invalid_file_name"
        assert "relative path" in body["error"]["message"]


async def test_names_are_decoded_once(client: GatewayClient, gateway: Any) -> None:
    run_id = await client.start()
    path = f"/api/v1/workspaces/{client.workspace}/runs/{run_id}/attempts/1/files/%252e%252e%252fx"
    status, body = await asyncio.to_thread(ask_raw, gateway, "PUT", path, b"x")
    assert status == 201
    assert body["file"]["name"] == "%2e%2e%2fx"


async def test_a_download_of_what_is_not_there_names_what_is(client: GatewayClient) -> None:
    run_id = await client.create()
    started = (await client.command(run_id, "start")).json()["watermark"]
    nothing = error_of(
        await client.http.get(f"/runs/{run_id}/files/model.pt", params={"watermark": started}), 404
    )
    assert nothing["code"] == "file_not_found"
    assert nothing["details"] == {"files": []}
    kept = await client.http.put(f"/runs/{run_id}/attempts/1/files/outputs/m.pt", content=b"x")
    answer = await client.http.get(
        f"/runs/{run_id}/files/model.pt", params={"watermark": kept.json()["watermark"]}
    )
    assert error_of(answer, 404)["details"] == {"files": ["outputs/m.pt"]}
    unknown = await client.http.get(f"/runs/{new_run_id()}/files/model.pt")
    assert error_of(unknown, 404)["code"] == "run_not_found"


async def test_files_of_unknown_runs_and_attempts(client: GatewayClient) -> None:
    path = "/runs/{}/attempts/{}/files/x"
    unknown = await client.http.put(path.format(new_run_id(), 1), content=LARGE)
    assert error_of(unknown, 404)["code"] == "run_not_found"
    run_id = await client.start()
    late = await client.http.put(path.format(run_id, 2), content=b"x")
    assert error_of(late, 404)["code"] == "attempt_not_found"
