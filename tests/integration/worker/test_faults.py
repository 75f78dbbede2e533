"""A worker whose disk fails, or that is stopped, behind the lifecycle's rules and nothing else."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from runhistory.domain.commands import Command, CreateRun, ReportExit
from runhistory.domain.decide import Accepted, Context, decide
from runhistory.domain.events import Event, RunFailed
from runhistory.domain.ids import new_command_id, new_run_id
from runhistory.domain.state import State, evolve
from runhistory.domain.status import TERMINAL, RunStatus
from runhistory.domain.values import RunContent, ScriptSpec
from runhistory.events.cloudevents import Record
from runhistory.events.codec import Reply
from runhistory.objects.store import ObjectStore
from runhistory.runtime.settings import ServiceSettings
from runhistory.snapshots import Tree, scan
from runhistory.worker import service
from runhistory.worker.board import Board
from runhistory.worker.home import Home
from runhistory.worker.service import Worker
from runhistory.worker.settings import WorkerSettings


class Follower:
    """In the place of the follower: tells the board what the test lets pass."""

    is_following = True

    def __init__(
        self, _: str, __: str, board: Board, on_change: Callable[..., None], ___: str
    ) -> None:
        self._board, self._on_change = board, on_change
        self.caught_up = asyncio.Event()
        self.caught_up.set()

    async def run(self) -> None:
        await asyncio.Event().wait()

    def tell(self, event: Event) -> None:
        if run := self._board.apply(event, 0):
            self._on_change(run, event)


class Lifecycle:
    """In the place of the command client: decides one run's commands, and keeps its events."""

    is_following = True

    def __init__(self) -> None:
        self.state: State | None = None
        self.events: list[Event] = []
        self.sent: list[Command] = []
        self.tell: Callable[[Event], None] | None = None
        self.before: Callable[[Command], None] = lambda _: None

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def send(self, command: Command) -> Reply:
        self.before(command)
        self.sent.append(command)
        decision = decide(self.state, command, Context(datetime.now(UTC)))
        if isinstance(decision, Accepted):
            for event in decision.events:
                self.state = evolve(self.state, event)
                self.events.append(event)
                if self.tell is not None:
                    self.tell(event)
        return Reply(
            workspace=command.workspace,
            run_id=command.run_id,
            command_id=command.command_id,
            outcome="accepted" if isinstance(decision, Accepted) else "refused",
            time=datetime.now(UTC),
            status=self.state.status if self.state else None,
            attempt=self.state.attempt if self.state else 0,
        )


class Broker:
    """In the place of the publisher: takes everything."""

    async def publish(self, topic: str, record: Record) -> None: ...

    async def stop(self) -> None: ...


class World:
    """One worker, one run."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.lifecycle = folder, Lifecycle()
        self.stopping = asyncio.Event()
        monkeypatch.setattr(service, "EventFollower", self._follow)
        monkeypatch.setattr(service, "CommandClient", lambda *_: self.lifecycle)
        monkeypatch.setattr(service, "Publisher", lambda *_: Broker())
        self.home = Home(folder / "worker")

    def _follow(self, *arguments: Any) -> Follower:
        self.follower = Follower(*arguments)
        self.lifecycle.tell = self.follower.tell
        return self.follower

    @contextlib.asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        objects = f"file://{self.folder}/objects"
        settings = ServiceSettings.from_environment("worker", {"RUNHISTORY_OBJECTS": objects})
        is_ready = asyncio.Event()
        health = SimpleNamespace(ready=is_ready.set, not_ready=lambda _: None)
        told = SimpleNamespace(settings=settings, stopping=self.stopping, health=health)
        worker = WorkerSettings(
            service=settings, data=self.home.root, slots=2, target="local", objects=objects
        )
        task = asyncio.create_task(
            Worker(told, worker, self.home).run()  # type: ignore[arg-type]
        )
        try:
            await asyncio.wait_for(is_ready.wait(), 30)
            yield
        finally:
            self.stopping.set()
            await asyncio.wait_for(task, 60)
            self.home.close()

    async def submit(self, script: str) -> None:
        code = self.folder / "code"
        code.mkdir()
        (code / "train.py").write_text(script)
        spec = ScriptSpec(script="train.py", snapshot_id=await self._store(scan(code)))
        reply = await self.lifecycle.send(
            CreateRun(
                workspace="default",
                run_id=new_run_id(),
                command_id=new_command_id(),
                content=RunContent(type="script", experiment="worker", spec=spec),
            )
        )
        assert reply.outcome == "accepted"

    async def _store(self, tree: Tree) -> str:
        store = ObjectStore.open(f"file://{self.folder}/objects")
        for file in tree.manifest.files:
            await store.put_bytes("default", (tree.root / file.path).read_bytes())
        snapshot_id = tree.manifest.snapshot_id
        await store.put_manifest("default", snapshot_id, tree.manifest.encode())
        return snapshot_id

    async def ended(self) -> str:
        async with asyncio.timeout(60):
            while self.lifecycle.state is None or self.lifecycle.state.status not in TERMINAL:
                await asyncio.sleep(0.02)
        return str(self.lifecycle.state.status)

    def error(self) -> str:
        return next(one.error.code for one in self.lifecycle.events if isinstance(one, RunFailed))

    def block(self, name: str) -> Path:
        """A file where the worker's folder `name` was: nothing can be made in it."""
        folder = self.home.root / name
        folder.rename(self.folder / f"{name}.away")
        folder.touch()
        return folder

    def unblock(self, name: str) -> None:
        (self.home.root / name).unlink()
        (self.folder / f"{name}.away").rename(self.home.root / name)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


