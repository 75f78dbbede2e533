"""Producers and consumers outlive what aiokafka does not expect."""

import asyncio

import pytest
import uvloop
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

from runhistory.kafka.clients import close, open_consumer, open_producer
from tests.conftest import Broker

pytestmark = pytest.mark.infrastructure


@pytest.mark.parametrize("kind", ["producer", "consumer"])
async def test_a_client_whose_metadata_task_died_is_told_where_partitions_are(
    kind: str, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "producer":
        one = await open_producer(broker.bootstrap, client_id="test")
        client: AIOKafkaClient = one.client
    else:
        one = await open_consumer(broker.bootstrap, "run.events", client_id="test")
        client = one._client
    try:
        update, calls = client._metadata_update, 0

        async def fail_twice(*arguments: object) -> bool:
            nonlocal calls
            calls += 1
            if calls <= 2:
                raise RuntimeError("not expected")
            return bool(await update(*arguments))

        monkeypatch.setattr(client, "_metadata_update", fail_twice)
        assert await asyncio.wait_for(client.force_metadata_update(), 10)
        assert calls == 3
        assert await asyncio.wait_for(client.force_metadata_update(), 10)
    finally:
        await close(one)


def test_a_connection_that_just_broke_is_told_of_as_broken(broker: Broker) -> None:
    """On uvloop, as in every service: its own error would end whatever task was sending."""

    async def break_and_send() -> None:
        producer = await open_producer(broker.bootstrap, client_id="test")
        try:
            (connection, *_) = producer.client._conns.values()
            connection._writer.transport.abort()
            await asyncio.sleep(0)  # it is closed now, and nobody who reads from it has run yet
            with pytest.raises(KafkaConnectionError, match="broken"):
                await connection.send(MetadataRequest([]))
            assert await asyncio.wait_for(producer.client.force_metadata_update(), 10)
        finally:
            await close(producer)

    uvloop.run(break_and_send())
