"""Real watchers behind a real lifecycle and broker; attempts are heard of when the test says so."""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

from aiokafka import AIOKafkaProducer

from runhistory.domain.commands import ClaimRun, Command, CreateRun, StartRun
from runhistory.domain.events import RunEvent
from runhistory.domain.ids import new_command_id, new_run_id
from runhistory.domain.values import RunContent, ScriptSpec
from runhistory.events.codec import decode_event
from runhistory.events.heartbeat import HEARTBEATS_TOPIC, Heartbeat, encode_heartbeat
from runhistory.kafka.clients import open_consumer, open_producer
from runhistory.kafka.commands import CommandClient
from runhistory.kafka.topics import partitions_of
from tests.support.service_process import ServiceProcess, free_port

BEAT, NOT_RESPONDING, LOST = 0.2, 2.0, 5.0
"""Seconds. In a test everything is quicker."""

SHORT = {
    "RUNHISTORY_HEARTBEAT_SECONDS": str(BEAT),
    "RUNHISTORY_NOT_RESPONDING_SECONDS": str(NOT_RESPONDING),
    "RUNHISTORY_LOST_SECONDS": str(LOST),
}


class WatchWorld:
    """Makes runs, lets their attempts be heard of, and sees what is said about them."""

    def __init__(self, bootstrap: str, folder: Path, url: str = "http://127.0.0.1:1") -> None:
        self._bootstrap, self.folder, self._url = bootstrap, folder, url
        self.client = CommandClient(bootstrap, "test")
        self.events: dict[str, list[RunEvent]] = defaultdict(list)
        self._watching: asyncio.Task[None]
        self._producer: AIOKafkaProducer

    def service(self, room: str, name: str = "", **environment: str) -> ServiceProcess:
        """A process, not started; one of the same name has its partitions at once.

        ClickHouse is away.
        """
        settings = {
            **SHORT,
            "RUNHISTORY_KAFKA": self._bootstrap,
            "RUNHISTORY_CLICKHOUSE": f"http://127.0.0.1:{free_port()}",
            "RUNHISTORY_URL": self._url,
            "RUNHISTORY_INSTANCE": name or room,
        }
        return ServiceProcess(
            room, self.folder / f"{name or room}.log", **{**settings, **environment}
        )

    async def __aenter__(self) -> "WatchWorld":
        await self.client.start()
        self._producer = await open_producer(self._bootstrap, client_id="test-heartbeats")
        self._watching = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._watching.cancel()
        await asyncio.gather(self._watching, return_exceptions=True)
        await self._producer.stop()
        await self.client.stop()

    async def script_run(self) -> str:
        """A run that a worker has claimed and started."""
        run_id, claim = new_run_id(), new_command_id()
        spec = ScriptSpec(script="train.py", snapshot_id="0" * 64)
        await self.send(
            CreateRun, run_id, content=RunContent(type="script", experiment="watch", spec=spec)
        )
        await self.send(ClaimRun, run_id, claim_id=claim, worker_id="nobody")
        await self.send(StartRun, run_id, claim_id=claim)
        return run_id

    async def interactive_run(self) -> str:
        """An interactive run that was started."""
        run_id = new_run_id()
        content = RunContent(type="interactive", experiment="watch")
        await self.send(CreateRun, run_id, content=content)
        await self.send(StartRun, run_id)
        return run_id

    async def send(self, command: type[Command], run_id: str, **fields: object) -> None:
        made = command(workspace="default", run_id=run_id, command_id=new_command_id(), **fields)
        reply = await self.client.send(made, timeout=30)
        assert reply.outcome == "accepted", reply

    async def beat(self, run_id: str, **fields: object) -> None:
        """One heartbeat of the first attempt."""
        record = encode_heartbeat(
            Heartbeat(
                workspace="default",
                run_id=run_id,
                attempt=1,
                source="test",
                **{"time": datetime.now(UTC), **fields},  # type: ignore[arg-type]
            )
        )
        await self._producer.send_and_wait(
            HEARTBEATS_TOPIC, record.value, key=record.key, headers=record.headers
        )

    @contextlib.asynccontextmanager
    async def beating(self, *run_ids: str) -> AsyncIterator[None]:
        """Heartbeats all along, while the block runs."""

        async def beat() -> None:
            while True:
                for run_id in run_ids:
                    await self.beat(run_id)
                await asyncio.sleep(BEAT)

        task = asyncio.create_task(beat())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def until(self, condition: Callable[[], object], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it never came true"
            await asyncio.sleep(0.02)

    async def until_status(self, run_id: str, status: str, seconds: float = 60) -> None:
        await self.until(lambda: self.statuses(run_id)[-1:] == [status], seconds)

    def statuses(self, run_id: str) -> list[str]:
        """Every status that the run has had, in order; one for each change."""
        found = [str(event.status) for event in self.events[run_id]]
        return [one for i, one in enumerate(found) if i == 0 or found[i - 1] != one]

    def count(self, run_id: str, kind: type[RunEvent]) -> int:
        return sum(isinstance(event, kind) for event in self.events[run_id])

    async def _watch(self) -> None:
        consumer = await open_consumer(self._bootstrap, client_id="watch-world")
        try:
            consumer.assign(partitions_of("run.events"))
            while True:
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    for record in records:
                        event = decode_event(record.headers, record.value)
                        if isinstance(event, RunEvent):
                            self.events[event.run_id].append(event)
        finally:
            await consumer.stop()
