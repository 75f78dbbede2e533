"""The sink process: cycles until it is told to stop, and keeps its place while a cycle fails.

While ClickHouse (or the broker, for dead letters) is away the batch is held and tried again, with
growing pauses, for as long as it takes. Meanwhile the partitions are paused, so memory does
not grow, and the group is polled, so that they stay ours. A poll or a commit that fails for good
ends the process: its successor begins at the last commit.
"""

import asyncio
import contextlib
import os
import random
import time
from collections.abc import Callable
from typing import Any, Final

import structlog
from aiokafka.errors import KafkaError

from runhistory.kafka.clients import open_consumer
from runhistory.kafka.log_ends import LogEnds
from runhistory.objects.store import ObjectStore
from runhistory.runtime.metrics import (
    SINK_FAILURES,
    SINK_LAG,
    SINK_SUPERSEDED,
    SINK_WATERMARK_AGE,
)
from runhistory.runtime.service import Service
from runhistory.runtime.settings import ServiceSettings, seconds
from runhistory.sink.batch import Batch
from runhistory.sink.conditions import Conditions
from runhistory.sink.cycle import Cycle
from runhistory.sink.dead_letters import Cemetery, DeadLetterTopics
from runhistory.sink.erasure import Eraser, Pace
from runhistory.sink.expiry import VARIABLE, Expirer, Retention
from runhistory.sink.group import CONSUMER_SETTINGS, GROUP, Group, Superseded, member_name
from runhistory.sink.storages import WrittenStorages
from runhistory.sink.store import Store, Unavailable

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0
KEEP_ALIVE_SECONDS: Final = 1.0
WATCH_SECONDS: Final = 3.0
TROUBLE_SECONDS: Final = 0.3
DRAIN_SECONDS: Final = 15.0

log: Any = structlog.get_logger(__name__)


class Sink:
    """Drives a cycle. Delivery: at least once, in each partition's order."""

    def __init__(
        self,
        cycle: Cycle,
        group: Group,
        store: Store,
        conditions: Conditions,
        stopping: asyncio.Event,
    ) -> None:
        self._cycle, self._group, self._store = cycle, group, store
        self._conditions, self._stopping = conditions, stopping
        self._batch: Batch | None = None

    async def run(self) -> None:
        """Cycle until told to stop; the cycle that is under way is finished.

        Raises:
            aiokafka.errors.KafkaError: the membership is lost for good.
        """
        while not self._stopping.is_set():
            self._batch = await self._cycle.poll()
            if self._batch:
                await self._land(self._batch)
            else:
                await self._group.commit_positions()
            self._batch = None

    async def watch(self) -> None:
        """Every few seconds: is Kafka there, is ClickHouse there, how far behind are we?"""
        while True:
            try:
                await self._measure_lag()
                self._conditions.hold("kafka", self._group.assigned, "no partitions assigned yet")
            except (KafkaError, TimeoutError) as error:
                self._conditions.broken("kafka", f"Kafka does not answer: {error!r}")
            try:
                await self._store.ping()
                self._conditions.mended("clickhouse")
            except Unavailable as error:
                self._conditions.broken("clickhouse", str(error))
            await asyncio.sleep(WATCH_SECONDS if self._conditions.whole else TROUBLE_SECONDS)

    async def _land(self, batch: Batch) -> None:
        pause = FIRST_PAUSE
        while batch.epoch == self._group.epoch:
            try:
                await self._cycle.bury(await self._cycle.insert(batch))
                await self._cycle.commit(batch)
            except Unavailable as error:
                SINK_FAILURES.inc()
                self._conditions.broken("store", str(error))
                if not await self._sit_out(batch, pause * random.uniform(0.5, 1.0)):
                    return
                pause = min(LONGEST_PAUSE, pause * 2)
            except Superseded:
                break
            else:
                self._stored()
                return
        SINK_SUPERSEDED.inc()
        self._stored()
        log.info("batch_superseded", epoch=batch.epoch, records=len(batch))

    async def _sit_out(self, batch: Batch, pause: float) -> bool:
        """Wait, staying in the group; False when told to stop meanwhile."""
        until = time.monotonic() + pause
        while (left := until - time.monotonic()) > 0 and batch.epoch == self._group.epoch:
            await self._group.keep_alive()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), min(left, KEEP_ALIVE_SECONDS))
                return False
        return True

    def _stored(self) -> None:
        self._group.resume()
        self._conditions.mended("store")

    async def _measure_lag(self) -> None:
        batch = self._batch
        oldest = batch.oldest_ms if batch else None
        SINK_WATERMARK_AGE.set(0 if oldest is None else max(0.0, time.time() - oldest / 1000))
        ahead = await self._group.ahead()
        SINK_LAG.clear()
        for partition, records in ahead.items():
            in_hand = batch.count(partition) if batch else 0
            SINK_LAG.labels(partition.topic, str(partition.partition)).set(records + in_hand)


