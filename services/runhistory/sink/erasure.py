"""Erase what deleted runs left behind: their rows, and the blobs that nobody else has.

A deletion is an event, and from the moment that ClickHouse has it no view shows the run. The rest
is house-keeping, done here beside the sink's own work: whatever is in `deleted_runs` and not in
`erasures` is due, wherever that came from, so a rebuild erases too, and a process that is killed
leaves nothing but work for the next. Several erasers do the same twice, which is harmless.

Rows go at once, and once an hour again, for those that came in late. Blobs are shared by
content, with runs, snapshots, and clients that have just been told that a blob is here. So they
go in two steps (objects/trash.py): what no run that is not deleted refers to is moved to the
trash, and after a grace it is deleted if that is still so. The grace has to be longer than from a
client's question which blobs are missing to the event of the run that has them. What the second
look sees is as new as the log was a moment before: it waits until ClickHouse has read that far.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

import structlog
from aiokafka.errors import KafkaError
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from msgspec import Struct
from obstore.exceptions import BaseError as ObjectStoreError

from runhistory.clickhouse.client import EngineUnavailable, open_client
from runhistory.clickhouse.storages import FIRST_STORAGE, Storages, load_storages
from runhistory.kafka.log_ends import LogEnds
from runhistory.kafka.topics import partitions_of
from runhistory.objects.store import ObjectNotFound, ObjectStore
from runhistory.objects.trash import Trashed
from runhistory.query.blob_references import (
    find_used_blobs,
    find_used_snapshots,
    load_held_objects,
)
from runhistory.runtime.metrics import ERASED_RUNS, ERASURE_FAILURES, PURGED_OBJECTS
from runhistory.sink.erased_rows import DeletedRun, ErasedRows
from runhistory.snapshots.manifest import Manifest

EVENTS_TOPIC: Final = "run.events"

log: Any = structlog.get_logger(__name__)


class Pace(Struct, frozen=True):
    """How often what is done, in seconds."""

    look: float = 5.0
    grace: float = 3_600.0
    sweep: float = 3_600.0


class Eraser:
    """Looks for deleted runs every few seconds until cancelled. Delivery: at least once."""

    def __init__(self, clickhouse: str, ends: LogEnds, objects: ObjectStore, pace: Pace) -> None:
        self._ends, self._objects, self._pace = ends, objects, pace
        self._clickhouse = clickhouse
        self._client: Client | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="erasure")
        self._rows = ErasedRows(self._connected, FIRST_STORAGE)
        self._next_purge = self._next_sweep = 0.0

    async def run(self) -> None:
        """Erase for ever; what fails is tried again at the next look."""
        try:
            while True:
                try:
                    await self.look()
                except _TROUBLE as error:
                    ERASURE_FAILURES.inc()
                    log.warning("erasure_failed", error=repr(error))
                await asyncio.sleep(self._pace.look)
        finally:
            self._thread.shutdown(wait=False, cancel_futures=True)
            await self._ends.stop()

    async def look(self) -> None:
        """Erase what is due now, in the storage that readers see."""
        storages: Storages = await self._query(load_storages)
        self._rows.storage = storages.reading
        while due := await self._in_thread(self._rows.due):
            for workspace, runs in _by_workspace(due).items():
                await self._let_go(workspace, runs)
            await self._in_thread(partial(self._rows.erase, due))
            await self._in_thread(partial(self._rows.remember, due))
            ERASED_RUNS.inc(len(due))
            log.info("runs_erased", runs=[run.run_id for run in due])
        if time.monotonic() >= self._next_sweep:
            await self._in_thread(self._rows.sweep)
            self._next_sweep = time.monotonic() + self._pace.sweep
        if time.monotonic() >= self._next_purge:
            for workspace in await self._in_thread(self._rows.workspaces):
                await self._empty_trash(workspace)
            self._next_purge = time.monotonic() + min(60.0, self._pace.grace)

    async def _let_go(self, workspace: str, runs: Sequence[DeletedRun]) -> None:
        """Move what only these runs refer to into the trash."""
        blobs: set[str] = set()
        snapshots: set[str] = set()
        for run in runs:
            held = await self._query(load_held_objects, workspace=workspace, run_id=run.run_id)
            blobs |= held.blobs
            snapshots |= held.snapshots
        snapshots -= await self._query(
            find_used_snapshots, workspace=workspace, snapshots=snapshots
        )
        for snapshot_id in snapshots:
            blobs |= await self._blobs_of(workspace, snapshot_id)
            await self._objects.discard(workspace, "snapshots", snapshot_id)
        for sha256 in await self._unused(workspace, blobs):
            await self._objects.discard(workspace, "blobs", sha256)

    async def _empty_trash(self, workspace: str) -> None:
        """Delete what has lain there for the grace, and bring back what is referred to again."""
        over = time.time() - self._pace.grace
        due = [one for one in await self._objects.trash.contents(workspace) if one.since <= over]
        if not due or not await self._is_up_to_date():
            return
        manifests = [one for one in due if one.kind == "snapshots"]
        used = await self._query(
            find_used_snapshots, workspace=workspace, snapshots={one.name for one in manifests}
        )
        await self._settle(workspace, manifests, used)
        # After the manifests: one that was brought back holds its blobs.
        blobs = [one for one in due if one.kind == "blobs"]
        names = {one.name for one in blobs}
        await self._settle(workspace, blobs, names - await self._unused(workspace, names))

    async def _settle(
        self, workspace: str, trashed: Sequence[Trashed], used: Collection[str]
    ) -> None:
        for one in trashed:
            if one.name in used:
                await self._objects.bring_back(workspace, one)
            else:
                await self._objects.trash.purge(one)
                PURGED_OBJECTS.labels(one.kind).inc()

    async def _unused(self, workspace: str, blobs: set[str]) -> set[str]:
        """Those of the blobs that neither a run nor a snapshot in its place refers to.

        Reads every manifest of the workspace while a blob is left: this is rare, and nobody waits.
        """
        if not blobs:
            return set()
        unused: set[str] = blobs - await self._query(
            find_used_blobs, workspace=workspace, blobs=blobs
        )
        for snapshot_id in await self._objects.list_manifests(workspace):
            if not unused:
                break
            unused -= await self._blobs_of(workspace, snapshot_id)
        return unused

    async def _blobs_of(self, workspace: str, snapshot_id: str) -> set[str]:
        try:
            data = await self._objects.get_manifest(workspace, snapshot_id)
        except ObjectNotFound:
            return set()
        return set(Manifest.decode(data).blobs)

    async def _is_up_to_date(self) -> bool:
        """Whether ClickHouse has every event that there is now.

        A partition ends with the marker of its last transaction, which is no event.
        """
        ends = await self._ends.ends(partitions_of(EVENTS_TOPIC))
        read = await self._in_thread(self._rows.next_offsets)
        return all(read.get(place.partition, 0) >= end - 1 for place, end in ends.items())

    async def _query(self, function: Any, **asked: Any) -> Any:
        return await self._in_thread(lambda: function(self._connected(), **asked))

    async def _in_thread(self, function: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)

    def _connected(self) -> Client:
        if self._client is None:
            self._client = open_client(self._clickhouse)
        return self._client


_TROUBLE: Final = (
    EngineUnavailable,
    ClickHouseError,
    KafkaError,
    ObjectStoreError,
    OSError,
    TimeoutError,
)


def _by_workspace(runs: Sequence[DeletedRun]) -> dict[str, list[DeletedRun]]:
    found: dict[str, list[DeletedRun]] = defaultdict(list)
    for run in runs:
        found[run.workspace].append(run)
    return found
