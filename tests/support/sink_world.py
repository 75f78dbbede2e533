"""A log, a store and a cemetery in memory, that fail and lose their members on demand."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec
from aiokafka import TopicPartition

from runhistory.events.metric_batch import METRICS_LOGGED, MetricsLogged
from runhistory.sink.batch import DeadLetter
from runhistory.sink.group import Superseded, TopicOffsets
from runhistory.sink.rows import Unreadable
from runhistory.sink.store import Unavailable

RUN = "0193f0aa00007000800000000000000a"


@dataclass(frozen=True)
class FakeMessage:
    """A Kafka record."""

    value: bytes | None
    topic: str = "run.metrics"
    partition: int = 0
    offset: int = 0
    timestamp: int = 1_700_000_000_000
    key: bytes | None = RUN.encode()
    headers: tuple[tuple[str, bytes], ...] = (("ce_type", METRICS_LOGGED.encode()),)


def metrics(seq: int = 0, points: int = 2, key: str = "loss") -> bytes:
    """The value of a good batch."""
    return msgspec.json.encode(
        MetricsLogged(
            workspace="default",
            run_id=RUN,
            attempt=1,
            writer="w",
            seq=seq,
            keys=[key],
            key_index=[1] * points,
            steps=list(range(points)),
            values=[0.5] * points,
            times=[1_700_000_000_000_000] * points,
        )
    )


class FakeStore:
    """Rows by table. `poison` says which row cannot be read; `outages` INSERTs fail first.

    An INSERT that fails for want of the store has been applied when `apply_lost` says so: its
    outcome was unknown.
    """

    def __init__(self, poison: Callable[[bytes], bool] = lambda row: False) -> None:
        self.poison, self.outages, self.apply_lost = poison, 0, False
        self.rows: dict[str, list[bytes]] = defaultdict(list)
        self.sizes: list[int] = []

    async def insert(self, table: str, rows: Sequence[bytes]) -> None:
        self.sizes.append(len(rows))
        if self.outages > 0:
            self.outages -= 1
            if self.apply_lost and not any(map(self.poison, rows)):
                self.rows[table] += rows
            raise Unavailable("away")
        if any(map(self.poison, rows)):
            raise Unreadable("poison")
        self.rows[table] += rows

    async def ping(self) -> None:
        if self.outages:
            raise Unavailable("away")


@dataclass
class FakeCemetery:
    """Dead letters, in the order in which they were acknowledged."""

    letters: list[DeadLetter] = field(default_factory=list)

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        self.letters += letters


class FakeSource:
    """A log of several partitions and one group. `rebalance` is a new assignment of all of it."""

    def __init__(self, log: dict[TopicPartition, list[FakeMessage]], bite: int = 3) -> None:
        self.log, self.bite, self.epoch = log, bite, 1
        self.committed: dict[TopicPartition, int] = dict.fromkeys(log, 0)
        self.commits: list[TopicOffsets] = []
        self._position = dict(self.committed)

    def rebalance(self) -> None:
        """All partitions are revoked and given back: reading begins at the commits."""
        self.epoch += 1
        self._position = dict(self.committed)

    async def take(self, wait: float) -> Sequence[FakeMessage]:
        for partition, messages in self.log.items():
            start = self._position[partition]
            if found := messages[start : start + self.bite]:
                self._position[partition] = found[-1].offset + 1
                return found
        return []

    async def commit(self, epoch: int, offsets: TopicOffsets) -> None:
        if epoch != self.epoch:
            raise Superseded
        self.commits.append(offsets)
        self.committed.update(offsets)