async def main(
    service: Service, make_cycle: Callable[[Group, Store, Cemetery], Cycle] = Cycle
) -> None:
    """Run the sink; started again by its supervisor whenever it dies.

    `make_cycle` is where fault tests put a cycle that dies at a step of their choice.
    """
    settings = service.settings
    consumer = await open_consumer(
        settings.kafka,
        client_id="sink",
        group_id=GROUP,
        group_instance_id=member_name(settings.instance),
        **CONSUMER_SETTINGS,
    )
    group, letters = Group(consumer), DeadLetterTopics(settings.kafka)
    store = WrittenStorages(settings.clickhouse, lambda: group.assignments)
    conditions = Conditions(service.health, "kafka", "clickhouse")
    chores = [*_start_erasing(settings), *_start_expiring(settings)]
    sink = Sink(make_cycle(group, store, letters), group, store, conditions, service.stopping)
    try:
        await group.join()
        await _until_stopped(service, sink)
    finally:
        for chore in chores:
            chore.cancel()
        await asyncio.gather(*chores, return_exceptions=True)
        await group.leave()
        await letters.close()
        store.close()


def _start_expiring(settings: ServiceSettings) -> "list[asyncio.Task[None]]":
    """What lets points expire, beside the sink, where that is wanted."""
    retention = Retention.parse(os.environ.get(VARIABLE, ""))
    if retention == Retention():
        return []
    return [asyncio.create_task(Expirer(settings.clickhouse, retention).run(), name="expiry")]


def _start_erasing(settings: ServiceSettings) -> "list[asyncio.Task[None]]":
    """The eraser beside the sink, for which nobody waits; it needs the object store."""
    if settings.objects is None:
        log.warning("erasure_off", reason="RUNHISTORY_OBJECTS does not say where files are kept")
        return []
    grace = seconds(os.environ, "RUNHISTORY_ERASURE_GRACE_SECONDS", Pace().grace)
    eraser = Eraser(
        settings.clickhouse,
        LogEnds(settings.kafka, "erasure"),
        ObjectStore.open(settings.objects),
        Pace(grace=grace, look=min(Pace().look, grace)),
    )
    return [asyncio.create_task(eraser.run(), name="erasure")]


async def _until_stopped(service: Service, sink: Sink) -> None:
    """Run both halves; once told to stop, the cycle under way has DRAIN_SECONDS to finish."""
    running, watching = asyncio.create_task(sink.run()), asyncio.create_task(sink.watch())
    stopping = asyncio.create_task(service.stopping.wait())
    try:
        await asyncio.wait({running, watching, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if service.stopping.is_set():
            await asyncio.wait({running}, timeout=DRAIN_SECONDS)
        for task in (running, watching):
            if task.done():
                task.result()  # what ended it early
    finally:
        tasks: list[asyncio.Task[Any]] = [running, watching, stopping]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
