"""The object store: blobs by their SHA-256, and snapshot manifests by theirs.

    <workspace>/blobs/sha256/<first two>/<sha256>      content that any number of files share
    <workspace>/snapshots/<snapshot_id>.json           the manifest of a snapshot
    <workspace>/uploads/<random>                       a large upload whose digest is not known yet

An object is never visible under a digest that is not its own. A small body is hashed before it
is written. A large one of a known digest streams into a multipart upload, which the store makes
visible only when it ends; the stream raises at its end when the digest is another, and that
aborts it. One of an unknown digest streams to `uploads/` and is renamed. Everything may be
repeated: content under its digest cannot change, so the first copy stays. What a killed process
leaves under `uploads/`, and its open multipart uploads, belong to nobody: let a bucket's
life-cycle rule remove what is older than a day.
"""

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import obstore
from msgspec import Struct
from obstore.exceptions import AlreadyExistsError, NotFoundError
from obstore.store import LocalStore, MemoryStore, from_url

from runhistory.objects.trash import Kind, Trash, Trashed

BUFFER_BYTES: Final = 4_194_304
"""A body up to this size is held in memory and written at once; a larger one is streamed."""

PART_BYTES: Final = 8_388_608
_PARTS_AT_ONCE: Final = 2
_LOOKUPS_AT_ONCE: Final = 32
_NOT_FOUND: Final = (NotFoundError, FileNotFoundError)


class Blob(Struct, frozen=True):
    """What was stored: its SHA-256 as hex digits, and its size in bytes."""

    sha256: str
    size: int


class DigestMismatch(Exception):
    """The bytes are not those of the digest that they were sent under. Nothing was stored."""


class BlobTooLarge(Exception):
    """More bytes than the caller's limit. Nothing was stored."""


class ObjectNotFound(Exception):
    """Nothing lies under this name."""


