"""The sink's place in a real consumer group, with a store in memory that can be away."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from runhistory.events.metric_batch import METRICS_LOGGED
from runhistory.kafka.clients import open_consumer, open_producer
from runhistory.runtime.health import Health
from runhistory.sink.conditions import Conditions
from runhistory.sink.cycle import Cycle
from runhistory.sink.dead_letters import DeadLetterTopics
from runhistory.sink.group import CONSUMER_SETTINGS, TOPICS, Group, Superseded, member_name
from runhistory.sink.service import Sink
from tests.conftest import Broker
from tests.support.sink_world import FakeStore, metrics

pytestmark = pytest.mark.infrastructure

TYPE = [("ce_type", METRICS_LOGGED.encode())]


async def until(holds: Callable[[], bool], patience: float = 30) -> None:
    async with asyncio.timeout(patience):
        while not holds():
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def member(
    bootstrap: str, group_id: str, name: str | None = None
) -> AsyncIterator[tuple[Group, AIOKafkaConsumer]]:
    consumer = await open_consumer(
        bootstrap,
        client_id="sink-test",
        group_id=group_id,
        group_instance_id=name,
        **CONSUMER_SETTINGS,
    )
    group = Group(consumer)
    try:
        await group.join()
        yield group, consumer
    finally:
        await group.leave()


@contextlib.asynccontextmanager
async def a_sink(bootstrap: str, group_id: str, store: FakeStore) -> AsyncIterator[Health]:
    """A whole sink in this process, but for its store."""
    async with member(bootstrap, group_id) as (group, _):
        health, stopping = Health("sink"), asyncio.Event()
        letters = DeadLetterTopics(bootstrap)
        sink = Sink(
            Cycle(group, store, letters),
            group,
            store,
            Conditions(health, "kafka", "clickhouse"),
            stopping,
        )
        tasks = [asyncio.create_task(sink.run()), asyncio.create_task(sink.watch())]
        try:
            yield health
            stopping.set()
            async with asyncio.timeout(10):
                await tasks[0]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await letters.close()


async def send(bootstrap: str, values: list[tuple[bytes, bytes | None]]) -> None:
    producer = await open_producer(bootstrap, client_id="test")
    try:
        for key, value in values:
            await producer.send_and_wait("run.metrics", value, key=key, headers=TYPE)
    finally:
        await producer.stop()


def stored(store: FakeStore, mark: str) -> list[bytes]:
    """Our own records among all that lie in the shared topic."""
    return [row for row in store.rows["metrics_landing"] if mark.encode() in row]


async def test_records_are_stored_once_and_a_successor_goes_on_after_them(broker: Broker) -> None:
    mark, group_id, store = uuid.uuid4().hex, uuid.uuid4().hex, FakeStore()
    async with a_sink(broker.bootstrap, group_id, store):
        await send(broker.bootstrap, [(b"a%d" % n, metrics(n, key=mark)) for n in range(20)])
        await until(lambda: len(stored(store, mark)) == 20)
    async with a_sink(broker.bootstrap, group_id, store):
        await send(broker.bootstrap, [(b"b", metrics(99, key=mark))])
        await until(lambda: len(stored(store, mark)) >= 21)
    assert len(stored(store, mark)) == 21


async def test_an_outage_holds_records_back_says_so_and_loses_none(broker: Broker) -> None:
    mark, group_id, store = uuid.uuid4().hex, uuid.uuid4().hex, FakeStore()
    async with a_sink(broker.bootstrap, group_id, store) as health:
        await until(lambda: health.report()[0] == 200)
        store.outages = 10**6
        await send(broker.bootstrap, [(b"a%d" % n, metrics(n, key=mark)) for n in range(30)])
        await until(lambda: "store" in str(health.report()[1].get("reason")))
        assert not stored(store, mark)
        store.outages = 0
        await until(lambda: len(stored(store, mark)) == 30)
        await until(lambda: health.report()[0] == 200)


async def test_dead_letters_are_the_same_bytes_and_say_why_and_whence(broker: Broker) -> None:
    mark, group_id, store = uuid.uuid4().hex, uuid.uuid4().hex, FakeStore(lambda row: b"-7" in row)
    good: list[tuple[bytes, bytes | None]] = [(b"k%d" % n, metrics(n, key=mark)) for n in range(5)]
    poison = metrics(5, key=mark).replace(b"0.5", b"-7")
    bad: list[tuple[bytes, bytes | None]] = [
        (mark.encode(), poison),
        (mark.encode(), None),
        (mark.encode(), b"{cut"),
    ]
    async with a_sink(broker.bootstrap, group_id, store):
        await send(broker.bootstrap, good[:2] + bad + good[2:])
        await until(lambda: len(stored(store, mark)) == 5)
    letters = await _read(broker.bootstrap, "run.metrics.dlq", mark)
    assert sorted((one.key, one.value) for one in letters if one.value) == sorted(
        (key, value) for key, value in bad if value
    )
    assert [one.key for one in letters if one.value is None] == [mark.encode()]
    for letter in letters:
        headers = dict(letter.headers)
        assert list(letter.headers[: len(TYPE)]) == TYPE
        topic, partition, offset = headers["origin"].decode().split("/")
        assert headers["reason"]
        original = await _read_one(broker.bootstrap, TopicPartition(topic, int(partition)), offset)
        assert (original.key, original.value) == (letter.key, letter.value)


async def test_a_commit_of_an_ended_assignment_is_refused_and_moves_nothing(
    broker: Broker,
) -> None:
    mark, group_id = uuid.uuid4().hex, uuid.uuid4().hex
    await send(broker.bootstrap, [(b"a%d" % n, metrics(n, key=mark)) for n in range(30)])
    async with member(broker.bootstrap, group_id) as (first, _):
        await _take_all(first, mark, 30)
        before = first.epoch
        async with member(broker.bootstrap, group_id) as (second, consumer):
            await until(lambda: second.assigned and first.epoch > before)
            partition = sorted(consumer.assignment())[0]
            with pytest.raises(Superseded):
                await first.commit(before, {partition: 1})
            assert await consumer.committed(partition) is None


async def test_what_was_read_and_forgotten_at_a_revocation_is_not_passed(broker: Broker) -> None:
    """A poll that finds nothing may end between a revocation and the next assignment."""
    mark, group_id = uuid.uuid4().hex, uuid.uuid4().hex
    await send(broker.bootstrap, [(b"a%d" % n, metrics(n, key=mark)) for n in range(30)])
    async with member(broker.bootstrap, group_id) as (first, _):
        await _take_all(first, mark, 30)
        before, revoked = first.epoch, first.on_partitions_revoked

        async def revoked_and_idle(partitions: Iterable[TopicPartition]) -> None:
            await revoked(partitions)
            await first.commit_positions()

        first.on_partitions_revoked = revoked_and_idle  # type: ignore[method-assign]
        async with member(broker.bootstrap, group_id) as (second, _):
            await until(lambda: second.assigned and first.epoch > before)
            found: set[bytes] = set()
            async with asyncio.timeout(30):
                while len(found) < 30:
                    taken = [*await first.take(0.2), *await second.take(0.2)]
                    found |= {one.value for one in taken if mark.encode() in (one.value or b"")}


async def test_a_member_that_keeps_alive_takes_nothing_and_goes_on_where_it_was(
    broker: Broker,
) -> None:
    mark, group_id = uuid.uuid4().hex, uuid.uuid4().hex
    async with member(broker.bootstrap, group_id) as (group, _):
        await send(broker.bootstrap, [(b"a", metrics(0, key=mark))])
        await _take_all(group, mark, 1)
        await group.keep_alive()
        await send(broker.bootstrap, [(b"a", metrics(n, key=mark)) for n in range(1, 6)])
        for _ in range(10):
            await group.keep_alive()
            await asyncio.sleep(0.02)
        group.resume()
        found = await _take_all(group, mark, 5)
        assert found == [metrics(n, key=mark) for n in range(1, 6)]


async def _take_all(group: Group, mark: str, number: int) -> list[bytes]:
    found: list[bytes] = []
    async with asyncio.timeout(30):
        while len(found) < number:
            taken = await group.take(0.2)
            found += [one.value for one in taken if one.value and mark.encode() in one.value]
    return found


async def _read(bootstrap: str, topic: str, mark: str) -> list[Any]:
    consumer = await open_consumer(bootstrap, client_id="reader")
    try:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        found: list[Any] = []
        await consumer.seek_to_beginning(partition)
        async with asyncio.timeout(30):
            while await consumer.position(partition) < end:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += [one for one in records if one.key == mark.encode()]
    finally:
        await consumer.stop()
    return found


async def _read_one(bootstrap: str, partition: TopicPartition, offset: str) -> Any:
    consumer = await open_consumer(bootstrap, client_id="reader")
    try:
        consumer.assign([partition])
        consumer.seek(partition, int(offset))
        async with asyncio.timeout(30):
            return await consumer.getone()
    finally:
        await consumer.stop()


async def test_what_no_reader_is_given_is_passed_all_the_same(broker: Broker) -> None:
    """Behind the last record: its transaction's marker, and a transaction that was aborted."""
    mark, group_id, store = uuid.uuid4().hex, uuid.uuid4().hex, FakeStore()
    producer = await open_producer(broker.bootstrap, client_id="test", transactional_id=mark)
    async with producer.transaction():
        record = metrics(0, key=mark)
        sent = await producer.send("run.metrics", record, key=b"a", headers=TYPE)
    partition = TopicPartition("run.metrics", (await sent).partition)
    with contextlib.suppress(ZeroDivisionError):
        async with producer.transaction():
            await producer.send_and_wait("run.metrics", record, key=b"a", headers=TYPE)
            raise ZeroDivisionError
    await producer.stop()
    async with a_sink(broker.bootstrap, group_id, store), asyncio.timeout(30):
        probe = await open_consumer(broker.bootstrap, client_id="probe", group_id=group_id)
        end = (await probe.end_offsets([partition]))[partition]
        while await probe.committed(partition) != end:
            await asyncio.sleep(0.1)
        await probe.stop()
    assert len(stored(store, mark)) == 1


async def test_a_member_that_reads_more_topics_than_before_gets_them(broker: Broker) -> None:
    """As after an upgrade: the broker gives a static member its old partitions, and no others."""
    group_id = uuid.uuid4().hex
    before = await open_consumer(
        broker.bootstrap, client_id="old", group_id=group_id, group_instance_id="sink"
    )
    before.subscribe(["run.metrics"])
    await until(lambda: bool(before.assignment()))
    await before.stop()
    async with member(broker.bootstrap, group_id, member_name("sink")) as (_, consumer):
        await until(lambda: {place.topic for place in consumer.assignment()} == set(TOPICS), 60)
