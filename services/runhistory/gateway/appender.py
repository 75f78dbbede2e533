"""Append batches of points and log lines to Kafka, in bounded memory.

Delivery: at least once. An append that returns is on every in-sync replica. One that raises may
or may not have been written: the client sends the same batch (writer, seq) again, and a
repetition is invisible to readers.

After any error the idempotent producer's sequence may be broken, so it is thrown away and the
next append opens another: a broker that goes and comes back needs no restart of the gateway.
While none can be reached, appends fail at once instead of piling up.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from runhistory.events.codec import Watermark
from runhistory.gateway.gathering import Gatherer, Headers
from runhistory.kafka.clients import close, open_producer
from runhistory.kafka.topics import place_of
from runhistory.runtime.metrics import GATEWAY_PENDING_BYTES

ACK_SECONDS: Final = 10.0
PENDING_BYTES: Final = 64 * 1024 * 1024
"""Bytes of batches that may be read or wait for Kafka's acknowledgement; more are refused."""

_REOPEN_SECONDS: Final = 0.5

log: Any = structlog.get_logger(__name__)


class LogUnavailable(Exception):
    """Kafka does not take the batch now; whether it was written is unknown."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"{reason} Send the same batch again shortly, with the same writer and seq: "
            "it counts once."
        )


class Appender:
    """`start`, `append` from any number of tasks, `stop`. One event loop."""

    def __init__(self, bootstrap: str, client_id: str, pending_bytes: int = PENDING_BYTES) -> None:
        self._bootstrap, self._client_id, self._limit = bootstrap, client_id, pending_bytes
        self._producer: AIOKafkaProducer | None = None
        self._gatherer = Gatherer(self._new_builder, self._deliver, ACK_SECONDS)
        self._opening = asyncio.Lock()
        self._failed_at = -_REOPEN_SECONDS
        self._pending = 0
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def is_connected(self) -> bool:
        """Whether a producer is open; its broker may be away for a moment nevertheless."""
        return self._producer is not None

    async def start(self) -> None:
        """Try to connect. A broker that is away is no error here: appends will try again."""
        with contextlib.suppress(LogUnavailable):
            await self._open()

    async def stop(self) -> None:
        """Wait for what was given to Kafka to be acknowledged, and close; to be called when no
        append is under way."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await close(producer)
        await asyncio.gather(*self._closing)

    @contextlib.contextmanager
    def admit(self, size: int) -> Iterator[None]:
        """Hold room for a batch of `size` bytes, from before its body is read to its answer.

        Raises:
            LogUnavailable: PENDING_BYTES are being read or wait for Kafka already.
        """
        if self._pending >= self._limit:
            raise LogUnavailable("Kafka is slow or away and the gateway's memory for it is full.")
        self._hold(size)
        try:
            yield
        finally:
            self._hold(-size)

    def _hold(self, size: int) -> None:
        self._pending += size
        GATEWAY_PENDING_BYTES.set(self._pending)

    async def append(self, topic: str, key: str, value: bytes, headers: Headers) -> Watermark:
        """Append one record and return where it lies, once all in-sync replicas have it.

        Raises:
            LogUnavailable: not acknowledged within ACK_SECONDS; the outcome is unknown.
        """
        if self._producer is None:
            await self._open()
        place = place_of(topic, key)
        try:
            offset = await self._gatherer.append(place, key.encode(), value, headers)
        except TimeoutError as error:
            raise LogUnavailable(f"Kafka did not answer within {ACK_SECONDS:g} s.") from error
        except KafkaError as error:
            raise LogUnavailable("Kafka did not take the batch.") from error
        return Watermark(topic, place.partition, offset)

    def _new_builder(self) -> BatchBuilder:
        if self._producer is None:
            raise LogUnavailable("Kafka cannot be reached.")
        builder: BatchBuilder = self._producer.create_batch()
        return builder

    async def _deliver(self, place: TopicPartition, builder: BatchBuilder) -> int:
        producer = self._producer
        if producer is None:
            raise LogUnavailable("Kafka did not take the batch.")
        builder.close()
        try:
            future = await producer.send_batch(builder, place.topic, partition=place.partition)
            future.add_done_callback(partial(self._settle, producer))
            # Giving up must not cancel it: it is under way, whatever comes of it.
            written = await asyncio.shield(future)
        except KafkaError as error:
            self._discard(producer, error)
            raise
        return int(written.offset)

    def _settle(self, producer: AIOKafkaProducer, future: "asyncio.Future[Any]") -> None:
        """Learn of a failure even where nobody waits any more."""
        if not future.cancelled() and (error := future.exception()) is not None:
            self._discard(producer, error)

    async def _open(self) -> AIOKafkaProducer:
        async with self._opening:
            if self._producer is None:
                if time.monotonic() - self._failed_at < _REOPEN_SECONDS:
                    raise LogUnavailable("Kafka cannot be reached.")
                try:
                    self._producer = await open_producer(
                        self._bootstrap,
                        client_id=self._client_id,
                        compression="zstd",
                        linger_ms=0,  # records are gathered before they are given to it
                    )
                except (KafkaError, OSError) as error:
                    self._failed_at = time.monotonic()
                    log.warning("kafka_unreachable", error=repr(error))
                    raise LogUnavailable("Kafka cannot be reached.") from error
                log.info("producer_opened")
            return self._producer

    def _discard(self, producer: AIOKafkaProducer, error: BaseException) -> None:
        if self._producer is not producer:
            return
        self._producer = None
        log.warning("producer_discarded", error=repr(error))
        # It gets a moment for what it may still deliver.
        closing = asyncio.create_task(close(producer))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
