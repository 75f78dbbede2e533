"""What is left of a deleted run: nothing that is its own, and all that others have too."""

import hashlib
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition
from clickhouse_connect.driver.client import Client

from runhistory.clickhouse.client import open_client
from runhistory.clickhouse.storages import FIRST_STORAGE
from runhistory.domain.commands import (
    AddFiles,
    CompleteRun,
    CreateRun,
    DeleteRun,
    SetTags,
    StartRun,
    TakeSnapshot,
)
from runhistory.domain.ids import new_run_id
from runhistory.domain.values import FileEntry, RunContent
from runhistory.objects.store import ObjectNotFound, ObjectStore
from runhistory.objects.trash import Trash
from runhistory.sink.erased_rows import ERASED_TABLES
from runhistory.sink.erasure import Eraser, Pace
from runhistory.snapshots.manifest import Manifest
from tests.conftest import Engine
from tests.support.landing import History, insert, log_row, metric_row, record_row

pytestmark = pytest.mark.infrastructure


class Ends:
    """Where the log ends: ClickHouse is up to date, or not."""

    def __init__(self, end: int = 0) -> None:
        self.end = end

    async def ends(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, self.end)

    async def stop(self) -> None:
        """Nothing is open."""


class Killed(Exception):
    """The eraser's process ends here."""


class World:
    """A workspace with an object store of its own, and erasers that see both."""

    def __init__(self, engine: Engine, objects: ObjectStore) -> None:
        self.client: Client = open_client(engine.url)
        self.url, self.objects, self.workspace = engine.url, objects, f"w{uuid.uuid4().hex}"

    def eraser(self, grace: float = 0.0, ends: Any = None) -> Eraser:
        return Eraser(self.url, ends or Ends(), self.objects, Pace(grace=grace))

    async def blob(self, text: str) -> str:
        return (await self.objects.put_bytes(self.workspace, text.encode())).sha256

    async def snapshot(self, **files: str) -> str:
        blobs = {path: await self.blob(text) for path, text in files.items()}
        entries = [
            f'{{"type":"file","path":"{path}","mode":420,"size":{len(files[path])},"sha256":"{sha}"}}'
            for path, sha in sorted(blobs.items())
        ]
        data = f'{{"version":1,"entries":[{",".join(entries)}]}}'.encode()
        Manifest.decode(data)
        snapshot_id = hashlib.sha256(data).hexdigest()
        await self.objects.put_manifest(self.workspace, snapshot_id, data)
        return snapshot_id

    def run(self, *blobs: str, snapshot_id: str | None = None, deleted: bool = False) -> str:
        run_id = new_run_id()

        def own() -> dict[str, str]:
            command_id = uuid.uuid4().hex
            return {"workspace": self.workspace, "run_id": run_id, "command_id": command_id}

        files = tuple(FileEntry(f"f{number}", blob, 1) for number, blob in enumerate(blobs))
        content = RunContent(type="interactive", experiment="e", params={"lr": "1"})
        history = History().apply(
            CreateRun(**own(), content=content),
            StartRun(**own()),
            SetTags(**own(), tags={"a": "b"}),
        )
        if files:
            history.apply(AddFiles(**own(), attempt=1, files=files))
        if snapshot_id:
            history.apply(TakeSnapshot(**own(), snapshot_id=snapshot_id))
        history.apply(CompleteRun(**own()))
        if deleted:
            history.apply(DeleteRun(**own()))
        insert(self.client, "events_landing", history.rows)
        self.log(run_id)
        return run_id

    def log(self, run_id: str) -> None:
        batch = {"writer": "w", "seq": 0, "keys": ["k"], "key_index": [1], "steps": [1]}
        batch |= {"values": [1.0], "times": [1]}
        insert(self.client, "metrics_landing", [metric_row(self.workspace, run_id, batch)])
        insert(self.client, "logs_landing", [log_row(self.workspace, run_id, 0, [("stdout", "x")])])
        records = [record_row(self.workspace, run_id, 0, [{"key": "k"}])]
        insert(self.client, "records_landing", records)

    def tables_with(self, run_id: str, tables: Iterable[str] = ERASED_TABLES) -> set[str]:
        return {
            table
            for table in tables
            if self.client.query(
                f"SELECT count() FROM {FIRST_STORAGE}.{table} WHERE workspace = '{self.workspace}' "
                f"AND run_id = unhex('{run_id}')"
            ).result_rows
            != [(0,)]
        }

    async def are_there(self, *blobs: str) -> list[bool]:
        """Which of the blobs can be read."""
        found = []
        for blob in blobs:
            try:
                await self.objects.read(self.workspace, blob)
                found.append(True)
            except ObjectNotFound:
                found.append(False)
        return found


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return World(engine, ObjectStore.open(tmp_path.as_uri()))


