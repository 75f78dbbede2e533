"""Load samples on their way: however many wait, a batch is one that the contract allows."""

import asyncio

import msgspec
import pytest

from runhistory.events.cloudevents import Record
from runhistory.events.metric_batch import MetricBatch, MetricsLogged, check
from runhistory.worker import load
from runhistory.worker.load import SAMPLES_KEPT, LoadSampler

KEYS_OF_EIGHT_GPUS = 38


class Probe:
    """In the place of a host with eight GPUs."""

    def __init__(self) -> None:
        self.readings = 0

    def read(self) -> dict[str, float]:
        self.readings += 1
        return {f"system/gpu/{number}": 0.123456789 for number in range(KEYS_OF_EIGHT_GPUS)}


class Broker:
    """In the place of a publisher: keeps what arrives, once it is up."""

    def __init__(self) -> None:
        self.values: list[bytes] = []
        self.up = asyncio.Event()

    async def publish(self, topic: str, record: Record) -> None:
        await self.up.wait()
        self.values.append(record.value)


async def test_what_waited_for_the_broker_comes_in_batches_that_are_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(load, "FIRST_SAMPLE_SECONDS", 0)
    monkeypatch.setattr(load, "SAMPLE_SECONDS", 0)
    probe, broker = Probe(), Broker()
    seen: list[dict[str, float]] = []
    sampler = LoadSampler(
        probe,  # type: ignore[arg-type]
        broker,  # type: ignore[arg-type]
        workspace="default",
        run_id="0" * 32,
        attempt=1,
        writer="system-c",
        on_values=seen.append,
    )
    sampling = asyncio.create_task(sampler.run())
    async with asyncio.timeout(30):
        while probe.readings <= SAMPLES_KEPT:
            await asyncio.sleep(0.01)
        broker.up.set()
        while len(broker.values) < 4:
            await asyncio.sleep(0.01)
    sampling.cancel()
    await asyncio.gather(sampling, return_exceptions=True)
    batches = []
    for value in broker.values:
        fields = msgspec.json.decode(value)
        check(msgspec.json.encode({name: fields[name] for name in MetricBatch.__struct_fields__}))
        batches.append(msgspec.json.decode(value, type=MetricsLogged))
    assert [batch.seq for batch in batches] == list(range(len(batches)))
    steps = [step for batch in batches for step in batch.steps]
    assert steps == sorted(steps)
    assert len(steps) >= SAMPLES_KEPT * KEYS_OF_EIGHT_GPUS
