"""Records into Kafka, however long it takes. At least once: whoever reads goes by identity."""

import asyncio
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from runhistory.events.cloudevents import Record
from runhistory.kafka.clients import close, open_producer

log: Any = structlog.get_logger(__name__)


class Publisher:
    """One compressing producer for many; opened when first used, and anew after errors."""

    def __init__(self, bootstrap: str, client_id: str) -> None:
        self._bootstrap, self._client_id = bootstrap, client_id
        self._producer: AIOKafkaProducer | None = None
        self._lock = asyncio.Lock()

    async def publish(self, topic: str, record: Record) -> None:
        """Return when the record is acknowledged; with the broker away, keep trying."""
        while True:
            try:
                await self._send(await self._open(), topic, record)
                return
            except (KafkaError, OSError) as error:
                log.warning("publish_failed", topic=topic, error=repr(error))
                await asyncio.sleep(1)

    async def stop(self) -> None:
        """Close; what is not acknowledged yet may be lost."""
        if self._producer is not None:
            await self._discard(self._producer)

    async def _send(self, producer: AIOKafkaProducer, topic: str, record: Record) -> None:
        try:
            await producer.send_and_wait(
                topic, record.value, key=record.key, headers=record.headers
            )
        except (KafkaError, OSError):
            await self._discard(producer)
            raise

    async def _open(self) -> AIOKafkaProducer:
        async with self._lock:
            if self._producer is None:
                self._producer = await open_producer(
                    self._bootstrap, client_id=self._client_id, compression="zstd"
                )
            return self._producer

    async def _discard(self, producer: AIOKafkaProducer) -> None:
        """Close this one, which failed; another that was opened since goes on."""
        if self._producer is producer:
            self._producer = None
            await close(producer)
