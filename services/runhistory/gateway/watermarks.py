"""Read your writes: wait until the sink has passed a place in the log.

The sink commits its offsets after ClickHouse has answered, so a committed offset beyond a
record means that every reader sees the record. Offsets are asked of Kafka only while somebody
waits, only of the partitions that somebody waits for, and all who wait share each answer.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from runhistory.events.codec import Watermark
from runhistory.gateway.event_log import EVENTS_TOPIC
from runhistory.kafka.log_ends import LogEnds
from runhistory.kafka.topics import load_topics, partitions_of, place_of

SINK_GROUP: Final = "sink"
DATA_TOPICS: Final = ("run.metrics", "run.records", "run.logs")
"""What a run's own processes write; its events are the lifecycle's."""
WAIT_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.02
_RETRY_SECONDS: Final = 0.25


class NotYetVisible(Exception):
    """The sink has not passed the watermark in time."""


class Watermarks:
    """`wait` from any number of tasks of one event loop; `stop` at the end."""

    def __init__(self, bootstrap: str, client_id: str) -> None:
        self._bootstrap, self._client_id = bootstrap, client_id
        self._admin: AIOKafkaAdminClient | None = None
        self._coordinator: int | None = None
        self._ends = LogEnds(bootstrap, f"{client_id}-ends")
        self._committed: dict[TopicPartition, int] = {}
        self._awaited: Counter[TopicPartition] = Counter()
        self._asked_at = 0.0
        self._asking: asyncio.Task[None] | None = None

    async def wait(self, watermarks: Sequence[Watermark], seconds: float = WAIT_SECONDS) -> None:
        """Return when the sink has passed all of `watermarks`.

        Raises:
            NotYetVisible: it has not after `seconds`.
        """
        places = [TopicPartition(one.topic, one.partition) for one in watermarks]
        self._awaited.update(places)
        try:
            await self._until(lambda: all(map(self.has_passed, watermarks)), seconds)
        except TimeoutError as error:
            behind = ", ".join(str(one) for one in watermarks if not self.has_passed(one))
            raise NotYetVisible(
                f"What was written at {behind} is not visible after {seconds:g} s: it is safe in "
                "the log, and ClickHouse is behind. Try again, or read without a watermark."
            ) from error
        finally:
            self._awaited.subtract(places)

    async def catch_up(self, run_id: str, seconds: float) -> None:
        """Return when the sink has passed every event that the run has now.

        The last offset of a partition of run.events is the marker that ends its last
        transaction, which no reader is given: to have passed what is before it is to be done.

        Raises:
            NotYetVisible: it has not after `seconds`, or Kafka is away.
        """
        await self._catch_up([place_of(EVENTS_TOPIC, run_id)], seconds)

    async def catch_up_data(self, run_id: str, seconds: float) -> None:
        """Return when the sink has passed all points, records and lines that the run has now.

        Raises:
            NotYetVisible: as `catch_up`.
        """
        places = [place_of(topic, run_id) for topic in DATA_TOPICS]
        await self._catch_up(places, seconds, behind_last=1)

    async def catch_up_all(self, seconds: float) -> None:
        """Return when the sink has passed every event that there is now, of any run.

        Raises:
            NotYetVisible: as `catch_up`.
        """
        await self._catch_up(partitions_of(EVENTS_TOPIC), seconds)

    async def _catch_up(
        self, places: Sequence[TopicPartition], seconds: float, behind_last: int = 2
    ) -> None:
        """`behind_last`: how far the end is from the last record, so 1 without transactions."""
        try:
            async with asyncio.timeout(seconds):
                ends = await self._ends.ends(places)
        except (KafkaError, OSError, TimeoutError) as error:
            raise NotYetVisible("Kafka does not answer. Try again shortly.") from error
        lasts = {place: end - behind_last for place, end in ends.items() if end >= behind_last}
        await self.wait([Watermark(p.topic, p.partition, o) for p, o in lasts.items()], seconds)

    def has_passed(self, watermark: Watermark) -> bool:
        """Whether the last answer from Kafka was beyond `watermark`."""
        place = TopicPartition(watermark.topic, watermark.partition)
        return self._committed.get(place, 0) > watermark.offset

    async def stop(self) -> None:
        """Close the connection."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
        await self._close()
        await self._ends.stop()

    async def ask(self) -> None:
        """Ask Kafka once for the sink's offsets; whoever asks meanwhile shares the answer.

        Raises:
            aiokafka.errors.KafkaError: Kafka is away.
        """
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask(), name="sink-offsets")
        await asyncio.shield(self._asking)

    async def _until(self, is_true: Callable[[], bool], seconds: float) -> None:
        async with asyncio.timeout(seconds):
            while not is_true():
                try:
                    await self.ask()
                except (KafkaError, OSError):
                    await asyncio.sleep(_RETRY_SECONDS)

    async def _ask(self) -> None:
        await asyncio.sleep(max(0.0, self._asked_at + _POLL_SECONDS - time.monotonic()))
        self._asked_at = time.monotonic()
        try:
            admin = await self._open()
            if self._coordinator is None:
                self._coordinator = await admin.find_coordinator(SINK_GROUP)
            awaited = list(+self._awaited)
            found = await admin.list_consumer_group_offsets(
                SINK_GROUP, self._coordinator, awaited or None
            )
        except BaseException:
            await self._close()
            raise
        if not found:
            # What a broker answers that is not the group's coordinator any more: the library
            # drops the error. Offsets known are never taken back, so nothing is lost by asking.
            self._coordinator = None
        self._committed |= {place: one.offset for place, one in found.items() if one.offset >= 0}

    async def _open(self) -> AIOKafkaAdminClient:
        if self._admin is None:
            admin = AIOKafkaAdminClient(
                bootstrap_servers=self._bootstrap,
                client_id=f"{self._client_id}-offsets",
                request_timeout_ms=5_000,
            )
            try:
                await admin.start()
            except BaseException:
                await admin.close()
                raise
            self._admin = admin
        return self._admin

    async def _close(self) -> None:
        admin, self._admin, self._coordinator = self._admin, None, None
        if admin is not None:
            await admin.close()


def parse_watermarks(texts: Iterable[str]) -> list[Watermark]:
    """Watermarks as a query string has them.

    Raises:
        ValueError: one has another form, or names no place in a log of ours.
    """
    topics, found = load_topics(), [Watermark.parse(text) for text in texts]
    for one in found:
        partitions = topics[one.topic].partitions if one.topic in topics else 0
        if one.partition >= partitions or one.offset >= 2**63:
            raise ValueError(f"{one} names no place in the log; pass on what a write returned")
    return found
