"""Read what was written between two positions of the log, merged by time over the partitions.

Within a partition the order is the log's. Between partitions it is that of Kafka's times: a
record is given out when every partition that is not read to its end has one waiting. A partition
that has is paused meanwhile, so memory is bounded by one fetch of each.
"""

from collections import deque
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from runhistory.kafka.clients import close, open_consumer
from runhistory.kafka.log_ends import Positions

if TYPE_CHECKING:
    from runhistory.kafka.replay import Record

_FETCH_BYTES: Final = 4 * 1024 * 1024


async def read_history(
    bootstrap: str, client_id: str, start: Positions, until: Positions
) -> "AsyncGenerator[list[Record], None]":
    """The committed records from `start` on whose offset is below `until`, in batches.

    Costs nothing when there are none.

    Raises:
        aiokafka.errors.KafkaError, OSError: Kafka is away.
    """
    places = [place for place in until if start[place] < until[place]]
    if not places:
        return
    consumer = await open_consumer(
        bootstrap, client_id=f"{client_id}-history", fetch_max_bytes=_FETCH_BYTES
    )
    try:
        consumer.assign(places)
        for place in places:
            consumer.seek(place, start[place])
        merger = _Merger(consumer, {place: until[place] for place in places})
        while merger.is_reading:
            yield await merger.next_batch()
    finally:
        await close(consumer)


class _Merger:
    def __init__(self, consumer: AIOKafkaConsumer, until: Positions) -> None:
        self._consumer, self._until = consumer, until
        self._reading = set(until)
        self._waiting: dict[TopicPartition, deque[Record]] = {place: deque() for place in until}

    @property
    def is_reading(self) -> bool:
        """Whether a partition's end has not been reached; afterwards all has been given out."""
        return bool(self._reading)

    async def next_batch(self) -> "list[Record]":
        """Fetch once, and give out what is next for certain."""
        found = await self._consumer.getmany(timeout_ms=500)
        for place, records in found.items():
            due = (record for record in records if record.offset < self._until[place])
            self._waiting[place].extend(due)
        for place in list(self._reading):
            # A position, unlike the last record's offset, counts transaction markers at the end.
            if await self._consumer.position(place) >= self._until[place]:
                self._reading.discard(place)
        batch = self._merge()
        for place in self._until:
            if place not in self._reading or self._waiting[place]:
                self._consumer.pause(place)
            else:
                self._consumer.resume(place)
        return batch

    def _merge(self) -> "list[Record]":
        batch = []
        while all(self._waiting[place] for place in self._reading):
            heads = [records for records in self._waiting.values() if records]
            if not heads:
                break
            batch.append(min(heads, key=lambda records: records[0].timestamp).popleft())
        return batch