@pytest.mark.parametrize(("script", "status"), [("", "Completed"), ("exit(3)", "Failed")])
async def test_a_stop_while_files_are_kept_changes_nothing_about_how_the_script_ended(
    world: World, script: str, status: str
) -> None:
    def stop(command: Command) -> None:
        if isinstance(command, ReportExit):
            world.stopping.set()

    world.lifecycle.before = stop
    send = world.lifecycle.send

    async def send_slowly(command: Command) -> Reply:
        reply = await send(command)
        await asyncio.sleep(0.3 if isinstance(command, ReportExit) else 0)
        return reply

    world.lifecycle.send = send_slowly  # type: ignore[method-assign]
    async with world.working():
        await world.submit(script)
        assert await world.ended() == status
    assert status == "Completed" or world.error() == "ExitCode"


async def test_a_run_that_cannot_be_remembered_is_tried_again_after_a_pause(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "BROKEN_PAUSE_SECONDS", 0.5)
    monkeypatch.setattr(service, "log", Mock())  # printing tracebacks would be a pause by itself
    tries = 0
    remember = world.home.remember

    def count(claim: Any) -> None:
        nonlocal tries
        tries += 1
        remember(claim)

    monkeypatch.setattr(world.home, "remember", count)
    async with world.working():
        world.block("claims")
        await world.submit("")
        await asyncio.sleep(2)
        assert 1 <= tries <= 5
        world.unblock("claims")
        assert await world.ended() == "Completed"


@pytest.mark.parametrize("event_comes_late", [True, False])
async def test_a_claim_that_was_accepted_and_then_broke_is_settled(
    world: World, event_comes_late: bool
) -> None:
    async with world.working():
        world.block("attempts")
        late: list[Event] = []

        def tell(event: Event) -> None:
            claimed = world.lifecycle.state.status is RunStatus.PREPARING  # type: ignore[union-attr]
            (late.append if claimed and event_comes_late else world.follower.tell)(event)

        world.lifecycle.tell = tell
        await world.submit("")
        if event_comes_late:
            async with asyncio.timeout(10):
                while not late:
                    await asyncio.sleep(0.02)
            await asyncio.sleep(0.3)
            for event in late:
                world.follower.tell(event)
        assert await world.ended() == "Failed"
        assert world.error() == "WorkerLost"


async def test_a_lost_runs_end_is_told_whatever_cannot_be_kept(world: World) -> None:
    async with world.working():

        def spoil(folder: Path) -> None:
            for name in ("console.spool", "std_log.txt"):
                (folder / name).mkdir(parents=True)

        before = world.home.attempt_folder

        def attempt_folder(run_id: str, attempt: int) -> Path:
            folder = before(run_id, attempt)
            if not folder.exists():
                spoil(folder)
            return folder

        world.home.attempt_folder = attempt_folder  # type: ignore[method-assign]
        await world.submit("")
        assert await world.ended() == "Failed"
        assert world.error() == "WorkerLost"
