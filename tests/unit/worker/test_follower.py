"""Following run.events: what a worker does with what it does not know, and without ClickHouse."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from aiokafka import TopicPartition
from clickhouse_connect.driver.exceptions import DatabaseError

from runhistory.clickhouse.client import EngineUnavailable
from runhistory.domain.commands import ClaimRun, StartRun
from runhistory.domain.events import Event
from runhistory.domain.status import RunStatus
from runhistory.events.cloudevents import Record
from runhistory.events.codec import encode_event
from runhistory.kafka.topics import load_topics
from runhistory.query import follower
from runhistory.query.follower import EVENTS_TOPIC, EventFollower
from runhistory.worker.board import Board, KnownRun
from tests.unit.worker.test_board import history


class LogRecord(msgspec.Struct):
    """A record as a consumer gives it."""

    offset: int
    headers: list[tuple[str, bytes]]
    value: bytes


class Log:
    """In the place of a consumer of run.events: partition 0 holds `records`, the rest nothing."""

    def __init__(self, records: list[Record]) -> None:
        self.records = [LogRecord(n, r.headers, r.value) for n, r in enumerate(records)]
        self.seeks: list[int] = []
        self._partitions: list[TopicPartition] = []
        self._position = 0

    def add(self, record: Record) -> None:
        self.records.append(LogRecord(len(self.records), record.headers, record.value))

    def assign(self, partitions: list[TopicPartition]) -> None:
        self._partitions = partitions

    def assignment(self) -> list[TopicPartition]:
        return self._partitions

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return {one: 0 if one.partition else len(self.records) for one in partitions}

    def seek(self, partition: TopicPartition, offset: int) -> None:
        if partition.partition == 0:
            self._position = offset
            self.seeks.append(offset)

    async def position(self, partition: TopicPartition) -> int:
        return 0 if partition.partition else self._position

    async def getmany(self, timeout_ms: int) -> dict[TopicPartition, list[LogRecord]]:
        await asyncio.sleep(0.001)
        found = self.records[self._position :]
        self._position = len(self.records)
        return {TopicPartition(EVENTS_TOPIC, 0): found} if found else {}


class World:
    """A follower of `log`, and what it told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, log: Log, clickhouse: str = "") -> None:
        async def open_consumer(*_: Any, **__: Any) -> Log:
            return log

        async def close(_: Log) -> None: ...

        monkeypatch.setattr(follower, "open_consumer", open_consumer)
        monkeypatch.setattr(follower, "close", close)
        self.log, self.board = log, Board("local")
        self.told: list[str] = []
        self.follower = EventFollower("nowhere", clickhouse, self.board, self._hear, "test")

    def _hear(self, run: KnownRun, event: Event) -> None:
        self.told.append(event.event_id)

    @contextlib.asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.follower.run())
        try:
            await asyncio.wait({task, asyncio.create_task(self.follower.caught_up.wait())},
                               timeout=30, return_when=asyncio.FIRST_COMPLETED)  # fmt: skip
            assert self.follower.caught_up.is_set()
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def until_read(self) -> None:
        async with asyncio.timeout(10):
            while await self.log.position(TopicPartition(EVENTS_TOPIC, 0)) < len(self.log.records):
                await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)


@pytest.fixture
def no_clickhouse(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise EngineUnavailable("ClickHouse is away")

    monkeypatch.setattr(follower, "open_client", refuse)


def from_a_newer_writer(event: Event) -> Record:
    record = encode_event(event)
    headers = [(k, b"run.paused.v1" if k == "ce_type" else v) for k, v in record.headers]
    value = {**msgspec.json.decode(record.value), "why": "maintenance"}
    return Record(record.key, headers, msgspec.json.encode(value))


@pytest.mark.usefixtures("no_clickhouse")
async def test_an_event_that_only_a_newer_worker_knows_moves_its_run_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    *before, started = history(ClaimRun, StartRun)
    unknown = msgspec.structs.replace(started, status=RunStatus.PAUSED)
    after = msgspec.structs.replace(started, version=started.version + 1)
    log = Log([encode_event(event) for event in before])
    world = World(monkeypatch, log)
    async with world.following():
        log.add(from_a_newer_writer(unknown))
        await world.until_read()
        run = world.board.get(started.run_id)
        assert run is not None
        assert (run.version, run.status) == (unknown.version, RunStatus.PAUSED)
        log.add(encode_event(after))
        await world.until_read()
        run = world.board.get(started.run_id)
        assert run is not None
        assert (run.version, run.status) == (after.version, RunStatus.RUNNING)
    assert log.seeks == [0]


@pytest.mark.usefixtures("no_clickhouse")
async def test_what_is_read_anew_is_not_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = history(ClaimRun), history(ClaimRun, StartRun)
    log = Log([encode_event(event) for event in [*one, *other[:-2]]])
    world = World(monkeypatch, log)
    async with world.following():
        log.add(encode_event(other[-1]))  # one is missing before it
        async with asyncio.timeout(10):
            while len(log.seeks) < 2:
                await asyncio.sleep(0.001)
        log.records[-1:] = []  # the broker gives it, the second time
        log.add(encode_event(other[-2]))
        log.add(encode_event(other[-1]))
        await world.until_read()
        run = world.board.get(other[0].run_id)
        assert run is not None
        assert run.status is RunStatus.RUNNING
    assert len(world.told) == len(set(world.told))
    assert world.told[-1] == other[-1].event_id


async def test_a_clickhouse_that_refuses_leaves_the_log_to_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise DatabaseError("Code: 81. Database runhistory does not exist")

    monkeypatch.setattr(follower, "open_client", refuse)
    events = history(ClaimRun)
    world = World(monkeypatch, Log([encode_event(event) for event in events]))
    async with world.following():
        assert world.board.get(events[0].run_id) is not None


async def test_a_clickhouse_that_hangs_leaves_the_log_to_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(follower, "ANSWER_SECONDS", 1)
    assert load_topics()[EVENTS_TOPIC].partitions > 1
    events = history(ClaimRun)
    with socket.create_server(("127.0.0.1", 0)) as server:  # takes what comes, answers nothing
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        world = World(monkeypatch, Log([encode_event(event) for event in events]), url)
        before = time.monotonic()
        async with world.following():
            assert world.board.get(events[0].run_id) is not None
        assert time.monotonic() - before < 10
