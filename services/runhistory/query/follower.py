"""Follow run.events into a board: what a service knows of all that is not over.

At start the open runs come from the ClickHouse projection, which also says up to which offset it
has read; the rest comes from Kafka behind that offset. With ClickHouse away, silent or refusing,
or its answer not fitting what follows, the partition is read from its beginning instead. Of an
event that only a newer version knows, what all events of runs say is enough to go on.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from runhistory.clickhouse.client import open_client
from runhistory.domain.events import Event, RunEvent
from runhistory.domain.state import OutOfOrder
from runhistory.events.cloudevents import MalformedRecord, attribute
from runhistory.events.codec import decode_event_data
from runhistory.kafka.clients import close, open_consumer
from runhistory.kafka.topics import load_topics
from runhistory.query.replay import StoredEvent, load_open_runs

EVENTS_TOPIC: Final = "run.events"
ANSWER_SECONDS: Final = 5
"""So long one question to ClickHouse may take; reading the log takes about as long."""

Known_co = TypeVar("Known_co", covariant=True)
Known = TypeVar("Known")

_any_run_event: Final = msgspec.json.Decoder(RunEvent)

log: Any = structlog.get_logger(__name__)


class Board(Protocol[Known_co]):
    """A fold of run.events, partition by partition."""

    def apply(self, event: Event, partition: int) -> Known_co | None:
        """Take in the next event of `partition`; what it concerns after it, None: nothing here.

        Raises:
            OutOfOrder: events are missing in between; read the partition anew.
        """

    def forget(self, partition: int) -> None:
        """Drop all that came from a partition, before it is read anew."""


class EventFollower(Generic[Known]):
    """Keeps a board up to date. Survives a broker that goes and comes back."""

    def __init__(
        self,
        bootstrap: str,
        clickhouse: str,
        board: Board[Known],
        on_change: Callable[[Known, Event], None],
        client_id: str,
    ) -> None:
        """`on_change` hears of every event that concerns the board and came after the start."""
        self._bootstrap, self._clickhouse = bootstrap, clickhouse
        self._board, self._on_change, self._client_id = board, on_change, client_id
        self._positions: dict[int, int] = {}
        self._told: dict[int, int] = {}  # up to where `on_change` heard of the events
        self._due: dict[int, int] | None = None
        self.caught_up = asyncio.Event()
        self.is_following = False

    async def run(self) -> None:
        """Until it is cancelled."""
        await self._load_projection()
        self._told = dict(self._positions)
        while True:
            try:
                await self._follow()
            except (KafkaError, OSError) as error:
                log.warning("events_interrupted", error=repr(error))
            self.is_following = False
            await asyncio.sleep(0.5)

    async def _load_projection(self) -> None:
        partitions = range(load_topics()[EVENTS_TOPIC].partitions)
        self._positions = dict.fromkeys(partitions, 0)
        for partition in partitions:
            try:
                async with asyncio.timeout(2 * ANSWER_SECONDS):
                    found = await asyncio.to_thread(self._open_runs, partition)
            except Exception as error:  # whatever ClickHouse has against it, the log has it all
                log.warning("projection_unreadable", error=repr(error))
                return
            self._load(partition, *found)

    def _load(self, partition: int, offset: int, stored: list[StoredEvent]) -> None:
        try:
            for row in stored:
                if event := _understand(row.type, row.data):
                    self._board.apply(event, partition)
            self._positions[partition] = offset
        except OutOfOrder as error:
            log.warning("projection_unusable", partition=partition, error=str(error))
            self._board.forget(partition)

    def _open_runs(self, partition: int) -> tuple[int, list[StoredEvent]]:
        client = open_client(self._clickhouse, answer_seconds=ANSWER_SECONDS)
        try:
            return load_open_runs(client, partition)
        finally:
            client.close()

    async def _follow(self) -> None:
        consumer = await open_consumer(
            self._bootstrap, client_id=self._client_id, fetch_max_wait_ms=500
        )
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
        found = await consumer.getmany(timeout_ms=1_000 if self.caught_up.is_set() else 100)
        for partition, records in found.items():
            try:
                for record in records:
                    self._apply(record, partition.partition)
            except OutOfOrder as error:
                log.warning("events_read_anew", partition=partition.partition, error=str(error))
                self._board.forget(partition.partition)
                consumer.seek(partition, 0)
        if not self.caught_up.is_set():
            await self._see_whether_caught_up(consumer)
        for partition in found:
            self._positions[partition.partition] = await consumer.position(partition)

    def _apply(self, record: Any, partition: int) -> None:
        event = _understand(_type_of(record.headers), record.value or b"")
        known = None if event is None else self._board.apply(event, partition)
        is_news = record.offset >= self._told[partition]  # and not read anew
        self._told[partition] = max(self._told[partition], record.offset + 1)
        if event is not None and known is not None and is_news:
            self._on_change(known, event)

    async def _see_whether_caught_up(self, consumer: AIOKafkaConsumer) -> None:
        """A position, unlike the last record's offset, counts transaction markers at the end."""
        assert self._due is not None
        for number, end in self._due.items():
            if await consumer.position(TopicPartition(EVENTS_TOPIC, number)) < end:
                return
        self.caught_up.set()


def _type_of(headers: Any) -> str:
    try:
        return attribute(headers, "type")
    except MalformedRecord:
        return ""


def _understand(type: str, data: bytes | str) -> Event | None:
    """The event; of one that this version does not know, what all events of runs have; or None."""
    try:
        return decode_event_data(type, data)
    except MalformedRecord as error:
        log.warning("event_not_understood", type=type, error=str(error))
    try:
        return _any_run_event.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None  # of an experiment, or of nothing