class ObjectStore:
    """Blobs and manifests of any workspace. Safe for concurrent use on one event loop.

    Every method waits for the store and may raise obstore's own exceptions when it is away.
    """

    def __init__(self, store: Any) -> None:
        self._store = store

    @classmethod
    def open(cls, url: str) -> "ObjectStore":
        """The store at `url`: `file:///folder`, `s3://…`, `gs://…`, `az://…` or `memory://`.

        A local folder is created. Credentials come from the environment, as is usual for each.

        Raises:
            ValueError: no store has this URL.
        """
        parts = urlsplit(url)
        if parts.scheme == "file":
            folder = Path(unquote(parts.path))
            return cls(LocalStore(prefix=folder, mkdir=True, automatic_cleanup=True))
        if parts.scheme == "memory":
            return cls(MemoryStore())
        if parts.scheme not in {"s3", "gs", "az"}:
            raise ValueError(
                f"{url!r} names no object store: use file:///folder, s3://bucket/prefix, "
                "gs://bucket/prefix or az://account/container/prefix."
            )
        return cls(from_url(url))

    async def put(
        self,
        workspace: str,
        chunks: AsyncIterable[bytes],
        *,
        sha256: str | None = None,
        limit: int | None = None,
    ) -> Blob:
        """Store what `chunks` yield; `sha256` is what it has to be, when that is known.

        Repeating it is harmless. Whatever `chunks` raises is raised here, and nothing is stored.

        Raises:
            DigestMismatch: the bytes are others.
            BlobTooLarge: they are more than `limit`.
        """
        source = _Measured(chunks, sha256, limit)
        head = bytearray()
        async for chunk in source:
            head += chunk
            if len(head) > BUFFER_BYTES:
                return await self._put_stream(workspace, bytes(head), source, sha256)
        await self._put_once(_blob_path(workspace, source.sha256), bytes(head))
        return source.blob

    async def put_bytes(self, workspace: str, data: bytes, sha256: str | None = None) -> Blob:
        """`put` for bytes that are at hand."""

        async def once() -> AsyncIterator[bytes]:
            yield data

        return await self.put(workspace, once(), sha256=sha256)

    async def size(self, workspace: str, sha256: str) -> int:
        """The size of a blob in bytes.

        Raises:
            ObjectNotFound: there is none.
        """
        try:
            found = await obstore.head_async(self._store, _blob_path(workspace, sha256))
        except _NOT_FOUND as error:
            raise ObjectNotFound(f"There is no blob {sha256} in {workspace}.") from error
        return int(found["size"])

    async def missing(self, workspace: str, digests: Iterable[str]) -> list[str]:
        """Which of these blobs are not there, each once, in the order given."""
        lookups = asyncio.Semaphore(_LOOKUPS_AT_ONCE)

        async def is_missing(sha256: str) -> bool:
            async with lookups:
                try:
                    await self.size(workspace, sha256)
                except ObjectNotFound:
                    return True
                return False

        unique = list(dict.fromkeys(digests))
        answers = await asyncio.gather(*(is_missing(sha256) for sha256 in unique))
        return [sha256 for sha256, absent in zip(unique, answers, strict=True) if absent]

    async def stream(
        self, workspace: str, sha256: str, window: tuple[int, int] | None = None
    ) -> tuple[int, AsyncIterator[bytes]]:
        """A blob's size in bytes, and its bytes in pieces of about 1 MiB.

        With a `window` (begin, end) only those from `begin` up to before `end`, which there are.

        Raises:
            ObjectNotFound: there is none.
        """
        options = {"range": window} if window else None
        found = await self._get(_blob_path(workspace, sha256), workspace, "blobs", sha256, options)
        if found is None:
            raise ObjectNotFound(f"There is no blob {sha256} in {workspace}.")
        return int(found.meta["size"]), _pieces(found)

    async def read(self, workspace: str, sha256: str) -> bytes:
        """A blob that fits in memory.

        Raises:
            ObjectNotFound: there is none.
        """
        _, pieces = await self.stream(workspace, sha256)
        return b"".join([piece async for piece in pieces])

    async def put_manifest(self, workspace: str, snapshot_id: str, manifest: bytes) -> None:
        """Keep a snapshot's manifest. Repeating it is harmless.

        Raises:
            DigestMismatch: `snapshot_id` is not the SHA-256 of `manifest`.
        """
        _check_digest(hashlib.sha256(manifest).hexdigest(), snapshot_id)
        await self._put_once(_manifest_path(workspace, snapshot_id), manifest)

    async def get_manifest(self, workspace: str, snapshot_id: str) -> bytes:
        """The manifest of a snapshot.

        Raises:
            ObjectNotFound: there is no such snapshot.
        """
        place = _manifest_path(workspace, snapshot_id)
        found = await self._get(place, workspace, "snapshots", snapshot_id)
        if found is None:
            raise ObjectNotFound(f"There is no snapshot {snapshot_id} in {workspace}.")
        return bytes(await found.bytes_async())

    async def list_manifests(self, workspace: str) -> list[str]:
        """The ids of all snapshots that are kept."""
        found: list[str] = []
        async for page in obstore.list(self._store, prefix=f"{workspace}/snapshots"):
            found += [str(one["path"]).rpartition("/")[2].removesuffix(".json") for one in page]
        return found

    async def discard(self, workspace: str, kind: Kind, name: str) -> None:
        """Put a blob or a manifest into the trash (trash.py); repeating it is harmless."""
        await self.trash.put(workspace, kind, name, _place(workspace, kind, name))

    async def bring_back(self, workspace: str, trashed: Trashed) -> None:
        """Put it back in its place."""
        await self.trash.restore(trashed, _place(workspace, trashed.kind, trashed.name))

    @property
    def trash(self) -> Trash:
        """What is about to be deleted."""
        return Trash(self._store)

    async def _get(
        self, path: str, workspace: str, kind: Kind, name: str, options: Any = None
    ) -> Any:
        """The object at `path`, or else in the trash; None: neither."""
        for find in (None, self.trash.find):
            where = path if find is None else await find(workspace, kind, name)
            try:
                if where:
                    return await obstore.get_async(self._store, where, options=options)
            except _NOT_FOUND:
                continue
        return None

    async def _put_once(self, path: str, data: bytes) -> None:
        try:
            await obstore.put_async(self._store, path, data, mode="create", use_multipart=False)
        except AlreadyExistsError:
            return  # the name follows from the content: what is there is the same

    async def _put_stream(
        self, workspace: str, head: bytes, source: "_Measured", sha256: str | None
    ) -> Blob:
        async def everything() -> AsyncIterator[bytes]:
            yield head
            async for chunk in source:
                yield chunk

        known = sha256 is not None
        path = _blob_path(workspace, sha256) if sha256 else f"{workspace}/uploads/{uuid.uuid4()}"
        await obstore.put_async(
            self._store,
            path,
            everything(),
            chunk_size=PART_BYTES,
            max_concurrency=_PARTS_AT_ONCE,
        )
        if not known:
            await obstore.rename_async(self._store, path, _blob_path(workspace, source.sha256))
        return source.blob


class _Measured:
    """Passes chunks on, hashing and counting; at the end it raises when the digest is another."""

    def __init__(self, chunks: AsyncIterable[bytes], expected: str | None, limit: int | None):
        self._chunks, self._expected, self._limit = chunks, expected, limit
        self._hash, self._size = hashlib.sha256(), 0
        self._iterator = self._iterate()

    @property
    def sha256(self) -> str:
        """The digest of what has passed so far."""
        return self._hash.hexdigest()

    @property
    def blob(self) -> Blob:
        """What has passed so far."""
        return Blob(self.sha256, self._size)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._iterator  # one pass, begun by whoever buffers and continued by the upload

    async def _iterate(self) -> AsyncIterator[bytes]:
        async for chunk in self._chunks:
            self._size += len(chunk)
            if self._limit is not None and self._size > self._limit:
                raise BlobTooLarge(f"The limit is {self._limit} bytes.")
            self._hash.update(chunk)
            yield chunk
        if self._expected is not None:
            _check_digest(self.sha256, self._expected)


async def _pieces(found: Any) -> AsyncIterator[bytes]:
    async for piece in found.stream(min_chunk_size=1_048_576):
        yield bytes(piece)


def _check_digest(actual: str, expected: str) -> None:
    if actual != expected:
        raise DigestMismatch(f"The SHA-256 of these bytes is {actual}, not {expected}.")


def _place(workspace: str, kind: Kind, name: str) -> str:
    return _blob_path(workspace, name) if kind == "blobs" else _manifest_path(workspace, name)


def _blob_path(workspace: str, sha256: str) -> str:
    return f"{workspace}/blobs/sha256/{sha256[:2]}/{sha256}"


def _manifest_path(workspace: str, snapshot_id: str) -> str:
    return f"{workspace}/snapshots/{snapshot_id}.json"
