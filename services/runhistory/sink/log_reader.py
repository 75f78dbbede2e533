"""Read the whole log into one storage database, as the sink does, for a rebuild.

The group is the rebuild's own, and named after the database's own id: offsets committed for a
database that was dropped are never those of its successor. A kill leaves offsets behind what is
stored, so the next life goes on there. Delivery: at least once. Records that cannot be stored are
counted and passed over: the sink has buried them.

Nothing is passed over in silence because Kafka has deleted it: a partition without a commit is
read from offset 0, and where the records that come next are gone reading ends with LogIncomplete.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, NoOffsetForPartitionError, OffsetOutOfRangeError

from runhistory.clickhouse.client import open_client
from runhistory.kafka.clients import close, open_consumer
from runhistory.kafka.topics import partitions_of
from runhistory.sink.batch import Batch, DeadLetter
from runhistory.sink.cycle import Cycle
from runhistory.sink.generation import SESSION_MS, NotAlone, wait_for_goodbye
from runhistory.sink.group import CONSUMER_SETTINGS, Group, Superseded, TopicOffsets
from runhistory.sink.rows import LANDINGS
from runhistory.sink.store import ClickHouseStore, Unavailable

FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 5.0
JOIN_SECONDS: Final = 30.0

Progress = Callable[[int, int], None]
"""So many records so far, of so many."""

log: Any = structlog.get_logger(__name__)


class LogIncomplete(Exception):
    """Records that are needed are gone from Kafka; the message says which."""


def all_places() -> list[TopicPartition]:
    """Every partition that the sink reads."""
    return [place for topic in LANDINGS for place in partitions_of(topic)]


class LogReader:
    """Reads into `storage`. Open it, `read_to` as often as you like, close it."""

    def __init__(self, bootstrap: str, clickhouse: str, storage: str, group: str) -> None:
        self._bootstrap, self._group_id = bootstrap, group
        self._store = ClickHouseStore(lambda: open_client(clickhouse, "default"), storage)
        self._passed_over = _PassedOver()
        self._places = set(all_places())
        self._consumer: AIOKafkaConsumer
        self._group: Group
        self._cycle: Cycle

    @property
    def unreadable(self) -> int:
        """How many records could not be stored."""
        return self._passed_over.count

    async def open(self) -> None:
        """Join the group, and wait until every partition is ours.

        Raises:
            NotAlone: somebody else has some of them.
            aiokafka.errors.KafkaError: the broker is away.
        """
        await wait_for_goodbye(self._bootstrap, self._group_id)
        await self._begin_at_zero()
        self._consumer = await self._open_consumer()
        self._group = Group(self._consumer, list(LANDINGS))
        self._cycle = Cycle(self._group, self._store, self._passed_over)
        await self._group.join()
        try:
            async with asyncio.timeout(JOIN_SECONDS):
                while not self._consumer.assignment():  # noqa: ASYNC110 - there is no event for it
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise NotAlone from None
        self._refuse_company()

    async def read_to(self, targets: TopicOffsets, progress: Progress) -> None:
        """Return when everything below `targets` is stored. Survives ClickHouse being away.

        Raises:
            LogIncomplete: records that come next are gone.
            NotAlone: another process has taken over.
            aiokafka.errors.KafkaError: the broker is away for good.
        """
        start: dict[TopicPartition, int] | None = None
        while True:
            if self._group.holding:
                await self._step()
                continue
            here = {place: await self._position(place) for place in targets}
            start = start or here
            total = sum(max(0, end - start[place]) for place, end in targets.items())
            left = sum(max(0, end - here[place]) for place, end in targets.items())
            progress(total - left, total)
            if not left:
                return
            await self._step()

    async def close(self) -> None:
        """Leave the group; what was committed stays."""
        if hasattr(self, "_group"):
            await self._group.leave()
        self._store.close()

    async def _begin_at_zero(self) -> None:
        """Commit offset 0 where nothing is: so a first record that is gone is an error."""
        consumer = await self._open_consumer()
        try:
            consumer.assign(sorted(self._places))
            fresh = [one for one in self._places if await consumer.committed(one) is None]
            if fresh:
                await consumer.commit(dict.fromkeys(fresh, 0))
        except CommitFailedError as error:  # a group with members has no commits from outside
            raise NotAlone from error
        finally:
            await close(consumer)

    async def _open_consumer(self) -> AIOKafkaConsumer:
        return await open_consumer(
            self._bootstrap,
            client_id="rebuild",
            group_id=self._group_id,
            auto_offset_reset="none",
            session_timeout_ms=SESSION_MS,
            **CONSUMER_SETTINGS,
        )

    async def _position(self, place: TopicPartition) -> int:
        """Everything below has been stored; asked between two steps only."""
        self._refuse_company()
        with _telling_what_is_gone():
            position: int = await self._consumer.position(place)
        return position

    async def _step(self) -> None:
        """What is there, stored and committed."""
        with _telling_what_is_gone():
            batch = await self._cycle.poll()
        if not batch:
            await self._group.commit_positions()
            return
        try:
            await self._land(batch)
        except Superseded:
            self._refuse_company()

    async def _land(self, batch: Batch) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                await self._cycle.bury(await self._cycle.insert(batch))
                break
            except Unavailable as error:
                log.warning("rebuild_waits", reason=str(error))
                for _ in range(max(1, int(pause))):
                    await self._group.keep_alive()
                    await asyncio.sleep(min(pause, 1.0))
                pause = min(LONGEST_PAUSE, pause * 2)
        self._group.resume()
        await self._cycle.commit(batch)

    def _refuse_company(self) -> None:
        if self._consumer.assignment() != self._places:
            raise NotAlone


class _PassedOver:
    """Where a rebuild's dead letters go: nowhere."""

    def __init__(self) -> None:
        self.count = 0

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        """Count them."""
        self.count += len(letters)


@contextlib.contextmanager
def _telling_what_is_gone() -> Iterator[None]:
    """Raise LogIncomplete in place of what aiokafka says about records that are gone."""
    try:
        yield
    except (OffsetOutOfRangeError, NoOffsetForPartitionError) as error:
        raise LogIncomplete(
            f"Kafka has deleted records while they were being read ({error})."
        ) from error
