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
    """One compressing producer for all attempts; opened when first used, and anew after errors."""

    def __init__(self, bootstrap: str, client_id: str) -> None:
        self._bootstrap, self._client_id = bootstrap, client_id
        self._producer: AIOKafkaProducer | None = None
        self._lock = asyncio.Lock()

    async def publish(self, topic: str, record: Record) -> None:
        """Return when the record is acknowledged; with the broker away, keep trying."""
        while True:
            try:
                producer = await self._open()
                await producer.send_and_wait(
                    topic, record.value, key=record.key, headers=record.headers
                )
                return
            except (KafkaError, OSError) as error:
                log.warning("publish_failed", topic=topic, error=repr(error))
                await self._discard()
                await asyncio.sleep(1)

    async def stop(self) -> None:
        """Close; what is not acknowledged yet may be lost."""
        await self._discard()

    async def _open(self) -> AIOKafkaProducer:
        async with self._lock:
            if self._producer is None:
                self._producer = await open_producer(
                    self._bootstrap, client_id=self._client_id, compression="zstd"
                )
            return self._producer

    async def _discard(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await close(producer)
