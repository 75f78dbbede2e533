"""One partition of run.commands, decided exactly once.

Kafka's consume-process-produce transaction: the events that commands bring about, exactly one
reply for each command and the commands' offsets become visible together or not at all. The
transactional id is `lifecycle-<partition>`, so opening a processor fences whoever worked on the
partition before: what a zombie had open stays invisible, and what it tries later fails.

The order at opening is what makes it safe: fence first, then read run.events to its end (nobody
can append behind that now), then ask for the committed offset of run.commands, then decide.
After any error the transaction's outcome is unknown, so the processor is thrown away; a new one
fences, which settles the outcome, and reads what really came of it.

A transaction takes four round trips: partitions added; events and replies produced, while the
offsets are added and committed; the end. For that, replies leave together with the events whose
offsets they name. Nobody else writes to this partition of run.events, so these offsets are known
beforehand: the events lie one behind the other from its end, then comes the transaction's own
marker. What the broker answers is held against that before the commit.
"""

import asyncio
import contextlib
from collections import ChainMap
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from msgspec.structs import replace

from runhistory.domain.commands import Command
from runhistory.domain.decide import Context
from runhistory.events.cloudevents import MalformedRecord, Record
from runhistory.events.codec import Reply, Watermark, decode_command, encode_event, encode_reply
from runhistory.kafka.clients import close, open_consumer, open_producer
from runhistory.kafka.commands import COMMANDS_TOPIC, REPLIES_TOPIC
from runhistory.lifecycle.memory import EVENTS_TOPIC, PartitionMemory
from runhistory.lifecycle.plan import Plan, Planned, plan
from runhistory.runtime.metrics import LIFECYCLE_COMMANDS, LIFECYCLE_TRANSACTION_SECONDS

if TYPE_CHECKING:
    KafkaRecord = ConsumerRecord[bytes, bytes]

GROUP: Final = "lifecycle"

log: Any = structlog.get_logger(__name__)


class EventsElsewhere(KafkaError):
    """Events lie at other offsets than was foreseen: somebody else has appended to run.events."""


class Processor:
    """Decides the commands of one partition. Exactly once."""

    def __init__(
        self,
        partition: int,
        producer: AIOKafkaProducer,
        events: AIOKafkaConsumer,
        memory: PartitionMemory,
        end: int,
    ) -> None:
        self.partition = partition
        self._producer, self._events, self._memory = producer, events, memory
        self._end = end  # where the next event of run.events will lie
        self.position = 0
        """The next command to decide; a rebalance may hand out earlier ones once more."""

    @classmethod
    async def open(
        cls,
        bootstrap: str,
        partition: int,
        memory: PartitionMemory,
    ) -> "Processor":
        """Fence every earlier processor of `partition` and read `memory` up to the end.

        Raises:
            aiokafka.errors.KafkaError: no broker answers.
            CannotReplay: run.events cannot be folded.
        """
        name = f"{GROUP}-{partition}"
        producer = await open_producer(
            bootstrap, client_id=name, transactional_id=name, linger_ms=0
        )
        async with contextlib.AsyncExitStack() as undo:
            undo.push_async_callback(close, producer)
            events = await open_consumer(bootstrap, client_id=f"{name}-events")
            undo.push_async_callback(close, events)
            source = TopicPartition(EVENTS_TOPIC, partition)
            events.assign([source])
            await memory.catch_up(events)
            end = (await events.end_offsets([source]))[source]
            undo.pop_all()
        return cls(partition, producer, events, memory, end)

    async def close(self) -> None:
        """Let go. An open transaction is aborted, at the latest by whoever fences us."""
        await asyncio.gather(close(self._producer), close(self._events))

    async def process(self, records: Sequence["KafkaRecord"]) -> None:
        """Decide those of `records` that are due, in order, in one transaction.

        Raises:
            aiokafka.errors.KafkaError: the outcome is unknown (or we were fenced): close this
                processor and open another.
        """
        due = [record for record in records if record.offset >= self.position]
        if not due:
            return
        with LIFECYCLE_TRANSACTION_SECONDS.time():
            commands = [command for record in due if (command := _decode(record))]
            await self._memory.look_up({c.run_id for c in commands}, self._events)
            context = Context(now=datetime.now(UTC))
            decided = plan(commands, self._memory.states, context)
            offsets = await self._commit(decided, due[-1].offset + 1)
        self.position = due[-1].offset + 1
        self._memory.apply(decided.changed, offsets)
        await self._memory.trim()
        for outcome in decided.outcomes:
            LIFECYCLE_COMMANDS.labels(outcome.reply.outcome).inc()

    async def _commit(self, decided: Plan, next_offset: int) -> dict[str, int]:
        """Write all of it in one transaction; the offset of each changed run's last event."""
        source = TopicPartition(COMMANDS_TOPIC, self.partition)
        events = [event for outcome in decided.outcomes for event in outcome.events]
        offsets = {event.run_id: self._end + place for place, event in enumerate(events)}
        async with self._producer.transaction():
            appended = [
                await self._send(EVENTS_TOPIC, encode_event(event), self.partition)
                for event in events
            ]
            replied = await self._reply(
                decided.outcomes, ChainMap(offsets, self._memory.last_offsets)
            )
            await asyncio.gather(
                *appended,
                *replied,
                self._producer.send_offsets_to_transaction({source: next_offset}, GROUP),
            )
            self._confirm([sent.result().offset for sent in appended])
        if events:
            self._end += len(events) + 1  # and the marker of the commit
        return offsets

    async def _reply(
        self, outcomes: Sequence[Planned], last_offsets: Mapping[str, int]
    ) -> list["asyncio.Future[Any]"]:
        return [
            await self._send(
                REPLIES_TOPIC,
                encode_reply(self._marked(outcome.reply, last_offsets)),
                self.partition,
            )
            for outcome in outcomes
        ]

    def _confirm(self, offsets: list[int]) -> None:
        expected = list(range(self._end, self._end + len(offsets)))
        if offsets != expected:
            raise EventsElsewhere(f"{EVENTS_TOPIC}/{self.partition}: {offsets}, not {expected}")

    def _marked(self, reply: Reply, last_offsets: Mapping[str, int]) -> Reply:
        offset = last_offsets.get(reply.run_id)
        if offset is None:
            return reply
        return replace(reply, watermark=str(Watermark(EVENTS_TOPIC, self.partition, offset)))

    async def _send(self, topic: str, record: Record, partition: int) -> "asyncio.Future[Any]":
        result: asyncio.Future[Any] = await self._producer.send(
            topic, record.value, key=record.key, headers=record.headers, partition=partition
        )
        return result


def _decode(record: "KafkaRecord") -> Command | None:
    """The command, or None for what is none: the gateway and the worker send no such thing."""
    try:
        return decode_command(record.headers, record.value or b"")
    except MalformedRecord as error:
        LIFECYCLE_COMMANDS.labels("malformed").inc()
        log.error("command_malformed", offset=record.offset, error=str(error))
        return None
