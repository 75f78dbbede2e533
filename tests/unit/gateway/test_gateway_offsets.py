"""The sink's offsets, asked of a Kafka whose group coordinator moves."""

from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndMetadata

from runhistory.events.codec import Watermark
from runhistory.gateway import watermarks
from runhistory.gateway.watermarks import NotYetVisible, Watermarks

PLACE = TopicPartition("run.events", 0)


class MovingCoordinator:
    """Kafka's admin client before brokers of which one knows the group: `coordinator`."""

    def __init__(self) -> None:
        self.coordinator = 1
        self.offset = 5

    async def start(self) -> None:
        """Nothing to connect to."""

    async def close(self) -> None:
        """Nothing to close."""

    async def find_coordinator(self, group: str) -> int:
        return self.coordinator

    async def list_consumer_group_offsets(
        self, group: str, node: int, places: list[TopicPartition] | None
    ) -> dict[Any, Any]:
        """As the library does: another broker's NOT_COORDINATOR becomes an empty answer, and a
        partition that is asked for and has no offset -1."""
        self.asked = places
        if node != self.coordinator:
            return {}
        offsets = {PLACE: self.offset}
        return {one: OffsetAndMetadata(offsets.get(one, -1), "") for one in places or offsets}


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> MovingCoordinator:
    kafka = MovingCoordinator()
    monkeypatch.setattr(watermarks, "AIOKafkaAdminClient", lambda **_: kafka)
    return kafka


async def test_a_coordinator_that_moved_is_looked_for_again(kafka: MovingCoordinator) -> None:
    known = Watermarks("nowhere", "test")
    await known.wait([Watermark("run.events", 0, 4)], seconds=5)
    kafka.coordinator, kafka.offset = 2, 9
    await known.wait([Watermark("run.events", 0, 8)], seconds=5)


async def test_an_empty_answer_takes_nothing_back(kafka: MovingCoordinator) -> None:
    known = Watermarks("nowhere", "test")
    await known.wait([Watermark("run.events", 0, 4)], seconds=5)
    kafka.coordinator = 2
    await known.ask()
    assert known.has_passed(Watermark("run.events", 0, 4))
    with pytest.raises(NotYetVisible):
        await known.wait([Watermark("run.events", 0, 5)], seconds=0.2)


async def test_kafka_is_asked_of_the_partitions_that_somebody_waits_for(
    kafka: MovingCoordinator,
) -> None:
    known = Watermarks("nowhere", "test")
    await known.wait([Watermark("run.events", 0, 4)], seconds=5)
    assert kafka.asked == [PLACE]
    with pytest.raises(NotYetVisible):
        await known.wait([Watermark("run.events", 3, 0)], seconds=0.1)
    assert kafka.asked == [TopicPartition("run.events", 3)]
    await known.ask()
    assert kafka.asked is None, "all of them, when nobody waits"
