"""Manifests that nobody's `scan` made: refused, whatever they try."""

import json
from typing import Any

import pytest

from runhistory.snapshots import Directory, File, InvalidManifest, Link, Manifest

SHA = "0" * 64


def file(path: str, **changes: Any) -> dict[str, Any]:
    return {"type": "file", "path": path, "mode": 0o644, "size": 0, "sha256": SHA} | changes


def link(path: str, target: str) -> dict[str, Any]:
    return {"type": "link", "path": path, "target": target}


def directory(path: str) -> dict[str, Any]:
    return {"type": "directory", "path": path, "mode": 0o755}


def encode(*entries: dict[str, Any], **fields: Any) -> bytes:
    manifest = {"version": 1, "entries": list(entries)} | fields
    return json.dumps(manifest, separators=(",", ":"), ensure_ascii=False).encode(
        "utf-8", "surrogatepass"
    )


def test_a_valid_manifest_passes_and_keeps_its_bytes() -> None:
    data = encode(directory("a"), link("a/l", "../b"), file("a/ü"), file("b"))
    manifest = Manifest.decode(data)
    assert manifest.encode() == data
    assert [type(entry) for entry in manifest.entries] == [Directory, Link, File, File]


HOSTILE = {
    "absolute": [file("/etc/cron.d/x")],
    "climbing": [file("../x")],
    "climbing inside": [directory("a"), file("a/../../x")],
    "dot": [file("./x")],
    "empty part": [directory("a"), file("a//x")],
    "trailing slash": [file("a/")],
    "empty path": [file("")],
    "NUL": [file("a\0b")],
    "lone surrogate": [file("a\ud800")],
    "long part": [file("a" * 256)],
    "long path": [file("/".join(["a" * 100] * 50))],
    "git": [directory(".git"), file(".git/config")],
    "runhistory": [file(".runhistory")],
    "twice": [file("a"), file("a", mode=0o755)],
    "file and directory": [directory("a"), file("a")],
    "unsorted": [file("b"), file("a")],
    "below a file": [file("a"), file("a/b")],
    "below a link": [link("a", "b"), file("a/x"), directory("b")],
    "no parent": [file("a/b")],
    "absolute link": [link("a", "/etc")],
    "climbing link": [link("a", "..")],
    "link through a link": [link("a", "b/.."), directory("b"), link("b/c", "../a/../..")],
    "link through a missing name": [link("a", "b/../../c")],
    "NUL in link": [link("a", "b\0c")],
    "empty link": [link("a", "")],
    "setuid": [file("a", mode=0o4755)],
    "negative size": [file("a", size=-1)],
    "huge size": [file("a", size=2**60)],
    "no digest": [file("a", sha256="x" * 64)],
    "capital digest": [file("a", sha256="A" * 64)],
    "device": [{"type": "device", "path": "a", "mode": 0o644}],
    "unknown field": [file("a", owner="root")],
    "mode of a link": [link("a", "b") | {"mode": 0o777}],
}


@pytest.mark.parametrize("entries", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_manifest_is_refused(entries: list[dict[str, Any]]) -> None:
    with pytest.raises(InvalidManifest):
        Manifest.decode(encode(*entries))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"null",
        b"\xff\xfe",
        b'{"version":2,"entries":[]}',
        b'{"version":1,"entries":[]} ',
        b'{"version":1, "entries":[]}',
        b'{"entries":[],"version":1}',
        b'{"version":1,"version":1,"entries":[]}',
        b'{"version":1,"entries":[],"more":1}',
        b'{"version":1.0,"entries":[]}',
    ],
)
def test_other_bytes_than_the_canonical_ones_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidManifest):
        Manifest.decode(data)


def test_the_order_of_entries_does_not_change_the_id() -> None:
    entries = [Directory("a", 0o755), File("a-b", 0o644, 0, SHA), File("a/b", 0o644, 0, SHA)]
    assert Manifest.of(entries).snapshot_id == Manifest.of(reversed(entries)).snapshot_id
    # By bytes of the whole path: "-" sorts before "/".
    assert [entry.path for entry in Manifest.of(reversed(entries)).entries] == ["a", "a-b", "a/b"]
