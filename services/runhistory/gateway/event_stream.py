"""Subscriptions: from a position in the log to a stream of server-sent events without end.

What a subscriber is given of its events is its shape: each event by itself, unless another is
asked for (event_shape.py).

A subscriber reads what it lacks with a consumer of its own until it meets the tail, and then is
fed by that; if it falls behind, it does the same again. Its position moves with each event and
is the event's id, so the stream can be cut at any place and go on from there, at any gateway:
nothing is missed and nothing of a topic `*.events` comes twice. A batch of points or lines
that its writer had to send twice lies in the log twice, with one CloudEvents id.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, Final

import structlog
from aiokafka.errors import KafkaError

from runhistory.events.cloudevents import MalformedRecord
from runhistory.gateway.event_feed import Feed
from runhistory.gateway.event_filter import EventFilter
from runhistory.gateway.event_history import read_history
from runhistory.gateway.event_positions import format_positions
from runhistory.gateway.event_shape import EACH_EVENT, Admitted, Shape
from runhistory.gateway.event_tail import Tail
from runhistory.gateway.published import Published
from runhistory.kafka.log_ends import LogEnds, Positions
from runhistory.runtime import metrics

if TYPE_CHECKING:
    from runhistory.kafka.replay import Record

MAX_SUBSCRIBERS: Final = 1_500
"""An idle one takes 33 kB, and a hundredth of a core all together; connections are the limit."""

MAX_CATCHING_UP: Final = 16
"""So many read from the past at once, each with a consumer; the others wait for their turn."""

KEEP_ALIVE_SECONDS: Final = 15.0
RETRY_MILLISECONDS: Final = 1_000

log: Any = structlog.get_logger(__name__)


class EventStreams:
    """All subscriptions of one gateway; one event loop."""

    def __init__(
        self, bootstrap: str, client_id: str, max_subscribers: int = MAX_SUBSCRIBERS
    ) -> None:
        self.bootstrap, self.client_id = bootstrap, client_id
        self.ends = LogEnds(bootstrap, f"{client_id}-event-ends")
        self.tail = Tail(bootstrap, client_id, self.ends)
        self.catching_up = asyncio.Semaphore(MAX_CATCHING_UP)
        self.max_subscribers = max_subscribers
        self.subscribers = 0
        self.ending = asyncio.Event()

    @property
    def is_full(self) -> bool:
        """Whether there are as many subscribers as there may be."""
        return self.subscribers >= self.max_subscribers

    def open(
        self,
        wanted: EventFilter,
        start: Positions,
        *,
        follow: bool = True,
        shape: Shape = EACH_EVENT,
        first: bytes = b"",
    ) -> AsyncGenerator[bytes, None]:
        """The stream's bytes from `start` on; without `follow` up to where the log ends now.

        `first` are messages that come before all others.
        """
        return _Subscription(self, wanted, start, shape).chunks(follow, first)

    def end_streams(self) -> None:
        """End every stream now, between two messages."""
        self.ending.set()

    async def stop(self) -> None:
        """Close the connections."""
        await self.tail.stop()
        await self.ends.stop()


class _Subscription:
    """One subscriber. `_position` is behind everything that was given out."""

    def __init__(
        self, streams: EventStreams, wanted: EventFilter, start: Positions, shape: Shape
    ) -> None:
        self._streams, self._wanted, self._shape = streams, wanted, shape
        self._position = dict(start)
        self._feed: Feed | None = None

    async def chunks(self, follow: bool, first: bytes) -> AsyncGenerator[bytes, None]:
        """Events as they come; where none does for a while, a comment with the position."""
        self._streams.subscribers += 1
        metrics.GATEWAY_SUBSCRIBERS.inc()
        events = self._live() if follow else self._until_now()
        coming: asyncio.Task[bytes] | None = None
        ending = asyncio.create_task(self._streams.ending.wait())
        try:
            yield f"retry: {RETRY_MILLISECONDS}\n".encode() + self._progress("subscribed")
            if first:
                yield first
            while not ending.done():
                coming = coming or asyncio.create_task(_next(events))
                await asyncio.wait(
                    {coming, ending},
                    timeout=KEEP_ALIVE_SECONDS,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if coming.done():
                    chunk, coming = coming.result(), None
                    yield chunk
                else:
                    self._skip_what_nobody_wants()
                    yield self._progress("keep-alive")
        except StopAsyncIteration:
            return
        except (KafkaError, OSError) as error:
            log.warning("subscription_interrupted", error=repr(error))
        finally:
            self._streams.subscribers -= 1
            metrics.GATEWAY_SUBSCRIBERS.dec()
            waiting = [task for task in (coming, ending) if task is not None]
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            await events.aclose()

    async def _live(self) -> AsyncGenerator[bytes, None]:
        """What lies between the position and the tail, then the tail; and again if need be."""
        tail = self._streams.tail
        while True:
            feed = Feed(self._wanted)
            await tail.attach(feed)
            self._feed = feed
            try:
                if self._is_far_from(feed.starts):
                    yield self._reset(feed.starts)
                async for chunk in self._catch_up(feed.starts):
                    yield chunk
                while not feed.has_overflowed:
                    if chunk := self._encode(await feed.take()):
                        yield chunk
                        await asyncio.sleep(self._shape.pause_seconds)
            finally:
                tail.detach(feed)
                self._feed = None
            if feed.has_overflowed:
                metrics.GATEWAY_SUBSCRIBERS_BEHIND.inc()

    async def _until_now(self) -> AsyncGenerator[bytes, None]:
        ends = await self._streams.ends.ends(self._position)
        async for chunk in self._catch_up(ends):
            yield chunk
        yield b"event: end\ndata: {}\n" + self._id() + b"\n\n"

    async def _catch_up(self, until: Positions) -> AsyncGenerator[bytes, None]:
        if any(self._position[place] < offset for place, offset in until.items()):
            streams = self._streams
            async with streams.catching_up:
                history = read_history(
                    streams.bootstrap, streams.client_id, dict(self._position), until
                )
                async with contextlib.aclosing(history):
                    async for records in history:
                        if chunk := self._encode(self._understood(records)):
                            yield chunk
        self._advance(until)

    def _encode(self, events: list[Published]) -> bytes:
        found: list[Admitted] = []
        for event in events:
            if event.offset < self._position[event.place]:
                continue  # the subscriber begins behind it
            self._position[event.place] = event.offset + 1
            if self._wanted.admits(event):
                found.append((self._id(), event))
        metrics.GATEWAY_EVENTS_SENT.inc(len(found))
        return self._shape.messages(found) if found else b""

    def _understood(self, records: "list[Record]") -> list[Published]:
        found = []
        for record in records:
            if self._wanted.may_admit(record.key):
                with contextlib.suppress(MalformedRecord):
                    found.append(Published(record))
        return found

    def _is_far_from(self, starts: Positions) -> bool:
        gap = sum(max(0, start - self._position[place]) for place, start in starts.items())
        return self._shape.max_gap is not None and gap > self._shape.max_gap

    def _reset(self, to: Positions) -> bytes:
        self._advance(to)
        return self._id() + b"\n" + self._shape.reset(to)

    def _skip_what_nobody_wants(self) -> None:
        """Move on over what the tail has read and the filter refused, for a shorter way back."""
        feed = self._feed
        if feed is not None and feed.is_empty and self._has_met(feed):
            self._advance(self._streams.tail.positions(feed.places))

    def _has_met(self, feed: Feed) -> bool:
        return all(self._position[place] >= start for place, start in feed.starts.items())

    def _advance(self, to: Positions) -> None:
        for place, offset in to.items():
            self._position[place] = max(self._position[place], offset)

    def _progress(self, comment: str) -> bytes:
        """A message without data: no event, but the client remembers its id."""
        return b": " + comment.encode() + b"\n" + self._id() + b"\n\n"

    def _id(self) -> bytes:
        return b"id: " + format_positions(self._position).encode()


async def _next(chunks: AsyncGenerator[bytes, None]) -> bytes:
    return await anext(chunks)
