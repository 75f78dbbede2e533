"""The states of one partition's runs, as its committed events make them.

The log of events is the truth; this is a fold of it that may be incomplete on purpose. At start
the open runs come from the ClickHouse projection, which also says up to which offset it has
read, and the rest comes from run.events behind that offset. A run that is asked for later and
not in memory (it ended long ago, or never was) is looked up in the projection. With ClickHouse
down, or behind, the partition is read from its beginning instead, once; from then on all is in
memory (`complete`) and nothing need be looked up. So the lifecycle needs Kafka only, and
ClickHouse spares it time and memory.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from clickhouse_connect.driver.exceptions import ClickHouseError

from runhistory.clickhouse.client import EngineUnavailable, open_client
from runhistory.domain.events import Event
from runhistory.domain.state import OutOfOrder, Run, State, evolve
from runhistory.events.cloudevents import MalformedRecord
from runhistory.events.codec import decode_event, decode_event_data
from runhistory.kafka.replay import read_to_end
from runhistory.query.replay import StoredEvent, load_events, load_open_runs

EVENTS_TOPIC: Final = "run.events"
MAX_STATES: Final = 20_000
"""Above this, runs that are over and already in the projection are let go."""
TRIM_SECONDS: Final = 10
"""No more often than this."""
ASK_SECONDS: Final = 5
"""So long ClickHouse may take to answer; commands wait meanwhile."""

log: Any = structlog.get_logger(__name__)


class ProjectionUnusable(Exception):
    """ClickHouse cannot say what is needed, now: the log itself has to be read."""


class CannotReplay(Exception):
    """run.events itself has a hole or a record that nobody can read: a person must look."""


class PartitionMemory:
    """What the lifecycle remembers of one partition. Holds committed facts only."""

    def __init__(self, clickhouse: str, partition: int) -> None:
        self._clickhouse, self._partition = clickhouse, partition
        self.states: dict[str, State] = {}
        self.last_offsets: dict[str, int] = {}
        self.next_offset = 0
        self.complete = False
        self._loaded = False
        self._let_go_before = 0
        self._trim_at = 0.0

    async def catch_up(self, consumer: AIOKafkaConsumer) -> None:
        """Read on to the end of the partition; the first time, start from the projection.

        `consumer` has this partition of run.events assigned, and nothing else.

        Raises:
            CannotReplay: the log cannot be folded.
        """
        if not self._loaded:
            await self._load_open_runs()
            self._loaded = True
        try:
            await self._read_on(consumer)
        except OutOfOrder as error:
            if self.complete:
                raise CannotReplay(str(error)) from error
            log.warning("projection_unusable", partition=self._partition, error=str(error))
            await self._read_all(consumer)

    async def look_up(self, run_ids: Iterable[str], consumer: AIOKafkaConsumer) -> None:
        """Bring the states of `run_ids` into memory where they exist.

        Raises:
            CannotReplay: the log cannot be folded.
        """
        missing = [run_id for run_id in set(run_ids) if run_id not in self.states]
        if self.complete or not missing:
            return
        try:
            covered, stored = await self._ask(load_events, missing)
            if covered < self._let_go_before:
                raise ProjectionUnusable("the projection is behind what was let go")
            self._fold_stored(stored)
        except ProjectionUnusable as error:
            log.warning("look_up_failed", partition=self._partition, error=str(error))
            await self._read_all(consumer)

    def apply(self, changed: dict[str, State], offsets: dict[str, int]) -> None:
        """Take over what a committed transaction changed; `offsets` of each run's last event."""
        self.states.update(changed)
        self.last_offsets.update(offsets)
        self.next_offset = max([self.next_offset, *(offset + 1 for offset in offsets.values())])

    async def trim(self) -> None:
        """Let runs go that are over and in the projection, when there are too many."""
        if len(self.states) <= MAX_STATES or time.monotonic() < self._trim_at:
            return
        self._trim_at = time.monotonic() + TRIM_SECONDS
        try:
            covered, _ = await self._ask(load_events, [])
        except ProjectionUnusable:
            return
        over = [
            run_id
            for run_id, state in self.states.items()
            if isinstance(state, Run) and state.is_terminal and self.last_offsets[run_id] < covered
        ]
        for run_id in over[: len(self.states) - MAX_STATES // 2]:
            del self.states[run_id]
            self._let_go_before = max(self._let_go_before, self.last_offsets.pop(run_id) + 1)
            self.complete = False

    async def _load_open_runs(self) -> None:
        try:
            self.next_offset, stored = await self._ask(load_open_runs)
            self._fold_stored(stored)
        except ProjectionUnusable as error:
            log.warning("projection_unavailable", partition=self._partition, error=str(error))
            self._forget()
        self._let_go_before = self.next_offset
        self.complete = self.next_offset == 0

    async def _read_all(self, consumer: AIOKafkaConsumer) -> None:
        """From the beginning, once: from then on everything is in memory."""
        self._forget()
        self.complete = True
        try:
            await self._read_on(consumer)
        except OutOfOrder as error:
            raise CannotReplay(str(error)) from error

    async def _read_on(self, consumer: AIOKafkaConsumer) -> None:
        """Fold what comes behind `next_offset`.

        A run that ended before may get an event still (a tag): its history is looked up first.
        """
        later: dict[str, list[tuple[Event, int]]] = defaultdict(list)
        partition = TopicPartition(EVENTS_TOPIC, self._partition)
        async for record in read_to_end(consumer, partition, self.next_offset):
            try:
                event = decode_event(record.headers, record.value or b"")
            except MalformedRecord as error:
                raise CannotReplay(f"{EVENTS_TOPIC}/{record.offset}: {error}") from error
            self.next_offset = max(self.next_offset, record.offset + 1)
            if event.run_id not in self.states and event.version > 1:
                later[event.run_id].append((event, record.offset))
            else:
                self._fold(event, record.offset)
        if later:
            await self._fold_later(later)

    async def _fold_later(self, later: dict[str, list[tuple[Event, int]]]) -> None:
        """Fold events of runs whose earlier ones have to be looked up.

        Raises:
            OutOfOrder: they cannot be, or do not fit.
        """
        try:
            _, stored = await self._ask(load_events, list(later))
            self._fold_stored(stored)
        except ProjectionUnusable as error:
            raise OutOfOrder(f"histories cannot be looked up: {error}") from error
        for run_id, history in later.items():
            state = self.states.get(run_id)
            known = state.version if state else 0
            for event, offset in history:
                if event.version > known:
                    self._fold(event, offset)

    def _fold(self, event: Event, offset: int) -> None:
        self.states[event.run_id] = evolve(self.states.get(event.run_id), event)
        self.last_offsets[event.run_id] = offset

    def _fold_stored(self, stored: Iterable[StoredEvent]) -> None:
        """Fold whole histories; nothing is taken over when one of them has a hole.

        Raises:
            ProjectionUnusable: one has.
        """
        found: dict[str, State] = {}
        last_offsets: dict[str, int] = {}
        try:
            for row in stored:
                event = decode_event_data(row.type, row.data)
                found[event.run_id] = evolve(found.get(event.run_id), event)
                last_offsets[event.run_id] = row.offset
        except (OutOfOrder, MalformedRecord) as error:
            raise ProjectionUnusable(str(error)) from error
        self.states.update(found)
        self.last_offsets.update(last_offsets)

    def _forget(self) -> None:
        self.states, self.last_offsets, self.next_offset = {}, {}, 0
        self._let_go_before = 0

    async def _ask(
        self, load: Callable[..., tuple[int, list[StoredEvent]]], *arguments: Any
    ) -> tuple[int, list[StoredEvent]]:
        """What the projection says, soon: commands wait for it, and the log says the same.

        Raises:
            ProjectionUnusable: it is away, broken, or too slow.
        """

        def ask() -> tuple[int, list[StoredEvent]]:
            client = open_client(self._clickhouse, answer_seconds=ASK_SECONDS)
            return load(client, self._partition, *arguments)

        try:
            async with asyncio.timeout(ASK_SECONDS):
                return await asyncio.to_thread(ask)
        except (EngineUnavailable, ClickHouseError, TimeoutError) as error:
            raise ProjectionUnusable(repr(error)) from error
