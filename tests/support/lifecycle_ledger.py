"""Send commands to a real lifecycle, keep a ledger of them, and hold the log against it.

The oracle: each command has exactly one reply for each time that it was sent; each run's versions
are 1, 2, 3, … without hole or repetition; folding a run's events gives a state; a command that was
accepted has its events in the log, one that was refused has none; the status a reply names is the
one the log has at that version; and its watermark is the place of an event of its run, of that
version or a later one.
"""

import asyncio
import contextlib
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from msgspec.structs import replace

from runhistory.domain.commands import Command
from runhistory.domain.decide import Accepted, Context, decide
from runhistory.domain.events import Event, RunEvent
from runhistory.domain.ids import new_run_id
from runhistory.domain.state import fold
from runhistory.events import cloudevents
from runhistory.events.codec import (
    Reply,
    Watermark,
    decode_event,
    decode_reply,
    encode_command,
    encode_event,
)
from runhistory.kafka.clients import open_consumer, open_producer
from runhistory.kafka.topics import partitions_of

if TYPE_CHECKING:
    Record = ConsumerRecord[bytes, bytes]


class LifecycleLedger:
    """Every command sent, to be compared with what lies in run.events and run.replies."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self.sent: dict[str, Command] = {}
        self.times: Counter[str] = Counter()
        """How often each command was sent, by its id."""

    async def send(self, commands: Iterable[Command], pause: float = 0.0) -> None:
        """Append each command once (more), acknowledged by the broker."""
        producer = await open_producer(self._bootstrap, client_id="ledger")
        try:
            for command in commands:
                record = encode_command(command, "ledger")
                self.sent[command.command_id] = command
                self.times[command.command_id] += 1
                await producer.send_and_wait(
                    "run.commands", record.value, key=record.key, headers=record.headers
                )
                if pause:
                    await asyncio.sleep(pause)
        finally:
            await producer.stop()

    async def append(self, record: cloudevents.Record) -> None:
        """Append what is no command to be decided, so nothing is expected of it."""
        producer = await open_producer(self._bootstrap, client_id="ledger")
        try:
            await producer.send_and_wait(
                "run.commands", record.value, key=record.key, headers=record.headers
            )
        finally:
            await producer.stop()

    async def append_events_of(self, command: Command) -> None:
        """Write what the domain makes of `command`, as a first one, into every partition."""
        decision = decide(None, command, Context(now=datetime.now(UTC)))
        assert isinstance(decision, Accepted)
        producer = await open_producer(self._bootstrap, client_id="ledger")
        try:
            for place in partitions_of("run.events"):
                run_id = new_run_id()
                for event in decision.events:
                    record = encode_event(replace(event, run_id=run_id))
                    await producer.send_and_wait(
                        place.topic,
                        record.value,
                        key=record.key,
                        headers=record.headers,
                        partition=place.partition,
                    )
        finally:
            await producer.stop()

    async def wait_for_replies(self, patience: float = 180) -> None:
        """Until every command has a reply for each time that it was sent."""
        heard: Counter[str] = Counter()
        async with asyncio.timeout(patience), self._reading("run.replies") as consumer:
            while self.times - heard:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    heard.update(decode_reply(one.value or b"").command_id for one in records)

    async def replies(self) -> list[Reply]:
        """The replies to commands of this ledger, in the log's order."""
        return [
            reply
            for reply in (decode_reply(r.value or b"") for r in await self._read("run.replies"))
            if reply.command_id in self.sent
        ]

    async def events(self) -> dict[str, list[Event]]:
        """The events of this ledger's runs, in the log's order."""
        found: dict[str, list[Event]] = defaultdict(list)
        for event in (await self._placed_events()).values():
            found[event.run_id].append(event)
        return found

    async def _placed_events(self) -> dict[Watermark, Event]:
        runs = {command.run_id for command in self.sent.values()}
        found = {
            Watermark(r.topic, r.partition, r.offset): decode_event(r.headers, r.value or b"")
            for r in await self._read("run.events")
        }
        return {place: event for place, event in found.items() if event.run_id in runs}

    async def verify(self) -> None:
        """Hold the log against the ledger; raises AssertionError at the first difference."""
        events, replies, places = (
            await self.events(),
            await self.replies(),
            await self._placed_events(),
        )
        counted = Counter(reply.command_id for reply in replies)
        assert counted == self.times, "not exactly one reply for each command"
        for history in events.values():
            assert [event.version for event in history] == list(range(1, len(history) + 1))
            fold(history)
        by_command = Counter(event.command_id for history in events.values() for event in history)
        for reply in replies:
            assert (reply.outcome == "accepted") == (by_command[reply.command_id] > 0), reply
            self._verify_status(reply, events.get(reply.run_id, []))
            if reply.version:
                event = places[Watermark.parse(reply.watermark or "none")]
                assert event.run_id == reply.run_id, reply
                assert event.version >= reply.version, reply

    def _verify_status(self, reply: Reply, history: list[Event]) -> None:
        if reply.version:
            event = history[reply.version - 1]
            assert isinstance(event, RunEvent)
            assert (event.status, event.attempt) == (reply.status, reply.attempt)

    async def _read(self, topic: str) -> list["Record"]:
        async with self._reading(topic) as consumer:
            ends = await consumer.end_offsets(partitions_of(topic))
            found: list[Record] = []
            while any([await consumer.position(one) < end for one, end in ends.items()]):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += records
            return found

    @contextlib.asynccontextmanager
    async def _reading(self, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
        """A consumer at the topic's beginning."""
        consumer = await open_consumer(self._bootstrap, client_id="ledger")
        try:
            partitions = partitions_of(topic)
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            yield consumer
        finally:
            await consumer.stop()
