"""Producers and consumers with the settings that make our promises true."""

import asyncio
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.client import AIOKafkaClient

from runhistory.kafka.broken_connections import tell_of_broken_connections
from runhistory.kafka.compression import compress_at_level_1
from runhistory.kafka.topics import MAX_MESSAGE_BYTES, partition_of

CLOSE_SECONDS: Final = 5
BATCH_BYTES: Final = 524_288
"""aiokafka keeps one request in flight for each broker, so throughput comes from large batches."""


log: Any = structlog.get_logger(__name__)

tell_of_broken_connections()
compress_at_level_1()


async def open_producer(
    bootstrap: str,
    *,
    client_id: str,
    transactional_id: str | None = None,
    compression: str | None = None,
    linger_ms: int = 5,
    **overrides: Any,
) -> AIOKafkaProducer:
    """A started producer: idempotent, and acknowledged means on all in-sync replicas.

    With a `transactional_id`, starting it fences whoever used the id before.

    Raises:
        aiokafka.errors.KafkaError: no broker answers.
    """
    producer = AIOKafkaProducer(
        **{
            "bootstrap_servers": bootstrap,
            "client_id": client_id,
            "transactional_id": transactional_id,
            "enable_idempotence": True,
            "acks": "all",
            "compression_type": compression,
            "linger_ms": linger_ms,
            "max_batch_size": BATCH_BYTES,
            "max_request_size": MAX_MESSAGE_BYTES,
            "request_timeout_ms": 15_000,
            "retry_backoff_ms": 50,
            "metadata_max_age_ms": 60_000,
            "partitioner": partition_of,
            **overrides,
        }
    )
    try:
        await producer.start()
    except BaseException:
        await close(producer)
        raise
    _keep_looking(producer.client)
    return producer


async def open_consumer(
    bootstrap: str,
    *topics: str,
    client_id: str,
    group_id: str | None = None,
    **overrides: Any,
) -> AIOKafkaConsumer:
    """A started consumer: sees committed transactions only, commits only when told to.

    Without `topics` the caller assigns partitions by hand.

    Raises:
        aiokafka.errors.KafkaError: no broker answers.
    """
    consumer = AIOKafkaConsumer(
        *topics,
        **{
            "bootstrap_servers": bootstrap,
            "client_id": client_id,
            "group_id": group_id,
            "isolation_level": "read_committed",
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "max_partition_fetch_bytes": MAX_MESSAGE_BYTES,
            "fetch_max_wait_ms": 100,
            "session_timeout_ms": 10_000,
            "heartbeat_interval_ms": 2_000,
            "retry_backoff_ms": 50,
            "metadata_max_age_ms": 60_000,
            **overrides,
        },
    )
    try:
        await consumer.start()
    except BaseException:
        await close(consumer)
        raise
    _keep_looking(consumer._client)
    return consumer


def _keep_looking(client: AIOKafkaClient) -> None:
    """Start aiokafka's task that looks where partitions are anew whenever it ends with an error.

    An error that it did not expect ends it without a word, and whoever waits to be told where
    something is then waits for ever. (One such error is known: broken_connections.py.)
    """

    def look_again(ended: "asyncio.Task[None]") -> None:
        if ended.cancelled():  # by `close`
            return
        log.error("metadata_task_died", error=repr(ended.exception()))
        if client._md_update_fut is not None and client._md_update_fut.done():
            client._md_update_fut = None
        client._sync_task = looking = asyncio.create_task(client._md_synchronizer())
        looking.add_done_callback(look_again)

    if client._sync_task is not None:
        client._sync_task.add_done_callback(look_again)


async def close(client: Any) -> None:
    """Let a producer or consumer send what is under way and say goodbye; raises nothing.

    It has CLOSE_SECONDS for that. With the broker away, aiokafka's `stop` may wait for ever,
    raise, or end as cancelled, so it has a task of its own; and what it then leaves behind would
    send late what was given up long ago, so that is ended too.
    """
    stopping = asyncio.ensure_future(client.stop())
    await asyncio.wait({stopping}, timeout=CLOSE_SECONDS)
    if stopping.done() and not stopping.cancelled() and stopping.exception() is None:
        return
    stopping.cancel()
    log.warning("closed_without_goodbye", client=type(client).__name__)
    sender = getattr(getattr(client, "_sender", None), "sender_task", None)
    if sender is not None:
        sender.cancel()
    connections = client.client if isinstance(client, AIOKafkaProducer) else client._client
    await asyncio.wait({asyncio.ensure_future(connections.close())}, timeout=1)
