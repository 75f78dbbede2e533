"""Where partitions begin and end, and what lies where at a time: asked of the broker.

The connection is this class's alone: on one that also fetches, a question would wait behind the
fetch until records come.
"""

import asyncio
from collections.abc import Iterable

from aiokafka import AIOKafkaConsumer, TopicPartition

from runhistory.kafka.clients import close, open_consumer

Positions = dict[TopicPartition, int]
"""The offset that comes next, for each partition."""


class LogEnds:
    """A consumer that consumes nothing. Opened by the first question; reconnects by itself.

    Ends are those of committed records: behind them there may be an open transaction. Every
    question raises KafkaError or OSError while the broker is away.
    """

    def __init__(self, bootstrap: str, client_id: str) -> None:
        self._bootstrap, self._client_id = bootstrap, client_id
        self._consumer: AIOKafkaConsumer | None = None
        self._opening = asyncio.Lock()

    async def ends(self, places: Iterable[TopicPartition]) -> Positions:
        """The offset behind the last committed record of each partition."""
        found: Positions = await (await self._open()).end_offsets(list(places))
        return found

    async def beginnings(self, places: Iterable[TopicPartition]) -> Positions:
        """The offset of the oldest record that each partition still has."""
        found: Positions = await (await self._open()).beginning_offsets(list(places))
        return found

    async def at_time(self, places: Iterable[TopicPartition], milliseconds: int) -> Positions:
        """The offset of the first record that was written at or after a time (ms since 1970)."""
        asked = list(places)
        ends = await self.ends(asked)  # first: what is written meanwhile is not jumped over
        found = await (await self._open()).offsets_for_times(dict.fromkeys(asked, milliseconds))
        return {place: found[place].offset if found.get(place) else ends[place] for place in asked}

    async def stop(self) -> None:
        """Close the connection."""
        if self._consumer is not None:
            await close(self._consumer)

    async def _open(self) -> AIOKafkaConsumer:
        async with self._opening:
            if self._consumer is None:
                self._consumer = await open_consumer(self._bootstrap, client_id=self._client_id)
            return self._consumer
