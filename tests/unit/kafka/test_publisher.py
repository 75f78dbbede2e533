"""The producer that all attempts share: a failed one goes, its successor stays."""

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaError

from runhistory.events.cloudevents import Record
from runhistory.kafka import publisher
from runhistory.kafka.publisher import Publisher


class Producer:
    """In the place of a producer: fails each send when it is told to, or takes it."""

    def __init__(self, *, fails: bool) -> None:
        self.fails, self.is_closed = fails, False
        self.keys: list[bytes] = []
        self.failing: dict[bytes, asyncio.Event] = {b"first": asyncio.Event()}

    async def send_and_wait(self, topic: str, value: bytes, *, key: bytes, headers: Any) -> None:
        assert not self.is_closed
        if self.fails:
            await self.failing.setdefault(key, asyncio.Event()).wait()
            raise KafkaError
        self.keys.append(key)


async def test_a_late_failure_of_the_old_producer_leaves_the_fresh_one_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old, fresh = Producer(fails=True), Producer(fails=False)
    to_open = [old, fresh]

    async def open_producer(*_: Any, **__: Any) -> Producer:
        return to_open.pop(0)

    async def close(producer: Producer) -> None:
        producer.is_closed = True

    monkeypatch.setattr(publisher, "open_producer", open_producer)
    monkeypatch.setattr(publisher, "close", close)
    opened = Publisher("nowhere", "test")
    first, second = (
        asyncio.create_task(opened.publish("run.logs", Record(key, [], b"")))
        for key in (b"first", b"second")
    )
    async with asyncio.timeout(10):
        while b"second" not in old.failing:
            await asyncio.sleep(0.01)
        old.failing[b"first"].set()
        await first
        assert fresh.keys == [b"first"]
        old.failing[b"second"].set()
        await second
    assert (old.is_closed, fresh.is_closed) == (True, False)
    assert fresh.keys == [b"first", b"second"]
    await opened.stop()
    assert fresh.is_closed
