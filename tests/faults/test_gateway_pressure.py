"""Kafka frozen under load: the gateway's memory stays bounded, and nothing is promised in vain."""

import asyncio
import time
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import orjson
import psutil
import pytest

from runhistory.kafka.clients import open_consumer, open_producer
from runhistory.kafka.topics import partitions_of
from tests.faults.test_gateway_faults import MortalBroker, mortal_broker, services
from tests.support.gateway_world import GatewayClient, batch, error_of, eventually

__all__ = ["mortal_broker"]

pytestmark = pytest.mark.infrastructure

PENDING = 8_000_000
POINTS = 20_000
BATCHES = 120
"""Of nearly a megabyte each: far more than the gateway may hold."""


@cache
def _around_seq() -> tuple[bytes, bytes]:
    """A large batch, but its number."""
    values = [0.123456789012345 + index for index in range(POINTS)]
    before, behind = orjson.dumps(batch(POINTS, seq="?", values=values)).split(b'"?"')
    return before, behind


def _large(seq: int) -> bytes:
    before, behind = _around_seq()
    return b"%s%d%s" % (before, seq, behind)


async def test_with_kafka_frozen_it_refuses_what_it_has_no_room_for(
    mortal_broker: MortalBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNHISTORY_MAX_PENDING_BYTES", str(PENDING))
    mortal_broker.start()
    await mortal_broker.wait_ready()
    lifecycle, gateway = services(mortal_broker.bootstrap, tmp_path, "lifecycle", "gateway")
    with lifecycle, gateway:
        lifecycle.wait_ready()
        gateway.wait_ready()
        async with GatewayClient(f"http://127.0.0.1:{gateway.port}") as client:
            run_id = await client.start()
            assert (await client.log(run_id, _large(0))).status_code == 202
            process = psutil.Process(gateway.process.pid)
            before, begun = process.memory_info().rss, time.monotonic()

            mortal_broker.freeze()
            most, answers = await _watched(
                process, [client.log(run_id, _large(seq)) for seq in range(1, BATCHES)]
            )
            assert time.monotonic() - begun < 60
            messages = [error_of(answer, 503)["message"] for answer in answers]
            assert sum("memory for it is full" in message for message in messages) > BATCHES // 2
            assert any("Kafka" in message for message in messages)
            assert most - before < 200_000_000, "bodies beyond the bound were kept"

            mortal_broker.thaw()

            async def accepts() -> bool:
                return (await client.log(run_id, _large(1))).status_code == 202

            await eventually(accepts, seconds=60)
    assert {0, 1} <= await _seqs(mortal_broker.bootstrap, client.workspace)


async def _watched(process: psutil.Process, calls: list[Any]) -> tuple[int, list[httpx.Response]]:
    """The answers to `calls`, made at once, and the most memory the process had meanwhile."""
    most = 0
    asked = asyncio.ensure_future(asyncio.gather(*calls))
    while not asked.done():
        most = max(most, process.memory_info().rss)
        await asyncio.wait({asked}, timeout=0.05)
    return most, asked.result()


async def _seqs(bootstrap: str, workspace: str) -> set[int]:
    """The numbers of the batches that lie in Kafka."""
    import json

    consumer = await open_consumer(bootstrap, client_id="test")
    places = partitions_of("run.metrics")
    consumer.assign(places)
    try:
        ends = await consumer.end_offsets(places)
        found = set()
        while any([await consumer.position(place) < ends[place] for place in places]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                messages = [json.loads(record.value) for record in records]
                found |= {one["seq"] for one in messages if one["workspace"] == workspace}
        return found
    finally:
        await consumer.stop()


async def test_acknowledged_means_by_all_in_sync_replicas_and_once(broker: Any) -> None:
    """What the gateway's producer asks of the broker; a client's retry is another matter."""
    producer = await open_producer(broker.bootstrap, client_id="test", compression="zstd")
    try:
        assert producer._sender._acks == -1
        assert producer._txn_manager is not None, "it is idempotent"
        assert producer._txn_manager.transactional_id is None
        await producer.send_and_wait("run.metrics", b"{}", key=b"k")
        assert producer._txn_manager.has_pid()
    finally:
        await producer.stop()