async def test_rows_and_files_go_and_what_others_have_stays(world: World) -> None:
    shared, own, kept = [await world.blob(text) for text in ("shared", "own", "kept")]
    code = await world.snapshot(main="code", both="both")
    other_code = await world.snapshot(other="other", both="both")
    deleted = world.run(shared, own, snapshot_id=code, deleted=True)
    living = world.run(shared, kept, snapshot_id=other_code)
    assert world.tables_with(deleted) == set(ERASED_TABLES)

    await world.eraser().look()
    await world.eraser().look()

    assert world.tables_with(deleted) == set()
    assert world.tables_with(deleted, ["events", "deleted_runs", "erasures"]) == {
        "events", "deleted_runs", "erasures",
    }  # fmt: skip
    assert world.tables_with(living) == set(ERASED_TABLES)
    assert await world.are_there(shared, own, kept) == [True, False, True]
    main, both, other = [
        hashlib.sha256(text.encode()).hexdigest() for text in ("code", "both", "other")
    ]
    assert await world.are_there(main, both, other) == [False, True, True]
    assert await world.objects.list_manifests(world.workspace) == [other_code]
    assert await world.objects.trash.contents(world.workspace) == []


async def test_what_comes_late_is_never_seen_and_goes_too(world: World) -> None:
    deleted = world.run(deleted=True)
    await world.eraser().look()
    world.log(deleted)
    assert world.tables_with(deleted) == {"points", "rollup", "batches", "log_lines", "records"}
    for view in ("points", "rollup", "series", "batches", "log_lines", "records"):
        own = f"WHERE workspace = '{world.workspace}'"
        assert world.client.query(f"SELECT 1 FROM runhistory.{view} {own}").result_rows == []
    await world.eraser().look()
    assert world.tables_with(deleted) == set()


async def test_a_blob_that_somebody_wants_during_the_grace_is_brought_back(world: World) -> None:
    """A client was told that all is here, and its run comes after the blobs left their place."""
    blob, code = await world.blob("data"), await world.snapshot(main="code")
    (main,) = [file.sha256 for file in Manifest.decode(
        await world.objects.get_manifest(world.workspace, code)
    ).files]  # fmt: skip
    world.run(blob, snapshot_id=code, deleted=True)
    assert await world.objects.missing(world.workspace, [blob, main]) == []

    await world.eraser(grace=3_600).look()
    assert await world.objects.missing(world.workspace, [blob, main]) == [blob, main]
    assert await world.are_there(blob, main) == [True, True], "whoever asked before still finds it"
    world.run(blob, snapshot_id=code)

    await world.eraser().look()
    assert await world.objects.missing(world.workspace, [blob, main]) == []
    assert await world.objects.list_manifests(world.workspace) == [code]
    assert await world.objects.trash.contents(world.workspace) == []


async def test_a_blob_sent_again_during_the_grace_is_not_touched(world: World) -> None:
    blob = await world.blob("data")
    world.run(blob, deleted=True)
    await world.eraser(grace=3_600).look()
    assert await world.blob("data") == blob

    await world.eraser().look()
    assert await world.objects.trash.contents(world.workspace) == []
    assert await world.are_there(blob) == [True]


async def test_nothing_is_purged_while_clickhouse_is_behind(world: World) -> None:
    blob = await world.blob("data")
    world.run(blob, deleted=True)
    await world.eraser(ends=Ends(10**12)).look()
    await world.eraser(ends=Ends(10**12)).look()
    assert await world.are_there(blob) == [True]


STEPS = ["let_go", "erase", "remember", "purge"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_kill_at_any_step_loses_nothing(
    world: World, step: str, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, own = await world.blob("shared"), await world.blob("own")
    runs = [world.run(shared, own, deleted=True) for _ in range(2)]
    living = world.run(shared)
    eraser = world.eraser()
    with monkeypatch.context() as patch:
        _die(patch, eraser, step, when)
        with pytest.raises(Killed):
            await _look_twice(eraser)

    await world.eraser().look()
    await world.eraser().look()
    assert [world.tables_with(run) for run in runs] == [set(), set()]
    assert world.tables_with(living) == set(ERASED_TABLES)
    assert await world.are_there(shared, own) == [True, False]
    assert await world.objects.trash.contents(world.workspace) == []


async def _look_twice(eraser: Eraser) -> None:
    await eraser.look()
    await eraser.look()


def _die(patch: pytest.MonkeyPatch, eraser: Any, step: str, when: str) -> None:
    """Have the eraser killed before or after it takes `step`."""
    if step in ("erase", "remember"):
        real = getattr(eraser._rows, step)

        def killed(runs: Any) -> None:
            if when == "after":
                real(runs)
            raise Killed

        patch.setattr(eraser._rows, step, killed)
        return
    owner, name = (ObjectStore, "discard") if step == "let_go" else (Trash, "purge")
    real_step = getattr(owner, name)

    async def killed_step(*args: Any) -> None:
        if when == "after":
            await real_step(*args)
        raise Killed

    patch.setattr(owner, name, killed_step)
