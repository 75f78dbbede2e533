"""One cycle of the sink: poll, insert, bury, commit. Each step is done before the next begins.

    poll    takes what is there, up to the limits of one INSERT
    insert  stores it, one INSERT for each landing table, and finds what cannot be stored
    bury    writes that to the dead-letter topics, acknowledged
    commit  moves the group's offsets past exactly these records

A process that dies between any two steps (or within one) leaves offsets behind what is stored,
never ahead of it, so its successor repeats records and skips none. Every step may be repeated.

**Pace.** An INSERT has a fixed cost (about 18 ms of CPU for four targets), so a busy sink begins
one only every `pace` seconds: four times what the last one took, within bounds. After a quiet
moment a record is inserted at once, and a full batch never waits.
"""

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from typing import Final, Protocol

from msgspec import Struct

from runhistory.runtime.metrics import (
    SINK_BYTES,
    SINK_INSERT_RECORDS,
    SINK_INSERT_ROWS,
    SINK_INSERT_SECONDS,
    SINK_POINTS,
    SINK_RECORDS,
    SINK_VISIBLE_SECONDS,
)
from runhistory.sink.batch import DEFAULT_LIMITS, Batch, DeadLetter, Entry, Limits, inserts
from runhistory.sink.dead_letters import Cemetery
from runhistory.sink.group import TopicOffsets
from runhistory.sink.rows import Message
from runhistory.sink.store import Store, insert_readable

IDLE_SECONDS: Final = 0.5
"""So long a poll waits for a first record before it comes back with nothing."""


class Pace(Struct, frozen=True):
    """Seconds from one cycle's start to the next; `factor` is in times of the last INSERT."""

    shortest: float = 0.05
    longest: float = 0.3
    factor: float = 4.0

    def after(self, seconds: float) -> float:
        """The pause that follows a cycle that took `seconds`, counted from its start."""
        return min(self.longest, max(self.shortest, self.factor * seconds))


DEFAULT_PACE: Final = Pace()


class Source(Protocol):
    """What a cycle needs of the consumer group; Group is the one."""

    epoch: int

    async def take(self, wait: float) -> Sequence[Message]:
        """See Group.take."""

    async def commit(self, epoch: int, offsets: TopicOffsets) -> None:
        """See Group.commit."""


class Cycle:
    """The steps. Delivery: at least once, into the store or into a dead-letter topic."""

    def __init__(
        self,
        source: Source,
        store: Store,
        cemetery: Cemetery,
        limits: Limits = DEFAULT_LIMITS,
        pace: Pace = DEFAULT_PACE,
    ) -> None:
        self._source, self._store, self._cemetery = source, store, cemetery
        self._limits, self._pace = limits, pace
        self._due = 0.0

    async def poll(self) -> Batch:
        """Everything that is there, or an empty batch after IDLE_SECONDS without a record.

        Raises:
            aiokafka.errors.KafkaError: see Group.take.
        """
        batch, wait = Batch(self._source.epoch, self._limits), IDLE_SECONDS
        while True:
            found = await self._source.take(wait)
            if self._source.epoch != batch.epoch:
                batch = Batch(self._source.epoch, self._limits)
            for message in found:
                batch.add(message)
            wait = max(0.0, self._due - time.monotonic())
            if batch.full or (not found and wait == 0.0) or not batch:
                return batch

    async def insert(self, batch: Batch) -> list[DeadLetter]:
        """Store the batch's rows; the tables' INSERTs run side by side. Returns what cannot be.

        Raises:
            Unavailable: some may be stored. Repeat the step.
        """
        started = time.monotonic()
        results = await asyncio.gather(
            *(self._insert_table(table, entries) for table, entries in batch.tables.items()),
            return_exceptions=True,  # a failed step is over for all tables before it is repeated
        )
        self._due = started + self._pace.after(time.monotonic() - started)
        letters = list(batch.unreadable)
        for result in results:
            if isinstance(result, BaseException):
                raise result
            letters += result
        return letters

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        """Write what could not be stored to the dead-letter topics.

        Raises:
            Unavailable: some may be written. Repeat the step.
        """
        await self._cemetery.bury(letters)

    async def commit(self, batch: Batch) -> None:
        """Let the group's offsets pass the batch: now readers may count on it.

        Raises:
            Superseded: the records have another owner. Forget the batch.
            aiokafka.errors.KafkaError: see Group.commit.
        """
        await self._source.commit(batch.epoch, batch.next_offsets)
        _count(batch)

    async def _insert_table(self, table: str, entries: Sequence[Entry]) -> list[DeadLetter]:
        refused: list[DeadLetter] = []
        for chunk in inserts(entries, self._limits):
            refused += await insert_readable(partial(self._insert_rows, table), chunk)
            SINK_INSERT_ROWS.labels(table).observe(sum(entry.row.rows for entry in chunk))
        return refused

    async def _insert_rows(self, table: str, rows: Sequence[bytes]) -> None:
        started = time.monotonic()
        await self._store.insert(table, rows)
        SINK_INSERT_SECONDS.labels(table).observe(time.monotonic() - started)
        SINK_INSERT_RECORDS.labels(table).observe(len(rows))


def _count(batch: Batch) -> None:
    for table, entries in batch.tables.items():
        topic = entries[0].message.topic
        SINK_RECORDS.labels(topic).inc(len(entries))
        SINK_BYTES.labels(topic).inc(sum(len(entry.message.value or b"") for entry in entries))
        if table == "metrics_landing":
            SINK_POINTS.inc(sum(entry.row.rows for entry in entries))
    if batch.oldest_ms is not None:
        SINK_VISIBLE_SECONDS.observe(max(0.0, time.time() - batch.oldest_ms / 1000))
