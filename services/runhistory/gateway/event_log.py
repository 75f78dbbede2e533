"""Which attempts do runs have, by the log alone: for when ClickHouse cannot be asked.

All events of a run lie in one partition of run.events, so a question reads that partition, once:
every run in it is learned in the same pass, and the next question reads on from there. Reading
that is cut short by its deadline is not lost either; the next try goes on where it stopped.
Memory is bounded: when runs had to be forgotten, one that is not known is looked for from the
partition's beginning.
"""

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Final

import msgspec
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from msgspec import Struct

from runhistory.domain.events import RunDeleted
from runhistory.events.cloudevents import MalformedRecord, attribute
from runhistory.kafka import topics
from runhistory.kafka.clients import close, open_consumer
from runhistory.kafka.replay import read_to_end

if TYPE_CHECKING:
    from runhistory.kafka.replay import Record

EVENTS_TOPIC: Final = "run.events"
MAX_RUNS: Final = 100_000
READ_SECONDS: Final = 10.0

DELETED: Final = -1
"""Stands where a latest attempt would stand, of a run that is deleted."""

RunKey = tuple[str, str]
"""(workspace, run id)"""


class EventLogUnavailable(Exception):
    """The log was not read to its end in time."""


class _RunEvent(Struct):
    """What is read of an event. Events of experiments have no attempt."""

    workspace: str
    run_id: str
    attempt: int | None = None


_decoder: Final = msgspec.json.Decoder(_RunEvent)


def place_of(run_id: str) -> TopicPartition:
    """The partition that has all events of the run."""
    return topics.place_of(EVENTS_TOPIC, run_id)


class EventLog:
    """`latest_attempt` from any number of tasks of one event loop; nothing stays open."""

    def __init__(self, bootstrap: str, client_id: str, max_runs: int = MAX_RUNS) -> None:
        self._bootstrap, self._client_id, self._max_runs = bootstrap, client_id, max_runs
        self._latest: dict[RunKey, int] = {}
        self._next: dict[TopicPartition, int] = defaultdict(int)
        self._reading: dict[TopicPartition, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._has_forgotten = False

    def known(self, run: RunKey) -> int | None:
        """The latest attempt that was read of the run, or DELETED; there may be a later one."""
        return self._latest.get(run)

    async def latest_attempt(self, run: RunKey, at_least: int) -> int | None:
        """The run's latest attempt, 0 before the first, or DELETED; None: there is no such run.

        Reads nothing when `at_least` so many attempts are known.

        Raises:
            EventLogUnavailable: Kafka is away, or there is more to read than can be read in
                READ_SECONDS. The next call goes on from there.
        """
        place = place_of(run[1])
        try:
            async with asyncio.timeout(READ_SECONDS), self._reading[place]:
                if self._latest.get(run, DELETED) < at_least:
                    await self._read(place, self._next[place])
                if run not in self._latest and self._has_forgotten:
                    await self._read(place, 0, only=run)
        except (KafkaError, OSError, TimeoutError) as error:
            raise EventLogUnavailable(
                f"Whether run {run[1]} has this attempt cannot be found out now: ClickHouse does "
                "not answer, and Kafka is away or still being read. Send the same again shortly."
            ) from error
        return self._latest.get(run)

    async def _read(self, place: TopicPartition, start: int, only: RunKey | None = None) -> None:
        consumer = await open_consumer(self._bootstrap, client_id=f"{self._client_id}-attempts")
        try:
            consumer.assign([place])
            async for record in read_to_end(consumer, place, start):
                self._learn(record, only)
                self._next[place] = max(self._next[place], record.offset + 1)
        finally:
            await close(consumer)

    def _learn(self, record: "Record", only: RunKey | None) -> None:
        try:
            event = _decoder.decode(record.value or b"")
            is_end = attribute(record.headers, "type") == RunDeleted.TYPE
        except (msgspec.DecodeError, UnicodeDecodeError, MalformedRecord):
            return  # not an event: the sink says so, where somebody looks
        run = (event.workspace, event.run_id)
        if event.attempt is None or (only is not None and run != only):
            return
        # Taken out and put in again: the dict stays ordered by when a run was last heard of.
        self._latest.pop(run, None)
        self._latest[run] = DELETED if is_end else event.attempt
        if len(self._latest) > self._max_runs:
            del self._latest[next(iter(self._latest))]
            self._has_forgotten = True
