"""What passes by for one subscriber, and who in a partition wants what passes by."""

import asyncio
from collections import deque
from typing import Final

from runhistory.gateway.event_filter import EventFilter
from runhistory.gateway.published import Published
from runhistory.kafka.log_ends import Positions

FEED_EVENTS: Final = 1_000
FEED_BYTES: Final = 4 * 1024 * 1024

_ANY: Final[frozenset[bytes | None]] = frozenset({None})


class Feed:
    """What passes by for one subscriber, in bounded memory. One event loop."""

    def __init__(
        self, wanted: EventFilter, max_events: int = FEED_EVENTS, max_bytes: int = FEED_BYTES
    ) -> None:
        self.places, self._wanted = wanted.places(), wanted
        self._max_events, self._max_bytes = max_events, max_bytes
        self.starts: Positions = {}
        self._waiting: deque[Published] = deque()
        self._bytes = 0
        self._news = asyncio.Event()
        self.has_overflowed = False

    @property
    def is_empty(self) -> bool:
        """Whether the subscriber has taken everything."""
        return not self._waiting and not self.has_overflowed

    @property
    def keys(self) -> frozenset[bytes | None]:
        """The keys of the records that may be wanted; None is any."""
        return frozenset(run_id.encode() for run_id in self._wanted.run_ids) or _ANY

    def offer(self, event: Published) -> None:
        """Keep the event if the subscriber wants it; without room the feed has overflowed."""
        if self.has_overflowed or not self._wanted.admits(event):
            return
        self._bytes += event.size
        self._waiting.append(event)
        if len(self._waiting) > max(1, self._max_events) or (
            self._bytes > self._max_bytes and len(self._waiting) > 1
        ):
            self._waiting.clear()
            self.has_overflowed = True
        self._news.set()

    async def take(self) -> list[Published]:
        """Wait, and return all that came; nothing when the feed has overflowed."""
        await self._news.wait()
        self._news.clear()
        found, self._bytes = list(self._waiting), 0
        self._waiting.clear()
        return found


class Listeners:
    """The feeds of one partition. Who watches one run costs nothing while others are spoken of."""

    def __init__(self) -> None:
        self._by_key: dict[bytes | None, set[Feed]] = {}

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._by_key)

    def add(self, feed: Feed) -> None:
        for key in feed.keys:
            self._by_key.setdefault(key, set()).add(feed)

    def discard(self, feed: Feed) -> None:
        for key in feed.keys:
            feeds = self._by_key.get(key, set())
            feeds.discard(feed)
            if not feeds:
                self._by_key.pop(key, None)

    def of(self, key: bytes | None) -> list[Feed]:
        """Those that may want a record with this key."""
        wide, narrow = self._by_key.get(None, ()), self._by_key.get(key, ()) if key else ()
        return [*wide, *narrow]
