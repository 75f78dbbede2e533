"""Gather records that many callers append at once, so that they travel together.

A request to Kafka costs gateway and broker the same few hundred microseconds whether it carries
one record or a hundred. So records lie in a **bundle** for each partition until the next tick:

    tick     hands over the bundle of every partition that awaits no answer
    pacing   ticks are ALONE_SECONDS apart while each record travels alone (who sends one batch
             after the other should not wait), and CROWD_SECONDS once several travel together

A partition has one bundle under way at a time, so its records keep their order; meanwhile the next
one fills. A bundle that is full does not wait for a tick.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from aiokafka import TopicPartition
from aiokafka.producer.message_accumulator import BatchBuilder

ALONE_SECONDS: Final = 0.002
CROWD_SECONDS: Final = 0.01

Headers = Sequence[tuple[str, bytes]]

Deliver = Callable[[TopicPartition, BatchBuilder], Awaitable[int]]
"""Write a bundle and return its first record's offset, or raise what its callers are to see."""


class _Bundle:
    def __init__(self, builder: BatchBuilder) -> None:
        loop = asyncio.get_running_loop()
        self.builder, self.began = builder, loop.time()
        self.first_offset: asyncio.Future[int] = loop.create_future()


class _Partition:
    """The bundles of one partition, in their order; only the last one may still be filled."""

    def __init__(self) -> None:
        self.waiting: deque[_Bundle] = deque()
        self.delivering: asyncio.Task[None] | None = None


class Gatherer:
    """`append` from any number of tasks of one event loop. What `deliver` raises, or that a bundle
    was `seconds` old and not delivered, all see whose records are in it."""

    def __init__(
        self, new_builder: Callable[[], BatchBuilder], deliver: Deliver, seconds: float
    ) -> None:
        self._new_builder, self._deliver, self._seconds = new_builder, deliver, seconds
        self._partitions: dict[TopicPartition, _Partition] = {}
        self._tick_due: asyncio.TimerHandle | None = None
        self._ticked_at, self._pace = 0.0, ALONE_SECONDS

    async def append(
        self, place: TopicPartition, key: bytes, value: bytes, headers: Headers
    ) -> int:
        """Let a record travel with the next bundle to `place`, and return its offset.

        A caller that is cancelled takes nothing back: the record is under way.

        Raises:
            TimeoutError: it took too long; the record may be written, or may be yet.
            Exception: what `deliver` raised.
        """
        bundle, index = self._add(place, key, value, headers)
        return await asyncio.shield(bundle.first_offset) + index

    def _add(
        self, place: TopicPartition, key: bytes, value: bytes, headers: Headers
    ) -> tuple[_Bundle, int]:
        partition = self._partitions.get(place)
        if partition is None:
            partition = self._partitions[place] = _Partition()
        waiting = partition.waiting
        if not waiting or not _take(waiting[-1], key, value, headers):
            if waiting:
                self._start(place, partition)  # its last one is full
            waiting.append(_Bundle(self._new_builder()))
            _take(waiting[-1], key, value, headers)  # the first one always fits
        self._schedule()
        return waiting[-1], waiting[-1].builder.record_count() - 1

    def _schedule(self) -> None:
        if self._tick_due is None:
            loop = asyncio.get_running_loop()
            due = max(loop.time(), self._ticked_at + self._pace)
            self._tick_due = loop.call_at(due, self._tick)

    def _tick(self) -> None:
        self._tick_due, records = None, 0
        for place, partition in self._partitions.items():
            if partition.waiting and partition.delivering is None:
                records += partition.waiting[0].builder.record_count()
                self._start(place, partition)
        if records:
            self._ticked_at = asyncio.get_running_loop().time()
            self._pace = CROWD_SECONDS if records > 1 else ALONE_SECONDS

    def _start(self, place: TopicPartition, partition: _Partition) -> None:
        if partition.delivering is None:
            partition.delivering = asyncio.create_task(self._send(place, partition))

    async def _send(self, place: TopicPartition, partition: _Partition) -> None:
        """Deliver the first bundle, and those behind it that are full."""
        while True:
            bundle = partition.waiting.popleft()
            try:
                async with asyncio.timeout_at(bundle.began + self._seconds):
                    bundle.first_offset.set_result(await self._deliver(place, bundle.builder))
            except Exception as error:
                bundle.first_offset.set_exception(error)
                bundle.first_offset.exception()  # seen, even where every caller has given up
            if len(partition.waiting) < 2:
                break
        partition.delivering = None
        if partition.waiting:
            self._schedule()


def _take(bundle: _Bundle, key: bytes, value: bytes, headers: Headers) -> bool:
    taken = bundle.builder.append(timestamp=None, key=key, value=value, headers=headers)
    return taken is not None
