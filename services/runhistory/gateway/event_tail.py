"""The tail of the log, read once in this process and shared by all live subscribers.

One consumer follows the partitions that somebody wants now; the others are paused, and some time
after the last subscriber has left it is closed, so nobody costs nothing. Each subscriber has a
feed of bounded size. A feed that runs over forgets what it held and takes nothing more: its
subscriber reads what it lacks from Kafka itself and comes back with a new feed, so a slow one
costs neither the others' time nor memory without bound.

A feed says from which offset on it has everything (`starts`). What lies before, the subscriber
reads itself; so there is neither a gap nor a repetition between the two.
"""

import asyncio
import contextlib
import heapq
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from runhistory.events.cloudevents import MalformedRecord
from runhistory.gateway.event_feed import Feed, Listeners
from runhistory.gateway.published import Published
from runhistory.kafka.clients import close, open_consumer
from runhistory.kafka.log_ends import LogEnds, Positions
from runhistory.kafka.topics import load_topics, partitions_of

if TYPE_CHECKING:
    from runhistory.kafka.replay import Record

LINGER_SECONDS: Final = 30.0
"""So long the consumer stays open without subscribers: they come back after a restart."""

log: Any = structlog.get_logger(__name__)


class Tail:
    """`attach` and `detach` feeds; survives a broker that goes and comes back."""

    def __init__(self, bootstrap: str, client_id: str, ends: LogEnds) -> None:
        self._bootstrap, self._client_id, self._ends = bootstrap, client_id, ends
        self._feeds: dict[TopicPartition, Listeners] = {}
        self._next: Positions = {}
        self._consumer: AIOKafkaConsumer | None = None
        self._following: asyncio.Task[None] | None = None
        self._wanted = asyncio.Event()

    async def attach(self, feed: Feed) -> None:
        """Have the feed offered all that comes from its `starts` on.

        Raises:
            aiokafka.errors.KafkaError, OSError: Kafka is away.
        """
        ends: Positions = {}
        while new := [p for p in feed.places if p not in self._feeds and p not in ends]:
            ends |= await self._ends.ends(new)
        for place in feed.places:
            if place not in self._feeds:
                self._begin(place, ends[place])
            self._feeds[place].add(feed)
            feed.starts[place] = self._next[place]
        self._wanted.set()
        if self._following is None or self._following.done():
            self._following = asyncio.create_task(self._follow_while_wanted(), name="event-tail")

    def detach(self, feed: Feed) -> None:
        """Forget the feed."""
        for place in feed.places:
            if (listeners := self._feeds.get(place)) is None:
                continue
            listeners.discard(feed)
            if not listeners:
                del self._feeds[place]
                if self._consumer is not None:
                    self._consumer.pause(place)
        if not self._feeds:
            self._wanted.clear()

    def positions(self, places: Iterable[TopicPartition]) -> Positions:
        """Up to where the tail has been read, of partitions that are attached."""
        return {place: self._next[place] for place in places}

    async def stop(self) -> None:
        """Close the consumer."""
        if self._following is not None:
            self._following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._following

    def _begin(self, place: TopicPartition, offset: int) -> None:
        self._feeds[place] = Listeners()
        self._next[place] = offset
        if self._consumer is not None:
            self._consumer.seek(place, offset)
            self._consumer.resume(place)

    async def _follow_while_wanted(self) -> None:
        while self._feeds:
            try:
                await self._follow()
            except (KafkaError, OSError) as error:
                log.warning("event_tail_interrupted", error=repr(error))
                await asyncio.sleep(0.5)

    async def _follow(self) -> None:
        """Until nobody has wanted anything for LINGER_SECONDS."""
        consumer = await open_consumer(self._bootstrap, client_id=f"{self._client_id}-tail")
        try:
            self._assign(consumer)
            self._consumer = consumer
            while await self._is_wanted():
                found = await consumer.getmany(timeout_ms=1_000)
                self._deliver(found)
        finally:
            self._consumer = None
            await close(consumer)

    def _assign(self, consumer: AIOKafkaConsumer) -> None:
        """Every partition is assigned once for all, as another assignment would interrupt the
        fetching of those that stay; which of them are fetched is a matter of pausing."""
        places = [place for topic in load_topics() for place in partitions_of(topic)]
        consumer.assign(places)
        for place in places:
            consumer.seek(place, self._next.get(place, 0))
            if place not in self._feeds:
                consumer.pause(place)

    async def _is_wanted(self) -> bool:
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                await self._wanted.wait()
        except TimeoutError:
            return False
        return True

    def _deliver(self, found: "dict[TopicPartition, list[Record]]") -> None:
        """Offer the records, those of one moment in the order of their times."""
        wanted = {
            place: [record for record in records if record.offset >= self._next[place]]
            for place, records in found.items()
            if place in self._feeds
        }
        for record in heapq.merge(*wanted.values(), key=lambda record: record.timestamp):
            listeners = self._feeds[TopicPartition(record.topic, record.partition)]
            if feeds := listeners.of(record.key):  # what nobody wants is not decoded
                with contextlib.suppress(MalformedRecord):
                    event = Published(record)
                    for feed in feeds:
                        feed.offer(event)
        for place, records in wanted.items():
            if records:
                self._next[place] = records[-1].offset + 1
