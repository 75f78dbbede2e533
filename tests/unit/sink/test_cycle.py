"""The law of the sink: wherever it dies, every record is stored or buried, and none skipped."""

import asyncio
from collections import Counter

import pytest
from aiokafka import TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st

from runhistory.sink.batch import Batch, Limits
from runhistory.sink.cycle import Cycle, Pace
from runhistory.sink.group import Superseded
from runhistory.sink.store import Unavailable
from tests.support.sink_world import FakeCemetery, FakeMessage, FakeSource, FakeStore, metrics

AT_ONCE = Pace(shortest=0.0, longest=0.0)
LIMITS = Limits(records=4)
POISON = b'"poison"'


def a_log(sizes: list[int], bad: set[int]) -> dict[TopicPartition, list[FakeMessage]]:
    """Partitions of these sizes; records are numbered through, some are poison of either kind."""
    numbers = iter(range(sum(sizes)))
    return {
        TopicPartition("run.metrics", partition): [
            FakeMessage(_value(number, number in bad), partition=partition, offset=offset)
            for offset, number in zip(range(size), numbers, strict=False)
        ]
        for partition, size in enumerate(sizes)
    }


def _value(number: int, is_bad: bool) -> bytes | None:
    if not is_bad:
        return metrics(seq=number)
    return None if number % 2 else metrics(seq=number, key="poison")


class World:
    """A sink that can die between any two steps, and its surroundings, which stay."""

    def __init__(self, log: dict[TopicPartition, list[FakeMessage]]) -> None:
        self.source, self.cemetery = FakeSource(log), FakeCemetery()
        self.store = FakeStore(lambda row: POISON in row)
        self.restart()

    def restart(self) -> None:
        self.source.rebalance()
        self.cycle = Cycle(self.source, self.store, self.cemetery, LIMITS, AT_ONCE)

    async def one_cycle(self, dies_after: str | None) -> bool:
        """Run a cycle, dead after the step of that name; says whether there was anything."""
        batch = await self.cycle.poll()
        if dies_after == "poll":
            return True
        letters = await self.cycle.insert(batch)
        if dies_after == "insert":
            return True
        await self.cycle.bury(letters)
        if dies_after == "bury":
            return True
        await self.cycle.commit(batch)
        return len(batch) > 0

    def check(self) -> None:
        """Offsets are never ahead of what is safe."""
        safe = set(self.store.rows["metrics_landing"])
        buried = {letter.origin for letter in self.cemetery.letters}
        for partition, committed in self.source.committed.items():
            for message in self.source.log[partition][:committed]:
                origin = f"run.metrics/{message.partition}/{message.offset}"
                prefix = b'{"_p":%d,"_o":%d,' % (message.partition, message.offset)
                assert origin in buried or any(row.startswith(prefix) for row in safe), origin


@settings(max_examples=150, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 12), min_size=1, max_size=4),
    bad=st.sets(st.integers(0, 47)),
    fates=st.lists(
        st.sampled_from(["poll", "insert", "bury", "outage", "lost answer", "rebalance"]),
        max_size=12,
    ),
)
async def test_whatever_happens_all_is_stored_or_buried_and_offsets_never_run_ahead(
    sizes: list[int], bad: set[int], fates: list[str]
) -> None:
    world = World(a_log(sizes, bad))
    for fate in fates:
        world.store.outages = int(fate in ("outage", "lost answer"))
        world.store.apply_lost = fate == "lost answer"
        if fate == "rebalance":
            batch = await world.cycle.poll()
            world.source.rebalance()
            with pytest.raises(Superseded):
                await world.cycle.commit(batch)
        elif fate in ("outage", "lost answer"):
            batch = await world.cycle.poll()
            if batch.tables:
                with pytest.raises(Unavailable):
                    await world.cycle.insert(batch)
            world.restart()
        else:
            await world.one_cycle(dies_after=fate)
            world.restart()
        world.check()
    world.store.outages = 0
    while await world.one_cycle(None):
        world.check()
    everything = {
        (message.partition, message.offset): message.value is None or POISON in message.value
        for messages in world.source.log.values()
        for message in messages
    }
    assert {
        (letter.message.partition, letter.message.offset) for letter in world.cemetery.letters
    } == {place for place, is_bad in everything.items() if is_bad}
    assert len(set(world.store.rows["metrics_landing"])) == Counter(everything.values())[False]
    assert world.source.committed == {one: len(m) for one, m in world.source.log.items()}


async def test_offsets_that_are_committed_are_those_that_were_inserted() -> None:
    world = World(a_log([10, 3], set()))
    batch = await world.cycle.poll()
    assert batch.full
    inserted = Counter(entry.message.partition for entry in batch.tables["metrics_landing"])
    await world.cycle.insert(batch)
    await world.cycle.commit(batch)
    assert world.source.commits == [
        {TopicPartition("run.metrics", partition): n for partition, n in inserted.items()}
    ]


async def test_records_of_an_ended_assignment_do_not_mix_with_those_of_the_next() -> None:
    world = World(a_log([9], set()))
    take, calls = world.source.take, 0

    async def take_and_rebalance(wait: float) -> object:
        nonlocal calls
        calls += 1
        if calls == 2:
            world.source.rebalance()
        return await take(wait)

    world.source.take = take_and_rebalance  # type: ignore[assignment]
    batch = await world.cycle.poll()
    assert batch.epoch == world.source.epoch
    assert [entry.message.offset for entry in batch.tables["metrics_landing"]] == [0, 1, 2, 3, 4, 5]


async def test_tables_are_inserted_side_by_side_and_all_end_before_a_failure_is_told() -> None:
    class Slow(FakeStore):
        ended = 0

        async def insert(self, table: str, rows: object) -> None:
            if table == "metrics_landing":
                raise Unavailable("away")
            await asyncio.sleep(0.02)
            self.ended += 1

    store = Slow()
    cycle = Cycle(FakeSource({}), store, FakeCemetery(), pace=AT_ONCE)
    batch = Batch(1)
    batch.add(FakeMessage(metrics()))
    batch.tables["logs_landing"] = batch.tables["metrics_landing"]
    with pytest.raises(Unavailable):
        await cycle.insert(batch)
    assert store.ended == 1


def test_the_pace_grows_with_the_cost_of_an_insert_within_bounds() -> None:
    pace = Pace(shortest=0.05, longest=0.3, factor=4.0)
    assert pace.after(0.001) == 0.05
    assert pace.after(0.02) == pytest.approx(0.08)
    assert pace.after(5.0) == 0.3
