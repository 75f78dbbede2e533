"""Send a command and wait for its reply.

The command is appended to run.commands; the lifecycle answers each on run.replies, which this
client follows from its end. A reply that does not come in time means that the outcome is
unknown: the same command (same id) may be sent again, and brings the old reply.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from runhistory.domain.commands import Command
from runhistory.events.cloudevents import MalformedRecord
from runhistory.events.codec import Reply, decode_reply, encode_command
from runhistory.kafka.clients import close, open_consumer, open_producer
from runhistory.kafka.topics import partitions_of, place_of

COMMANDS_TOPIC: Final = "run.commands"
REPLIES_TOPIC: Final = "run.replies"

_Asked = tuple[str, str, str]
"""Workspace, run and command id: clients choose the latter, so it is unique within its run only."""

log: Any = structlog.get_logger(__name__)


class ReplyTimeout(Exception):
    """No reply came in time: the outcome is unknown. Send the same command again."""


class CommandClient:
    """Commands in, replies out; any number of commands may be under way at once.

    Survives a broker that goes and comes back: the producer and the follower of the replies are
    opened anew. Callbacks in `on_reply` see every reply of every client, on the event loop. Those
    in `on_follow` are called at each time that following begins: replies from before may be
    missing, those that come after are all seen.
    """

    def __init__(self, bootstrap: str, source: str) -> None:
        self._bootstrap, self._source = bootstrap, source
        self._producer: AIOKafkaProducer | None = None
        self._producer_lock = asyncio.Lock()
        self._waiting: dict[_Asked, list[asyncio.Future[Reply]]] = {}
        self._positions: dict[TopicPartition, int] = {}
        self._follower: asyncio.Task[None] | None = None
        self._following = asyncio.Event()
        self._consumer: AIOKafkaConsumer | None = None
        self.on_reply: list[Callable[[Reply], None]] = []
        self.on_follow: list[Callable[[], None]] = []

    async def start(self) -> None:
        """Connect, and return when every reply from now on will be seen."""
        await self._open_producer()
        self._follower = asyncio.create_task(self._follow_for_ever(), name="replies")
        await self._following.wait()

    async def stop(self) -> None:
        """Send what is under way and close. Whoever still waits gets ReplyTimeout."""
        if self._follower is not None:
            self._follower.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._follower
        for waiter in [one for waiters in self._waiting.values() for one in waiters]:
            if not waiter.done():
                waiter.set_exception(ReplyTimeout("This process is stopping."))
        if self._producer is not None:
            await close(self._producer)

    @property
    def is_following(self) -> bool:
        """Whether replies are being received right now."""
        return self._following.is_set()

    def hears(self, run_id: str, seconds: float) -> bool:
        """Whether Kafka has told within so many seconds what replies about the run there are."""
        if self._consumer is None:
            return False
        answered = self._consumer.last_poll_timestamp(place_of(REPLIES_TOPIC, run_id))
        return answered is not None and abs(time.time() - answered / 1e3) < seconds

    async def send(self, command: Command, timeout: float = 10.0) -> Reply:  # noqa: ASYNC109
        """Append the command and return its reply, which may be a refusal.

        Raises:
            ReplyTimeout: the outcome is unknown after `timeout` seconds.
        """
        waiter: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        asked = (command.workspace, command.run_id, command.command_id)
        waiters = self._waiting.setdefault(asked, [])
        waiters.append(waiter)
        try:
            async with asyncio.timeout(timeout):
                await self._following.wait()
                await self._append(command)
                return await waiter
        except (TimeoutError, KafkaError) as error:
            raise ReplyTimeout(
                f"No reply to {command.TYPE} {command.command_id} within {timeout:g} s; "
                "its outcome is unknown. Send it again with the same command id."
            ) from error
        finally:
            waiters.remove(waiter)
            if not waiters:
                self._waiting.pop(asked, None)

    async def _append(self, command: Command) -> None:
        record = encode_command(command, self._source)
        producer = self._producer or await self._open_producer()
        try:
            await producer.send_and_wait(
                COMMANDS_TOPIC, record.value, key=record.key, headers=record.headers
            )
        except KafkaError:
            await self._discard(producer)
            raise

    async def _open_producer(self) -> AIOKafkaProducer:
        async with self._producer_lock:
            if self._producer is None:
                self._producer = await open_producer(
                    self._bootstrap, client_id=f"{self._source}-commands", linger_ms=0
                )
            return self._producer

    async def _discard(self, producer: AIOKafkaProducer) -> None:
        """After an error the idempotent producer's sequence may be broken: take a new one."""
        if self._producer is producer:
            self._producer = None
            await close(producer)

    async def _follow_for_ever(self) -> None:
        while True:
            try:
                await self._follow()
            except (KafkaError, OSError) as error:
                log.warning("replies_interrupted", error=repr(error))
                if isinstance(error, OffsetOutOfRangeError):
                    self._positions.clear()  # these are not kept any more: from the end again
            self._following.clear()
            await asyncio.sleep(0.5)

    async def _follow(self) -> None:
        consumer = await open_consumer(
            self._bootstrap,
            client_id=f"{self._source}-replies",
            fetch_max_wait_ms=500,
            auto_offset_reset="none",  # else a gap would pass unseen
        )
        try:
            await self._resume(consumer)
            for callback in self.on_follow:
                callback()
            self._consumer = consumer
            self._following.set()
            while True:
                found = await consumer.getmany(timeout_ms=1_000)
                for partition, records in found.items():
                    for record in records:
                        self._deliver(record.value)
                    self._positions[partition] = records[-1].offset + 1
        finally:
            self._consumer = None
            await close(consumer)

    async def _resume(self, consumer: AIOKafkaConsumer) -> None:
        """Follow from the end the first time; after an interruption, from where it was."""
        partitions = partitions_of(REPLIES_TOPIC)
        consumer.assign(partitions)
        if not self._positions:
            self._positions = await consumer.end_offsets(partitions)
        for partition, offset in self._positions.items():
            consumer.seek(partition, offset)

    def _deliver(self, value: bytes | None) -> None:
        try:
            reply = decode_reply(value or b"")
        except MalformedRecord as error:
            log.warning("reply_malformed", error=str(error))
            return
        for callback in self.on_reply:
            callback(reply)
        asked = (reply.workspace, reply.run_id, reply.command_id)
        for waiter in self._waiting.get(asked, ()):
            if not waiter.done():
                waiter.set_result(reply)
