"""A real worker behind a real lifecycle and broker. ClickHouse is away: a worker needs it not."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from runhistory.domain.commands import CancelRun, Command, CreateRun
from runhistory.domain.events import Event, FilesAdded, RunEvent, RunFailed
from runhistory.domain.ids import new_command_id, new_run_id
from runhistory.domain.status import TERMINAL
from runhistory.domain.values import Environment, Resources, RunContent, RunError, ScriptSpec
from runhistory.events.codec import decode_event
from runhistory.events.log_batch import LogLinesWritten
from runhistory.events.metric_batch import MetricsLogged
from runhistory.kafka.clients import open_consumer
from runhistory.kafka.commands import CommandClient
from runhistory.kafka.topics import partitions_of
from runhistory.objects.store import ObjectStore
from runhistory.snapshots import Tree, scan
from tests.support.service_process import ServiceProcess, free_port

TOPICS = ("run.events", "run.logs", "run.metrics")


class WorkerWorld:
    """Submits runs to one worker and sees all that comes of them."""

    def __init__(self, bootstrap: str, folder: Path, target: str) -> None:
        self._bootstrap, self.folder, self._target = bootstrap, folder, target
        self.objects = ObjectStore.open(f"file://{folder}/objects")
        self.client = CommandClient(bootstrap, "test")
        self.events: dict[str, list[RunEvent]] = defaultdict(list)
        self.logs: dict[str, dict[tuple[str, int], LogLinesWritten]] = defaultdict(dict)
        self.metrics: dict[str, list[MetricsLogged]] = defaultdict(list)
        self._watching: asyncio.Task[None]

    def worker(self, name: str = "worker", **environment: str) -> ServiceProcess:
        """A worker process, not started; two of one name share a folder."""
        return ServiceProcess(
            "worker",
            self.folder / f"{name}.log",
            RUNHISTORY_KAFKA=self._bootstrap,
            RUNHISTORY_CLICKHOUSE=f"http://127.0.0.1:{free_port()}",
            RUNHISTORY_OBJECTS=f"file://{self.folder}/objects",
            RUNHISTORY_WORKER_DATA=str(self.folder / name),
            RUNHISTORY_WORKER_TARGET=self._target,
            **environment,
        )

    async def __aenter__(self) -> "WorkerWorld":
        await self.client.start()
        self._watching = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._watching.cancel()
        await asyncio.gather(self._watching, return_exceptions=True)
        await self.client.stop()

    async def submit(
        self,
        files: dict[str, str],
        *arguments: str,
        environment: Environment | None = None,
        resources: Resources | None = None,
        max_duration_seconds: int | None = None,
    ) -> str:
        """Submit a snapshot of `files`, whose script is train.py."""
        run_id = new_run_id()
        code = self.folder / "code" / run_id
        for name, text in files.items():
            (code / name).parent.mkdir(parents=True, exist_ok=True)
            (code / name).write_text(text)
        spec = ScriptSpec(
            script="train.py",
            snapshot_id=await self._store(scan(code)),
            arguments=arguments,
            compute_target=self._target,
            environment=environment or Environment(),
            resources=resources or Resources(),
            max_duration_seconds=max_duration_seconds,
        )
        reply = await self.client.send(
            CreateRun(
                workspace="default",
                run_id=run_id,
                command_id=new_command_id(),
                content=RunContent(type="script", experiment="worker", spec=spec),
            )
        )
        assert reply.outcome == "accepted", reply
        return run_id

    async def cancel(self, run_id: str) -> None:
        await self.send(CancelRun, run_id)

    async def send(self, command: type[Command], run_id: str) -> None:
        """Send a command that needs no more than the run, and is accepted."""
        wish = command(workspace="default", run_id=run_id, command_id=new_command_id())
        assert (await self.client.send(wish)).outcome == "accepted"

    async def until(self, condition: Callable[[], object], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it never came true"
            await asyncio.sleep(0.02)

    async def until_status(self, run_id: str, status: str, seconds: float = 60) -> None:
        await self.until(lambda: status in self.statuses(run_id), seconds)

    async def ended(self, run_id: str, seconds: float = 90) -> str:
        """The status in which the run ended."""
        events = self.events[run_id]
        await self.until(lambda: events and events[-1].status in TERMINAL, seconds)
        return str(events[-1].status)

    def statuses(self, run_id: str) -> list[str]:
        """Every status the run has had, in order."""
        found = [str(event.status) for event in self.events[run_id]]
        return [one for i, one in enumerate(found) if i == 0 or found[i - 1] != one]

    def error(self, run_id: str) -> RunError:
        return next(one.error for one in self.events[run_id] if isinstance(one, RunFailed))

    def time_of(self, run_id: str, status: str) -> float:
        return next(e.time.timestamp() for e in self.events[run_id] if e.status == status)

    def lines(self, run_id: str, *streams: str) -> list[str]:
        """The console lines of some streams, in order."""
        return [
            line
            for _, batch in sorted(self.logs[run_id].items())
            for stream, line in zip(batch.streams, batch.lines, strict=True)
            if stream in streams
        ]

    async def files(self, run_id: str) -> dict[str, bytes]:
        """The kept files' bytes by name."""
        return {
            file.name: await self.objects.read("default", file.sha256)
            for event in self.events[run_id]
            if isinstance(event, FilesAdded)
            for file in event.files
        }

    def touch(self, name: str) -> None:
        """Make a file in this world's folder: a sign to a script."""
        (self.folder / name).touch()

    async def _store(self, tree: Tree) -> str:
        for file in tree.manifest.files:
            await self.objects.put_bytes("default", (tree.root / file.path).read_bytes())
        await self.objects.put_manifest(
            "default", tree.manifest.snapshot_id, tree.manifest.encode()
        )
        return tree.manifest.snapshot_id

    async def _watch(self) -> None:
        consumer = await open_consumer(self._bootstrap, client_id="worker-world")
        try:
            consumer.assign([one for topic in TOPICS for one in partitions_of(topic)])
            while True:
                for partition, records in (await consumer.getmany(timeout_ms=100)).items():
                    for record in records:
                        self._take(partition.topic, record)
        finally:
            await consumer.stop()

    def _take(self, topic: str, record: Any) -> None:
        if topic == "run.events":
            event: Event = decode_event(record.headers, record.value)
            if isinstance(event, RunEvent):
                self.events[event.run_id].append(event)
        elif topic == "run.logs":
            batch = msgspec.json.decode(record.value, type=LogLinesWritten)
            self.logs[batch.run_id][batch.writer, batch.seq] = batch
        else:
            points = msgspec.json.decode(record.value, type=MetricsLogged)
            self.metrics[points.run_id].append(points)
