"""Records that travel together: each caller is told where its own lies, or why it does not."""

import asyncio
from collections import defaultdict

import pytest
from aiokafka import TopicPartition
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatch
from hypothesis import given, settings
from hypothesis import strategies as st

from runhistory.gateway.gathering import Gatherer

BUNDLE_BYTES = 2_000
PLACES = [TopicPartition("run.metrics", number) for number in range(3)]


class Refused(Exception):
    """The log does not take a bundle."""


class Log:
    """Keeps what is delivered; what holds a b"bad" it refuses, as a whole."""

    def __init__(self) -> None:
        self.records: dict[TopicPartition, list[bytes]] = defaultdict(list)
        self.bundles: list[int] = []
        self.under_way: set[TopicPartition] = set()

    async def deliver(self, place: TopicPartition, builder: BatchBuilder) -> int:
        """Take a while, and give another partition's bundle a chance to overtake."""
        assert place not in self.under_way, "two bundles of one partition are under way"
        self.under_way.add(place)
        values = [record.value for record in DefaultRecordBatch(bytes(builder._build()))]
        await asyncio.sleep(0.001 * (len(values) % 3))
        self.under_way.remove(place)
        if b"bad" in values:
            raise Refused
        self.bundles.append(len(values))
        self.records[place] += values
        return len(self.records[place]) - len(values)


def gatherer(log: Log, seconds: float = 10.0) -> Gatherer:
    """Over `log`, with small bundles."""
    return Gatherer(lambda: BatchBuilder(BUNDLE_BYTES, 0), log.deliver, seconds)


record = st.tuples(
    st.sampled_from(PLACES),
    st.one_of(st.just(b"bad"), st.sampled_from([10, 500, 3_000]).map(lambda size: b"x" * size)),
    st.booleans(),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(record, min_size=1, max_size=40))
def test_everyone_is_told_where_the_own_record_lies(
    appended: list[tuple[TopicPartition, bytes, bool]],
) -> None:
    async def all_of_them() -> tuple[Log, list[int | BaseException]]:
        log = Log()
        gathering, tasks = gatherer(log), []
        for number, (place, value, pauses) in enumerate(appended):
            text = value if value == b"bad" else b"%d:" % number + value
            tasks.append(asyncio.create_task(gathering.append(place, b"run", text, [])))
            await asyncio.sleep(0.002 if pauses else 0)
        return log, await asyncio.gather(*tasks, return_exceptions=True)

    log, outcomes = asyncio.run(all_of_them())
    for number, (outcome, (place, value, _)) in enumerate(zip(outcomes, appended, strict=True)):
        if isinstance(outcome, BaseException):
            assert isinstance(outcome, Refused)
            continue
        assert log.records[place][outcome] == b"%d:" % number + value
    for values in log.records.values():
        numbers = [int(value.split(b":")[0]) for value in values]
        assert numbers == sorted(numbers), "records of a partition keep their order"
    stored = sum(map(len, log.records.values()))
    assert stored == sum(not isinstance(outcome, BaseException) for outcome in outcomes)
    assert all(
        value != b"bad" or isinstance(outcome, Refused)
        for outcome, (_, value, _) in zip(outcomes, appended, strict=True)
    )


async def test_records_that_come_together_travel_together() -> None:
    log = Log()
    gathering = gatherer(log)
    appends = [gathering.append(PLACES[0], b"run", b"x", []) for _ in range(20)]
    assert sorted(await asyncio.gather(*appends)) == list(range(20))
    assert log.bundles == [20]


async def test_a_caller_that_gives_up_takes_nothing_back() -> None:
    log = Log()
    gathering = gatherer(log)
    given_up = asyncio.create_task(gathering.append(PLACES[0], b"run", b"first", []))
    stays = asyncio.create_task(gathering.append(PLACES[0], b"run", b"second", []))
    await asyncio.sleep(0)
    given_up.cancel()
    assert await stays == 1
    assert log.records[PLACES[0]] == [b"first", b"second"]


async def test_a_log_that_does_not_answer_is_given_up_and_the_next_bundle_has_its_turn() -> None:
    hangs = asyncio.Event()

    async def deliver(place: TopicPartition, builder: BatchBuilder) -> int:
        if not hangs.is_set():
            hangs.set()
            await asyncio.Event().wait()
        return 7

    gathering = Gatherer(lambda: BatchBuilder(BUNDLE_BYTES, 0), deliver, 0.05)
    lost = asyncio.create_task(gathering.append(PLACES[0], b"run", b"x", []))
    await hangs.wait()
    next_one = asyncio.create_task(gathering.append(PLACES[0], b"run", b"x", []))
    with pytest.raises(TimeoutError):
        await lost
    assert await next_one == 7
