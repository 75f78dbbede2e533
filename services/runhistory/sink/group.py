"""Membership in the consumer group: which records are ours, and what we may commit.

A record is ours as long as the assignment under which it was read; each assignment has a number,
the **epoch**. When partitions are revoked the epoch ends, and what was read in it and not yet
committed is forgotten: whoever owns the partitions next reads it again, from the last commit.
Committing it later would be no loss but could put the group's offset back, and readers who
wait for a watermark would wait for nothing. So a commit names its epoch and is refused in another,
and a revocation waits for the commit that is under way.

A poll that has failed has perhaps moved past records it never gave out, so it is never
repeated: the process dies and its successor begins at the last commit.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError

from runhistory.kafka.clients import close
from runhistory.kafka.dead_letters import SINK_GROUP, SUFFIX
from runhistory.sink.rows import LANDINGS, Message

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord

    KafkaRecord = ConsumerRecord[bytes, bytes]

TopicOffsets = Mapping[TopicPartition, int]

GROUP: Final = SINK_GROUP
TOPICS: Final = (*LANDINGS, *(f"{topic}{SUFFIX}" for topic in LANDINGS))
"""What the sink reads: the topics it stores, and their dead letters, where somebody may ask for
another try."""

BITE: Final = 200
"""Records taken at once; a fetched batch is unpacked no further, which bounds memory."""

CONSUMER_SETTINGS: Final[dict[str, Any]] = {
    "max_partition_fetch_bytes": 1_048_576,
    "fetch_max_bytes": 16_777_216,
    # The broker answers as soon as there is something; an idle sink asks twice a second.
    "fetch_max_wait_ms": 500,
    # Longer than an INSERT may take before it counts as failed; a poll follows then.
    "max_poll_interval_ms": 900_000,
}


log: Any = structlog.get_logger(__name__)


def member_name(instance: str | None) -> str | None:
    """The static member that `instance` is, as long as it reads the same topics.

    One that comes back gets its old partitions at once, and of a topic that it reads since then
    none (seen with Kafka 4.4). Under another name it is another member, which shares in all.
    """
    return instance and f"{instance}-{crc32(','.join(sorted(TOPICS)).encode()):08x}"


class Superseded(Exception):
    """The partitions went to another owner (or came back): forget the batch, and go on."""


class Group(ConsumerRebalanceListener):
    """A member of the consumer group; records are given out in order within a partition."""

    def __init__(self, consumer: AIOKafkaConsumer, topics: Sequence[str] = TOPICS) -> None:
        self.epoch = 0
        self.assignments = 0
        """Counts the generations of the group in which we were given something, as they begin."""
        self._consumer, self._topics = consumer, topics
        self._between = True
        """Between a revocation and the next assignment, when positions are of what is forgotten."""
        self._committing = asyncio.Lock()
        self._held: list[Message] = []
        self._committed: dict[TopicPartition, int] = {}

    async def join(self) -> None:
        """Subscribe to the topics."""
        self._consumer.subscribe(list(self._topics), listener=self)

    async def leave(self) -> None:
        """Leave the group, if the broker is there to be told; nothing is committed by it."""
        await close(self._consumer)

    async def take(self, wait: float) -> list[Message]:
        """Records that nobody has had in this epoch (read `epoch` right after), at most BITE.

        Blocks for up to `wait` seconds, and longer while the group is rebalancing.

        Raises:
            aiokafka.errors.KafkaError: the membership is lost for good. Take no more.
        """
        if self._held:
            held, self._held = self._held, []
            return held
        return await self._poll(wait)

    async def keep_alive(self) -> None:
        """Stay in the group without taking anything: to be called while records cannot be stored.

        Raises:
            aiokafka.errors.KafkaError: as for `take`.
        """
        self._consumer.pause(*self._consumer.assignment())
        # Only partitions assigned this instant are not paused, so this is nearly always empty.
        self._held += await self._poll(0.0)

    def resume(self) -> None:
        """Read on, after `keep_alive`."""
        self._consumer.resume(*self._consumer.paused())

    async def commit(self, epoch: int, offsets: TopicOffsets) -> None:
        """Commit offsets (of the next records) that were read in `epoch`.

        Blocks while the broker is away.

        Raises:
            Superseded: the epoch has ended; nothing is committed, or nobody minds.
            aiokafka.errors.KafkaError: the broker refuses for another reason.
        """
        async with self._committing:
            if epoch != self.epoch:
                raise Superseded
            try:
                await self._consumer.commit(dict(offsets))
            except (CommitFailedError, IllegalStateError) as error:
                raise Superseded from error
            self._committed.update(offsets)

    async def commit_positions(self) -> None:
        """Commit where reading stands; to be called when a poll found nothing and all is stored.

        Behind the last record there may lie a transaction's marker, or records of one that was
        aborted, which no reader is given. Whoever waits for the sink to pass what lies there
        would wait for ever if only records moved the offset.

        Not between a revocation and the assignment that follows: the consumer still tells where
        reading stood, which is behind records that were forgotten, and the broker would take it.

        Raises:
            aiokafka.errors.KafkaError: the broker refuses.
        """
        if self._between:
            return
        epoch, moved = self.epoch, {}
        for partition in self._consumer.assignment():
            position = await self._consumer.position(partition)
            if position > self._committed.get(partition, -1):
                moved[partition] = position
        if moved and not self._held:
            with contextlib.suppress(Superseded):
                await self.commit(epoch, moved)

    async def ahead(self) -> dict[TopicPartition, int]:
        """How many records lie ahead of the position in each of our partitions.

        Raises:
            TimeoutError, aiokafka.errors.KafkaError: Kafka does not answer.
        """
        async with asyncio.timeout(5.0):
            partitions = sorted(self._consumer.assignment())
            ends = await self._consumer.end_offsets(partitions) if partitions else {}
            positions = {one: await self._consumer.position(one) for one in ends}
        return {one: max(0, end - positions[one]) for one, end in ends.items()}

    @property
    def assigned(self) -> bool:
        """Whether the group has given us something to read."""
        return bool(self._consumer.assignment())

    @property
    def holding(self) -> bool:
        """Whether there are records that the next `take` gives out first."""
        return bool(self._held)

    async def _poll(self, wait: float) -> list[Message]:
        found: dict[TopicPartition, list[KafkaRecord]] = await self._consumer.getmany(
            timeout_ms=int(wait * 1000), max_records=BITE
        )
        return [record for records in found.values() for record in records]

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """The epoch ends; the next assignment waits for a commit that is under way."""
        self._between = True
        self.epoch += 1
        self._held.clear()
        self._committed.clear()
        async with self._committing:
            log.info("partitions_revoked", epoch=self.epoch, partitions=_names(revoked))

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Reading begins at each partition's last commit."""
        self._between = False
        self.assignments += 1
        log.info("partitions_assigned", epoch=self.epoch, partitions=_names(assigned))


def _names(partitions: Iterable[TopicPartition]) -> list[str]:
    return [f"{one.topic}/{one.partition}" for one in sorted(partitions)]
