"""The ledger's batches appended to Kafka itself, as a gateway would append them."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from runhistory.domain.ids import new_run_id
from runhistory.events import cloudevents
from runhistory.events.metric_batch import METRICS_LOGGED
from runhistory.kafka.clients import open_producer
from runhistory.kafka.topics import place_of
from tests.conftest import Broker, Engine
from tests.support.fault_ledger import FaultLedger, Name, content
from tests.support.fault_oracle import World


class FaultRecords:
    """One test's workspace, runs and ledger. Each run's batches are in another partition."""

    def __init__(self, broker: Broker, engine: Engine, ledger: Path, runs: int = 2) -> None:
        self.world = World(
            bootstrap=broker.bootstrap,
            clickhouse=engine.url,
            workspace=f"w{uuid.uuid4().hex}",
            run_ids=tuple(map(_run_in, range(runs))),
        )
        self.ledger = FaultLedger(ledger)
        self._next = 0

    async def append(self, batches: int) -> list[Name]:
        """So many batches of each run; Kafka's acknowledgement is what counts."""
        seqs = range(self._next, self._next + batches)
        self._next += batches
        names = [Name(run_id, "w", seq) for seq in seqs for run_id in self.world.run_ids]
        for name in names:
            self.ledger.write("sent", name)
        await self.send([self.value(name) for name in names], [name.run_id for name in names])
        for name in names:
            self.ledger.write("acked", name)
        return names

    def value(self, name: Name, **changes: Any) -> bytes:
        """A batch as it lies in run.metrics."""
        head = {"workspace": self.world.workspace, "run_id": name.run_id, "attempt": 1}
        return orjson.dumps({**head, **content(name), **changes})

    async def send(self, values: Sequence[bytes], run_ids: Sequence[str]) -> None:
        """Append records, acknowledged."""
        producer = await open_producer(self.world.bootstrap, client_id="faults")
        try:
            for run_id, value in zip(run_ids, values, strict=True):
                headers = cloudevents.headers(
                    id=uuid.uuid4().hex,
                    type=METRICS_LOGGED,
                    source="faults",
                    subject=run_id,
                    time=datetime.now(UTC),
                )
                await producer.send_and_wait(
                    "run.metrics", value, key=run_id.encode(), headers=headers
                )
        finally:
            await producer.stop()


def _run_in(partition: int) -> str:
    """A fresh run whose batches lie in that partition."""
    while place_of("run.metrics", run_id := new_run_id()).partition != partition:
        pass
    return run_id
