"""One suite for every object store; what holds for a folder holds for memory and a bucket."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runhistory.objects.store import (
    BUFFER_BYTES,
    BlobTooLarge,
    DigestMismatch,
    ObjectNotFound,
    ObjectStore,
)

LARGE = b"0123456789abcdef" * (BUFFER_BYTES // 16 * 3)
BODIES = [b"", b"small", b"x" * BUFFER_BYTES, b"x" * (BUFFER_BYTES + 1), LARGE]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def chunks(data: bytes, size: int = 1_000_003) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


class ObjectStoreContract:
    """Subclasses give a `store` that holds nothing yet."""

    @pytest.mark.parametrize("known", [True, False])
    @pytest.mark.parametrize("data", BODIES, ids=len)
    async def test_what_was_put_comes_back(
        self, store: ObjectStore, data: bytes, known: bool
    ) -> None:
        blob = await store.put("ws", chunks(data), sha256=sha256(data) if known else None)
        assert (blob.sha256, blob.size) == (sha256(data), len(data))
        assert await store.read("ws", blob.sha256) == data
        assert await store.size("ws", blob.sha256) == len(data)

    @pytest.mark.parametrize("data", [b"small", LARGE], ids=len)
    async def test_putting_again_is_harmless(self, store: ObjectStore, data: bytes) -> None:
        for known in (None, sha256(data), None):
            await store.put("ws", chunks(data), sha256=known)
        await asyncio.gather(*(store.put("ws", chunks(data)) for _ in range(4)))
        assert await store.read("ws", sha256(data)) == data

    @pytest.mark.parametrize("data", [b"small", LARGE], ids=len)
    async def test_other_bytes_are_never_visible(self, store: ObjectStore, data: bytes) -> None:
        promised = sha256(b"something else")
        with pytest.raises(DigestMismatch, match=sha256(data)):
            await store.put("ws", chunks(data), sha256=promised)
        assert await store.missing("ws", [promised, sha256(data)]) == [promised, sha256(data)]

    @pytest.mark.parametrize("data", [b"small", LARGE], ids=len)
    async def test_an_upload_that_breaks_off_leaves_nothing(
        self, store: ObjectStore, data: bytes
    ) -> None:
        async def broken() -> AsyncIterator[bytes]:
            async for chunk in chunks(data):
                yield chunk
            raise ConnectionResetError("the client went away")

        for known in (None, sha256(data)):
            with pytest.raises(ConnectionResetError):
                await store.put("ws", broken(), sha256=known)
        assert await store.missing("ws", [sha256(data)]) == [sha256(data)]

    async def test_a_limit_is_kept(self, store: ObjectStore) -> None:
        await store.put("ws", chunks(b"12345"), limit=5)
        with pytest.raises(BlobTooLarge, match="5 bytes"):
            await store.put("ws", chunks(b"123456"), limit=5)
        with pytest.raises(BlobTooLarge):
            await store.put("ws", chunks(LARGE), limit=len(LARGE) - 1)
        assert await store.missing("ws", [sha256(LARGE)]) == [sha256(LARGE)]

    async def test_missing_names_each_once_in_order(self, store: ObjectStore) -> None:
        there = (await store.put_bytes("ws", b"there")).sha256
        absent = [sha256(bytes([number])) for number in range(100)]
        assert await store.missing("ws", [*absent, there, *absent]) == absent

    async def test_workspaces_do_not_share(self, store: ObjectStore) -> None:
        blob = await store.put_bytes("one", b"mine")
        assert await store.missing("two", [blob.sha256]) == [blob.sha256]
        with pytest.raises(ObjectNotFound):
            await store.read("two", blob.sha256)

    async def test_manifests(self, store: ObjectStore) -> None:
        manifest = b'{"version":1,"entries":[]}'
        for _ in range(2):
            await store.put_manifest("ws", sha256(manifest), manifest)
        assert await store.get_manifest("ws", sha256(manifest)) == manifest
        with pytest.raises(DigestMismatch):
            await store.put_manifest("ws", sha256(b"other"), manifest)
        with pytest.raises(ObjectNotFound):
            await store.get_manifest("ws", sha256(b"other"))


def _files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


class TestMemory(ObjectStoreContract):
    @pytest.fixture
    def store(self) -> ObjectStore:
        return ObjectStore.open("memory://")


class TestLocalFolder(ObjectStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> ObjectStore:
        return ObjectStore.open((tmp_path / "with space" / "objects").as_uri())

    async def test_the_layout(self, tmp_path: Path) -> None:
        store = ObjectStore.open(tmp_path.as_uri())
        small, large = await store.put_bytes("ws", b"x"), await store.put("ws", chunks(LARGE))
        with pytest.raises(DigestMismatch):
            await store.put("ws", chunks(LARGE), sha256=small.sha256[::-1])
        assert _files_below(tmp_path) == {
            f"ws/blobs/sha256/{blob.sha256[:2]}/{blob.sha256}" for blob in (small, large)
        }

    async def test_the_trash_leaves_no_empty_folders(self, tmp_path: Path) -> None:
        store = ObjectStore.open(tmp_path.as_uri())
        for data in (b"x", b"y"):
            blob = await store.put_bytes("ws", data)
            await store.discard("ws", "blobs", blob.sha256)
        trashed = await store.trash.contents("ws")
        assert len(trashed) == 2
        for one in trashed:
            await store.trash.purge(one)
        assert not (tmp_path / "ws" / "trash").exists()
        assert (tmp_path / "ws").is_dir()


@pytest.mark.parametrize("url", ["", "/just/a/path", "ftp://host/x", "http://host/x"])
def test_other_urls_are_refused_with_what_to_use(url: str) -> None:
    with pytest.raises(ValueError, match="use file:///folder"):
        ObjectStore.open(url)
