"""Check a run's snapshot out of the object store."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import structlog
from obstore.exceptions import BaseError

from runhistory.objects.store import ObjectNotFound, ObjectStore
from runhistory.snapshots import Manifest, SnapshotError, checkout

PATIENCE: Final = 600.0

log: Any = structlog.get_logger(__name__)


class SnapshotUnusable(Exception):
    """The run's code cannot be put on disk; the message says why."""


class _Stopped(Exception):
    """The checkout is not wanted any more."""


async def check_out(
    store: ObjectStore, workspace: str, snapshot_id: str, directory: Path
) -> Manifest:
    """Put the snapshot's tree at `directory` and return what is in it.

    With the store away it tries again for PATIENCE seconds. Cancelling it stops it, and returns
    when nothing writes any more.

    Raises:
        SnapshotUnusable: something of it is not in the store, or is damaged, or the store stays
            away.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            manifest = Manifest.decode(await store.get_manifest(workspace, snapshot_id))
            await _in_thread(store, workspace, manifest, directory)
            return manifest
        except (ObjectNotFound, SnapshotError) as error:
            raise SnapshotUnusable(str(error)) from error
        except BaseError as error:
            if time.monotonic() > deadline:
                raise SnapshotUnusable(f"The object store does not answer: {error}") from error
            log.warning("checkout_failed", snapshot_id=snapshot_id, error=repr(error))
            await asyncio.sleep(2)


async def _in_thread(
    store: ObjectStore, workspace: str, manifest: Manifest, directory: Path
) -> None:
    """`checkout` blocks and the store does not: run one in a thread, the other on this loop."""
    loop, stopped = asyncio.get_running_loop(), threading.Event()

    def open_blob(sha256: str) -> Iterator[bytes]:
        _, pieces = asyncio.run_coroutine_threadsafe(store.stream(workspace, sha256), loop).result()
        while piece := asyncio.run_coroutine_threadsafe(_next(pieces), loop).result():
            if stopped.is_set():
                raise _Stopped
            yield piece

    thread = asyncio.ensure_future(asyncio.to_thread(checkout, manifest, open_blob, directory))
    try:
        await asyncio.shield(thread)
    except asyncio.CancelledError:
        stopped.set()
        await asyncio.gather(thread, return_exceptions=True)
        raise


async def _next(pieces: AsyncIterator[bytes]) -> bytes:
    """The next piece; empty at the end."""
    return await anext(pieces, b"")
