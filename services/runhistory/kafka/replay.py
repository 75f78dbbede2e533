"""Read a partition up to where it ends now."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

if TYPE_CHECKING:
    Record = ConsumerRecord[bytes, bytes]


async def read_to_end(
    consumer: AIOKafkaConsumer, partition: TopicPartition, start: int
) -> AsyncIterator["Record"]:
    """Every committed record of `partition` from offset `start` to its end, then stop.

    The end is the last stable offset at the time of the call: with `read_committed`, records of
    a transaction that is still open lie behind it. The consumer must have the partition
    assigned and nothing else in use; afterwards its position is the end, and it is paused.
    """
    consumer.resume(partition)
    end = (await consumer.end_offsets([partition]))[partition]
    beginning = (await consumer.beginning_offsets([partition]))[partition]
    consumer.seek(partition, max(start, beginning))
    while await consumer.position(partition) < end:
        for record in (await consumer.getmany(partition, timeout_ms=200)).get(partition, []):
            yield record
    consumer.pause(partition)
