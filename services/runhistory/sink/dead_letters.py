"""`<topic>.dlq`: records that cannot be stored, byte for byte, with the reason.

A letter is written at least once: a crash between its acknowledgement and the commit writes it
again, with the same `origin`. The same topics bring back what shall be tried again; see
kafka/dead_letters.py.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from runhistory.kafka.clients import close, open_producer
from runhistory.kafka.dead_letters import BURIED, MAX_LETTER_BYTES, ORIGIN, REASON, SUFFIX
from runhistory.runtime.metrics import SINK_DEAD_LETTERS
from runhistory.sink.batch import DeadLetter
from runhistory.sink.store import Unavailable

log: Any = structlog.get_logger(__name__)


class Cemetery(Protocol):
    """Where dead letters go."""

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        """Write them; returns when all are acknowledged.

        Raises:
            Unavailable: perhaps written, perhaps not. Bury all of them again.
        """


class DeadLetterTopics:
    """The dead-letter topics of one Kafka. Its producer is opened for the first letter."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._producer: AIOKafkaProducer | None = None

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        """See Cemetery."""
        if not letters:
            return
        try:
            producer = await self._open()
            sent = [await _send(producer, letter) for letter in letters]
            await asyncio.gather(*sent)
        except KafkaError as error:
            await self.close()
            raise Unavailable(f"dead letters cannot be written: {error!r}") from error
        for letter in letters:
            SINK_DEAD_LETTERS.labels(letter.message.topic).inc()
            log.error("dead_letter", origin=letter.origin, reason=letter.reason)

    async def close(self) -> None:
        """Close the producer; the next letter opens another."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await close(producer)

    async def _open(self) -> AIOKafkaProducer:
        if self._producer is None:
            self._producer = await open_producer(
                self._bootstrap,
                client_id="sink-dead-letters",
                compression="zstd",
                max_request_size=MAX_LETTER_BYTES,
            )
        return self._producer


async def _send(producer: AIOKafkaProducer, letter: DeadLetter) -> "asyncio.Future[Any]":
    message = letter.message
    nothing = message.key is None and message.value is None  # which a producer does not send
    sent: asyncio.Future[Any] = await producer.send(
        f"{message.topic}{SUFFIX}",
        key=b"" if nothing else message.key,
        value=message.value,
        timestamp_ms=message.timestamp,
        headers=[
            *message.headers,
            (REASON, letter.reason.encode()),
            (ORIGIN, letter.origin.encode()),
            (BURIED, datetime.now(UTC).isoformat().encode()),
        ],
    )
    return sent
