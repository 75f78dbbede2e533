"""Batches sent to run.metrics with a ledger of their points, and ClickHouse held against it.

The oracle: `runhistory.points` shows exactly the points that were produced, each once; and
every batch that was produced is in `runhistory.batches`, with as many points as it had.
"""

import asyncio
import random
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from runhistory.clickhouse.client import open_client
from runhistory.clickhouse.storages import load_storages
from runhistory.domain.ids import new_run_id
from runhistory.events import cloudevents
from runhistory.events.metric_batch import METRICS_LOGGED, MetricsLogged
from runhistory.kafka.clients import open_producer
from runhistory.sink.group import GROUP

Point = tuple[str, str, int, int, str, int, int, float]
"""run, key, step, attempt, writer, seq, index, value."""

POINTS = """
    SELECT run_id, key, step, attempt, writer, seq, index, value FROM runhistory.points
    WHERE workspace = {workspace:String}
"""
BATCHES = """
    SELECT run_id, attempt, writer, seq, points FROM runhistory.batches
    WHERE workspace = {workspace:String} AND topic = 'run.metrics'
"""


@dataclass
class SinkLedger:
    """One test's points, in a workspace of their own."""

    bootstrap: str
    clickhouse: str
    workspace: str = field(default_factory=lambda: f"w{uuid.uuid4().hex}")
    points: set[Point] = field(default_factory=set)
    batches: set[tuple[str, int, str, int, int]] = field(default_factory=set)
    ends: dict[TopicPartition, int] = field(default_factory=dict)

    async def produce(
        self, batches: int, *, runs: int = 10, size: int = 20, pause: float = 0.0
    ) -> None:
        """Append batches of `runs` runs, acknowledged; one in five is appended twice."""
        ids = [new_run_id() for _ in range(runs)]
        producer = await open_producer(self.bootstrap, client_id="ledger")
        try:
            for seq in range(batches):
                run_id = ids[seq % runs]
                value = self._batch(run_id, seq, size)
                for _ in range(2 if random.random() < 0.2 else 1):
                    await self.append(producer, run_id, value)
                await asyncio.sleep(pause)
        finally:
            await producer.stop()

    async def append(self, producer: object, run_id: str, value: bytes) -> None:
        """Append one record under our headers and remember where it ends."""
        sent = await producer.send_and_wait(  # type: ignore[attr-defined]
            "run.metrics",
            value,
            key=run_id.encode(),
            headers=cloudevents.headers(
                id=uuid.uuid4().hex,
                type=METRICS_LOGGED,
                source="ledger",
                subject=run_id,
                time=datetime.now(UTC),
            ),
        )
        partition = TopicPartition(sent.topic, sent.partition)
        self.ends[partition] = max(self.ends.get(partition, 0), sent.offset + 1)

    def _batch(self, run_id: str, seq: int, size: int) -> bytes:
        values = [random.random() for _ in range(size)]
        keys = ["train/loss", "val/acc"]
        for index, value in enumerate(values):
            self.points.add((run_id, keys[index % 2], index // 2, 1, "w", seq, index, value))
        self.batches.add((run_id, 1, "w", seq, size))
        return msgspec.json.encode(
            MetricsLogged(
                workspace=self.workspace,
                run_id=run_id,
                attempt=1,
                writer="w",
                seq=seq,
                keys=keys,
                key_index=[index % 2 + 1 for index in range(size)],
                steps=[index // 2 for index in range(size)],
                values=[*values],
                times=[1_700_000_000_000_000 + index for index in range(size)],
            )
        )

    async def wait_until_committed(self, patience: float = 180) -> None:
        """Until the group has passed everything that was produced."""
        async with asyncio.timeout(patience):
            while not await self.is_committed():
                await asyncio.sleep(0.2)

    async def is_committed(self) -> bool:
        """Whether the group has passed everything that was produced."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap, client_id="ledger")
        await admin.start()
        try:
            committed = await admin.list_consumer_group_offsets(GROUP)
        except GroupCoordinatorNotAvailableError:  # a fresh broker, and the group is its first
            return False
        finally:
            await admin.close()
        return all(
            partition in committed and committed[partition].offset >= end
            for partition, end in self.ends.items()
        )

    def check(self) -> None:
        """Hold ClickHouse against the ledger."""
        found = self._rows(POINTS)
        assert len(found) == len(set(found)), "a point is seen twice"
        assert set(found) == self.points
        assert sorted(self._rows(BATCHES)) == sorted(self.batches)

    def seen(self) -> int:
        """How many points a reader sees now."""
        return int(self._rows(f"SELECT count() FROM ({POINTS})")[0][0])

    def stored_twice(self) -> int:
        """How many stored points are repetitions that no reader sees."""
        storage = load_storages(open_client(self.clickhouse)).reading
        rows = self._rows(
            f"SELECT sum(length(steps)) FROM {storage}.points "
            "WHERE workspace = {workspace:String}"
        )
        return int(rows[0][0]) - len(self.points)

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        client = open_client(self.clickhouse)
        try:
            return [
                tuple(row)
                for row in client.query(query, parameters={"workspace": self.workspace}).result_rows
            ]
        finally:
            client.close()
