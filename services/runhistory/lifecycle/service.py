"""The lifecycle process: a member of the group `lifecycle`, with a processor for each partition.

A rebalance only says which partitions are ours; whose writes count is settled by fencing (see
processor.py). So nothing has to be right at the moment of a rebalance, and a member that was
frozen through several of them does no harm when it wakes.
"""

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, ProducerFenced

from runhistory.kafka.clients import close, open_consumer
from runhistory.kafka.commands import COMMANDS_TOPIC
from runhistory.lifecycle.memory import PartitionMemory
from runhistory.lifecycle.processor import GROUP, Processor
from runhistory.runtime.metrics import LIFECYCLE_ABORTS
from runhistory.runtime.service import Service

if TYPE_CHECKING:
    KafkaRecord = ConsumerRecord[bytes, bytes]

BATCH: Final = 100
"""So many commands of a partition are decided in one transaction."""

log: Any = structlog.get_logger(__name__)


class Lifecycle(ConsumerRebalanceListener):
    """Runs the processors of the partitions that are ours now."""

    def __init__(self, service: Service) -> None:
        self._service, self._settings = service, service.settings
        self._processors: dict[int, Processor] = {}
        self._memories: dict[int, PartitionMemory] = {}
        self._consumer: AIOKafkaConsumer

    async def run(self) -> None:
        """Until the service stops."""
        self._consumer = await open_consumer(
            self._settings.kafka,
            client_id="lifecycle",
            group_id=GROUP,
            group_instance_id=self._settings.instance,
            max_poll_records=BATCH * 8,
            fetch_max_wait_ms=500,
        )
        self._consumer.subscribe([COMMANDS_TOPIC], listener=self)
        try:
            while not self._service.stopping.is_set():
                await self._turn()
        finally:
            await close(self._consumer)
            await self._close(list(self._processors))

    async def _turn(self) -> None:
        found = await self._consumer.getmany(timeout_ms=200)
        ours = {partition.partition for partition in self._consumer.assignment()}
        await self._close(set(self._processors) - ours)
        opened = await self._open(ours - set(self._processors))
        await asyncio.gather(
            *(
                self._process(partition.partition, records)
                for partition, records in found.items()
                if partition.partition in self._processors and partition.partition not in opened
            )
        )
        if ours and ours == set(self._processors):
            self._service.health.ready()

    async def _open(self, numbers: set[int]) -> set[int]:
        """Open processors; what was fetched for them before they fenced does not count."""
        await asyncio.gather(*(self._open_one(number) for number in numbers))
        return numbers

    async def _open_one(self, number: int) -> None:
        memory = self._memories.setdefault(
            number, PartitionMemory(self._settings.clickhouse, number)
        )
        try:
            processor = await Processor.open(self._settings.kafka, number, memory)
        except KafkaError as error:
            self._service.health.not_ready(f"partition {number}: {error!r}")
            log.warning("processor_not_opened", partition=number, error=repr(error))
            return
        self._processors[number] = processor
        try:
            processor.position = await self._rewind(number)
        except KafkaError as error:
            log.warning("processor_not_opened", partition=number, error=repr(error))
            await self._close([number])

    async def _rewind(self, number: int) -> int:
        """Go on from the committed offset as it is now, after the fence."""
        partition = TopicPartition(COMMANDS_TOPIC, number)
        committed: int | None = await self._consumer.committed(partition)
        if committed is None:
            beginnings: dict[TopicPartition, int] = await self._consumer.beginning_offsets(
                [partition]
            )
            committed = beginnings[partition]
        if partition in self._consumer.assignment():
            self._consumer.seek(partition, committed)
        return committed

    async def _process(self, number: int, records: list["KafkaRecord"]) -> None:
        for start in range(0, len(records), BATCH):
            try:
                await self._processors[number].process(records[start : start + BATCH])
            except KafkaError as error:
                reason = "fenced" if isinstance(error, ProducerFenced) else type(error).__name__
                LIFECYCLE_ABORTS.labels(reason).inc()
                log.warning("transaction_given_up", partition=number, error=repr(error))
                await self._close([number])
                return

    async def _close(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            await self._processors.pop(number).close()

    async def on_partitions_revoked(self, revoked: list[TopicPartition]) -> None:
        """Nothing to hand over: the next owner fences us."""

    async def on_partitions_assigned(self, assigned: list[TopicPartition]) -> None:
        """Processors are opened between two polls, so that a rebalance is not held up."""
        log.info("partitions_assigned", partitions=sorted(one.partition for one in assigned))


async def main(service: Service) -> None:
    """Run the lifecycle; started again by its supervisor whenever it dies."""
    await Lifecycle(service).run()
