"""What is about to be deleted from the object store, and may still be brought back.

A client that is told that a blob is here does not send it, and names it in a run a little later;
in between somebody deletes the last run that had it. So nothing is deleted at once. It is first
moved out of its place, to

    <workspace>/trash/blobs/<sha256>/<unix seconds>
    <workspace>/trash/snapshots/<snapshot_id>/<unix seconds>

From then on it counts as missing, so whoever asks sends it again; whoever asked before still
finds it, because reads look here too. When the grace is over, what has come to be referred to is
moved back and the rest is deleted for good, here alone: the place of the living is not touched.
"""

import time
from collections.abc import Sequence
from typing import Any, Final, Literal, cast

import obstore
from msgspec import Struct
from obstore.exceptions import AlreadyExistsError, NotFoundError

Kind = Literal["blobs", "snapshots"]

_NOT_FOUND: Final = (NotFoundError, FileNotFoundError)


class Trashed(Struct, frozen=True):
    """An object in the trash: `name` is its digest, `since` in seconds since 1970."""

    kind: Kind
    name: str
    since: int
    path: str


class Trash:
    """The trash of one object store. Every step may be repeated."""

    def __init__(self, store: Any) -> None:
        self._store = store

    async def put(self, workspace: str, kind: Kind, name: str, place: str) -> None:
        """Move the object at `place` here; nothing happens when it is not there."""
        try:
            await obstore.rename_async(
                self._store, place, f"{_folder(workspace, kind, name)}/{int(time.time())}"
            )
        except _NOT_FOUND:
            return

    async def find(self, workspace: str, kind: Kind, name: str) -> str | None:
        """The path at which the object lies here; None: it does not."""
        found = await self._list(_folder(workspace, kind, name))
        return found[-1] if found else None

    async def contents(self, workspace: str) -> Sequence[Trashed]:
        """All that a workspace has here, snapshots first."""
        found: list[Trashed] = []
        for path in await self._list(f"{workspace}/trash"):
            kind, name, since = path.split("/")[-3:]
            found.append(Trashed(cast("Kind", kind), name, int(since), path))
        return sorted(found, key=lambda one: one.kind, reverse=True)

    async def restore(self, trashed: Trashed, place: str) -> None:
        """Move the object back, unless it was sent again meanwhile."""
        try:
            await obstore.copy_async(self._store, trashed.path, place, overwrite=False)
        except AlreadyExistsError:
            pass
        except _NOT_FOUND:
            return
        await self.purge(trashed)

    async def purge(self, trashed: Trashed) -> None:
        """Delete the object for good."""
        try:
            await obstore.delete_async(self._store, trashed.path)
        except _NOT_FOUND:
            return

    async def _list(self, prefix: str) -> list[str]:
        found: list[str] = []
        async for page in obstore.list(self._store, prefix=prefix):
            found += [str(one["path"]) for one in page]
        return sorted(found)


def _folder(workspace: str, kind: Kind, name: str) -> str:
    return f"{workspace}/trash/{kind}/{name}"
