"""Follow run.events into the board.

At start the open runs come from the ClickHouse projection, which also says up to which offset it
has read; the rest comes from Kafka behind that offset. With ClickHouse away, or its answer not
fitting what follows, the partition is read from its beginning instead.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from runhistory.clickhouse.client import EngineUnavailable, open_client
from runhistory.domain.events import Event
from runhistory.domain.state import OutOfOrder
from runhistory.events.cloudevents import MalformedRecord
from runhistory.events.codec import decode_event, decode_event_data
from runhistory.kafka.clients import close, open_consumer
from runhistory.kafka.topics import load_topics
from runhistory.query.replay import StoredEvent, load_open_runs
from runhistory.worker.board import Board, KnownRun

EVENTS_TOPIC = "run.events"

log: Any = structlog.get_logger(__name__)


class EventFollower:
    """Keeps a board up to date. Survives a broker that goes and comes back."""

    def __init__(
        self,
        bootstrap: str,
        clickhouse: str,
        board: Board,
        on_change: Callable[[KnownRun, Event], None],
    ) -> None:
        """`on_change` hears of every event of the board's runs that came after the start."""
        self._bootstrap, self._clickhouse = bootstrap, clickhouse
        self._board, self._on_change = board, on_change
        self._positions: dict[int, int] = {}
        self._due: dict[int, int] | None = None
        self.caught_up = asyncio.Event()
        self.is_following = False

    async def run(self) -> None:
        """Until it is cancelled."""
        for partition in range(load_topics()[EVENTS_TOPIC].partitions):
            await self._load(partition)
        while True:
            try:
                await self._follow()
            except (KafkaError, OSError) as error:
                log.warning("events_interrupted", error=repr(error))
            self.is_following = False
            await asyncio.sleep(0.5)

    async def _load(self, partition: int) -> None:
        self._positions[partition] = 0
        try:
            offset, stored = await asyncio.to_thread(self._open_runs, partition)
            for row in stored:
                self._board.apply(decode_event_data(row.type, row.data), partition)
            self._positions[partition] = offset
        except (EngineUnavailable, OutOfOrder, MalformedRecord) as error:
            log.warning("projection_unusable", partition=partition, error=str(error))
            self._board.forget(partition)

    def _open_runs(self, partition: int) -> tuple[int, list[StoredEvent]]:
        return load_open_runs(open_client(self._clickhouse), partition)

    async def _follow(self) -> None:
        consumer = await open_consumer(self._bootstrap, client_id="worker-events")
        try:
            consumer.assign([TopicPartition(EVENTS_TOPIC, number) for number in self._positions])
            if self._due is None:
                found = await consumer.end_offsets(list(consumer.assignment()))
                self._due = {partition.partition: end for partition, end in found.items()}
            for number, offset in self._positions.items():
                consumer.seek(TopicPartition(EVENTS_TOPIC, number), offset)
            self.is_following = True
            while True:
                await self._poll(consumer)
        finally:
            await close(consumer)

    async def _poll(self, consumer: AIOKafkaConsumer) -> None:
        found = await consumer.getmany(timeout_ms=200)
        for partition, records in found.items():
            try:
                for record in records:
                    self._apply(record.headers, record.value or b"", partition.partition)
            except OutOfOrder as error:
                log.warning("events_read_anew", partition=partition.partition, error=str(error))
                self._board.forget(partition.partition)
                consumer.seek(partition, 0)
        if not self.caught_up.is_set():
            await self._see_whether_caught_up(consumer)
        for partition in found:
            self._positions[partition.partition] = await consumer.position(partition)

    def _apply(self, headers: Any, value: bytes, partition: int) -> None:
        try:
            event = decode_event(headers, value)
        except MalformedRecord as error:  # a newer writer's event: none that this worker knows
            log.warning("event_not_understood", partition=partition, error=str(error))
            return
        run = self._board.apply(event, partition)
        if run is not None:
            self._on_change(run, event)

    async def _see_whether_caught_up(self, consumer: AIOKafkaConsumer) -> None:
        """A position, unlike the last record's offset, counts transaction markers at the end."""
        assert self._due is not None
        for number, end in self._due.items():
            if await consumer.position(TopicPartition(EVENTS_TOPIC, number)) < end:
                return
        self.caught_up.set()
