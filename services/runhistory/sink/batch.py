"""What one cycle carries: rows for each table, letters to bury, and the offsets to commit."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from aiokafka import TopicPartition
from msgspec import Struct

from runhistory.kafka.dead_letters import SUFFIX
from runhistory.sink.replays import asked_again
from runhistory.sink.rows import LANDINGS, Message, Row, Unreadable


class Limits(Struct, frozen=True, kw_only=True):
    """How large one INSERT may be.

    ClickHouse stores an INSERT of fewer than 1,048,449 rows and 256 MiB (after ARRAY JOIN) as
    one part, so that it is there as a whole or not at all. A single record may be over `bytes`
    and `memory`, never over `rows`.
    """

    records: int = 5_000
    bytes: int = 16 * 1024 * 1024
    rows: int = 500_000
    memory: int = 192 * 1024 * 1024


DEFAULT_LIMITS: Final = Limits()


class Entry(Struct, frozen=True):
    """A record and the row made of it."""

    message: Message
    row: Row


class DeadLetter(Struct, frozen=True):
    """A record that cannot be stored, and why."""

    message: Message
    reason: str

    @property
    def origin(self) -> str:
        """Where it lies: `topic/partition/offset`."""
        return f"{self.message.topic}/{self.message.partition}/{self.message.offset}"


class Batch:
    """Records of one poll, all read under one assignment of partitions (`epoch`)."""

    def __init__(self, epoch: int, limits: Limits = DEFAULT_LIMITS) -> None:
        self.epoch = epoch
        self.limits = limits
        self.tables: dict[str, list[Entry]] = {}
        self.unreadable: list[DeadLetter] = []
        self.next_offsets: dict[TopicPartition, int] = {}
        self.oldest_ms: int | None = None
        self.full = False
        self._sizes: dict[str, _Size] = {}
        self._counts: Counter[TopicPartition] = Counter()

    def __len__(self) -> int:
        return sum(self._counts.values())

    def count(self, partition: TopicPartition) -> int:
        """How many of the records are of `partition`."""
        return self._counts[partition]

    def add(self, message: Message) -> None:
        """Take a record; whatever it is, its offset is committed with the batch."""
        partition = TopicPartition(message.topic, message.partition)
        self.next_offsets[partition] = message.offset + 1
        self._counts[partition] += 1
        if message.topic.endswith(SUFFIX):
            again = asked_again(message)
            if again is None:
                return
            message = again
        elif self.oldest_ms is None or message.timestamp < self.oldest_ms:
            self.oldest_ms = message.timestamp
        landing = LANDINGS[message.topic]
        try:
            row = landing.row(message)
        except Unreadable as error:
            self.unreadable.append(DeadLetter(message, str(error)))
            self.full = self.full or len(self.unreadable) >= self.limits.records
            return
        self.tables.setdefault(landing.table, []).append(Entry(message, row))
        size = self._sizes.setdefault(landing.table, _Size())
        size.add(row)
        self.full = self.full or size.reaches(self.limits)


class _Size:
    """What an INSERT would have to carry."""

    def __init__(self) -> None:
        self.records = self.bytes = self.rows = self.memory = 0

    def add(self, row: Row) -> None:
        self.records += 1
        self.bytes += len(row.json)
        self.rows += row.rows
        self.memory += row.memory

    def reaches(self, limits: Limits) -> bool:
        return (
            self.records >= limits.records
            or self.bytes >= limits.bytes
            or self.rows >= limits.rows
            or self.memory >= limits.memory
        )


def inserts(entries: Iterable[Entry], limits: Limits = DEFAULT_LIMITS) -> Iterator[list[Entry]]:
    """The entries in order, cut into INSERTs that keep the limits (or have one record)."""
    chunk: list[Entry] = []
    size = _Size()
    for entry in entries:
        size.add(entry.row)
        if chunk and size.reaches(limits):
            yield chunk
            chunk, size = [], _Size()
            size.add(entry.row)
        chunk.append(entry)
    if chunk:
        yield chunk
