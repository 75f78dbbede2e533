"""The load of the host, of a script's processes and of its GPUs, as points under `system/`.

A sample every 5 s; its step is its number. Samples that the broker cannot take yet wait for it in
memory, the oldest of many are let go (an hour's worth stays).
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import psutil
import structlog

from runhistory.events import cloudevents
from runhistory.events.cloudevents import Record
from runhistory.events.metric_batch import MAX_POINTS, METRICS_LOGGED, MetricBatch, splice
from runhistory.kafka.publisher import Publisher
from runhistory.runtime.gpus import GpuProbe

METRICS_TOPIC: Final = "run.metrics"
SAMPLE_SECONDS: Final = 5.0
FIRST_SAMPLE_SECONDS: Final = 1.0
SAMPLES_KEPT: Final = 720
LAST_SEND_SECONDS: Final = 2.0

log: Any = structlog.get_logger(__name__)


class Sample(msgspec.Struct, frozen=True):
    """All values at one time (µs since 1970)."""

    step: int
    time: int
    values: dict[str, float]


class LoadProbe:
    """Reads the load of this host, of the tree of processes under `pid`, and of `gpus`.

    CPU percents are of one core since the last reading: 200 means two cores kept busy.
    The host's is of all cores together.
    """

    def __init__(self, pid: int, probe: GpuProbe, gpus: tuple[str, ...]) -> None:
        self._pid, self._probe, self._gpus = pid, probe, gpus
        self._cpu_seconds: dict[psutil.Process, float] = {}
        self._read_at = time.monotonic()
        psutil.cpu_percent()

    def read(self) -> dict[str, float]:
        """The values now, by key."""
        memory = psutil.virtual_memory()
        values = {
            "system/cpu_percent": psutil.cpu_percent(),
            "system/memory_used_bytes": float(memory.total - memory.available),
            "system/memory_percent": memory.percent,
        }
        values.update(self._read_processes())
        for index, uuid in enumerate(self._gpus):
            found = msgspec.structs.asdict(self._probe.load(uuid))
            values.update({f"system/gpu/{index}/{k}": v for k, v in found.items() if v is not None})
        return values

    def _read_processes(self) -> dict[str, float]:
        now, resident = time.monotonic(), 0
        before, self._cpu_seconds = self._cpu_seconds, {}
        with contextlib.suppress(psutil.NoSuchProcess):
            for process in psutil.Process(self._pid).children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                    times = process.cpu_times()
                    self._cpu_seconds[process] = times.user + times.system
                    resident += process.memory_info().rss
        spent = sum(s - before.get(process, 0.0) for process, s in self._cpu_seconds.items())
        elapsed, self._read_at = max(now - self._read_at, 1e-3), now
        return {
            "system/process/cpu_percent": max(0.0, 100 * spent / elapsed),
            "system/process/memory_rss_bytes": float(resident),
            "system/process/count": float(len(self._cpu_seconds)),
        }


class LoadSampler:
    """Samples until it is cancelled. A writer of the attempt like any other."""

    def __init__(
        self,
        probe: LoadProbe,
        publisher: Publisher,
        *,
        workspace: str,
        run_id: str,
        attempt: int,
        writer: str,
        on_values: Callable[[dict[str, float]], None],
    ) -> None:
        """`on_values` is shown each sample's values by key."""
        self._probe, self._publisher, self._on_values = probe, publisher, on_values
        self._workspace, self._run_id, self._attempt = workspace, run_id, attempt
        self._writer, self._seq, self._step = writer, 0, 0
        self._waiting: deque[Sample] = deque(maxlen=SAMPLES_KEPT)

    async def run(self) -> None:
        """Sample and send; sending never delays the next sample."""
        sending: asyncio.Task[None] | None = None
        await asyncio.sleep(FIRST_SAMPLE_SECONDS)
        try:
            while True:
                values = await asyncio.to_thread(self._probe.read)
                self._on_values(values)
                self._waiting.append(Sample(self._step, time.time_ns() // 1_000, values))
                self._step += 1
                if sending is None or sending.done():
                    sending = asyncio.create_task(self._send())
                await asyncio.sleep(SAMPLE_SECONDS)
        finally:
            if sending is not None:
                await asyncio.wait({sending}, timeout=LAST_SEND_SECONDS)
                sending.cancel()

    async def _send(self) -> None:
        while self._waiting:
            await self._send_batch(take_a_batch(self._waiting))

    async def _send_batch(self, samples: list[Sample]) -> None:
        body = msgspec.json.encode(batch_of(samples, self._writer, self._seq))
        value = splice(body, workspace=self._workspace, run_id=self._run_id, attempt=self._attempt)
        headers = cloudevents.headers(
            id=f"{self._run_id}:{self._writer}:{self._seq}",
            type=METRICS_LOGGED,
            source="runhistory/worker",
            subject=self._run_id,
            time=datetime.now(UTC),
        )
        self._seq += 1
        await self._publisher.publish(METRICS_TOPIC, Record(self._run_id.encode(), headers, value))


def take_a_batch(waiting: deque[Sample]) -> list[Sample]:
    """Take the oldest samples, as many as one batch may hold the points of, and at least one."""
    samples = [waiting.popleft()]
    points = len(samples[0].values)
    while waiting and (points := points + len(waiting[0].values)) <= MAX_POINTS:
        samples.append(waiting.popleft())
    return samples


def batch_of(samples: list[Sample], writer: str, seq: int) -> MetricBatch:
    """The columns for `samples`, in their order."""
    keys = sorted({key for sample in samples for key in sample.values})
    number = {key: index for index, key in enumerate(keys, start=1)}
    points = [(key, value, s) for s in samples for key, value in s.values.items()]
    return MetricBatch(
        writer=writer,
        seq=seq,
        keys=keys,
        key_index=[number[key] for key, _, _ in points],
        steps=[sample.step for _, _, sample in points],
        values=[value for _, value, _ in points],
        times=[sample.time for _, _, sample in points],
    )
