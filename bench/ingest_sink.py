"""How many points a second Kafka -> sink -> ClickHouse takes, and what they cost.

    python bench/ingest_sink.py [--points 4000000] [--batch 1000] [--keys 10]

Starts a broker and an engine of its own in a temporary folder, fills run.metrics first (that is
not measured), then starts one sink and waits until its group has passed the last record. So it
measures the sink at its fastest, with a full backlog; every view and rollup of the schema is
written. CPU seconds are those of the sink's and the engine's processes, from start to end of
the backlog (the sink's start, about 0.5 s, is in them; the broker's are given beside them).
Numbers of a shared machine are noisy: compare ratios.
"""

import argparse
import asyncio
import contextlib
import random
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import psutil
from aiokafka import TopicPartition

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from runhistory.clickhouse.client import open_client  # noqa: E402
from runhistory.clickhouse.migrations import migrate  # noqa: E402
from runhistory.domain.ids import new_run_id  # noqa: E402
from runhistory.events import cloudevents  # noqa: E402
from runhistory.events.metric_batch import METRICS_LOGGED, MetricsLogged  # noqa: E402
from runhistory.kafka.clients import open_producer  # noqa: E402
from runhistory.kafka.topics import ensure_topics  # noqa: E402
from runhistory.stack.kafka_broker import KafkaBroker, command, prepare  # noqa: E402
from runhistory.stack.kafka_jars import ensure_jars  # noqa: E402
from tests.support.service_process import ServiceProcess, free_port  # noqa: E402
from tests.support.sink_ledger import SinkLedger  # noqa: E402

RUNS = 16


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=4_000_000)
    parser.add_argument("--batch", type=int, default=1_000, help="points in one record")
    parser.add_argument("--keys", type=int, default=10, help="metric names of a run")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, _servers(Path(directory)) as servers:
        asyncio.run(_measure(servers, options))


@dataclass(frozen=True)
class _Servers:
    """A broker and an engine that are running."""

    directory: Path
    bootstrap: str
    url: str
    broker: int
    engine: int


@contextlib.contextmanager
def _servers(directory: Path) -> Iterator[_Servers]:
    jars, port = ensure_jars(), free_port()
    kafka = KafkaBroker(directory / "kafka", free_port(), free_port())
    prepare(kafka, jars)
    engine_command = [sys.executable, "-m", "runhistory.stack.engine"]
    engine_command += ["--data", str(directory / "engine"), "--port", str(port)]
    with (directory / "log").open("wb") as log:
        broker = subprocess.Popen(command(kafka, jars), cwd=kafka.directory, stdout=log, stderr=log)
        engine = subprocess.Popen(engine_command, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        yield _Servers(directory, kafka.bootstrap, url, broker.pid, engine.pid)
    finally:
        for process in (engine, broker):
            process.kill()
            process.wait()


async def _measure(servers: _Servers, options: argparse.Namespace) -> None:
    await _until_ready(servers.bootstrap, servers.url)
    ledger = SinkLedger(servers.bootstrap, servers.url)
    size = await _fill(ledger, options)
    await _drain(ledger, options, size, servers)


async def _until_ready(bootstrap: str, url: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            await ensure_topics(bootstrap)
            migrate(url)
            return
        except Exception:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.5)


async def _fill(ledger: SinkLedger, options: argparse.Namespace) -> int:
    """Append the points; returns the records' bytes."""
    runs = [new_run_id() for _ in range(RUNS)]
    producer = await open_producer(
        ledger.bootstrap, client_id="bench", compression="zstd", linger_ms=20
    )
    total = 0
    pending: list[asyncio.Future[Any]] = []
    for number in range(options.points // options.batch):
        run_id, seq = runs[number % RUNS], number // RUNS
        value = _batch(ledger.workspace, run_id, seq, options)
        total += len(value)
        headers = cloudevents.headers(
            id=uuid.uuid4().hex,
            type=METRICS_LOGGED,
            source="bench",
            subject=run_id,
            time=datetime.now(UTC),
        )
        pending.append(
            await producer.send("run.metrics", value, key=run_id.encode(), headers=headers)
        )
    for sent in await asyncio.gather(*pending):
        partition = TopicPartition(sent.topic, sent.partition)
        ledger.ends[partition] = max(ledger.ends.get(partition, 0), sent.offset + 1)
    await producer.stop()
    return total


def _batch(workspace: str, run_id: str, seq: int, options: argparse.Namespace) -> bytes:
    size, keys = options.batch, options.keys
    start = 1_700_000_000_000_000 + seq * size * 100
    return msgspec.json.encode(
        MetricsLogged(
            workspace=workspace,
            run_id=run_id,
            attempt=1,
            writer="rank-0",
            seq=seq,
            keys=[f"train/metric_{key}" for key in range(keys)],
            key_index=[index % keys + 1 for index in range(size)],
            steps=[(seq * size + index) // keys for index in range(size)],
            values=[random.random() for _ in range(size)],
            times=[start + index * 100 for index in range(size)],
        )
    )


async def _drain(
    ledger: SinkLedger, options: argparse.Namespace, size: int, servers: _Servers
) -> None:
    before = {pid: _cpu(pid) for pid in (servers.engine, servers.broker)}
    sink = ServiceProcess(
        "sink",
        servers.directory / "sink.log",
        RUNHISTORY_KAFKA=servers.bootstrap,
        RUNHISTORY_CLICKHOUSE=servers.url,
    )
    started = time.monotonic()
    with sink:
        await ledger.wait_until_committed(600)
        seconds = time.monotonic() - started
        used = {
            "sink": _cpu(sink.process.pid),
            "engine": _cpu(servers.engine) - before[servers.engine],
            "broker": _cpu(servers.broker) - before[servers.broker],
        }
    client = open_client(ledger.clickhouse)
    seen = client.query(
        "SELECT count() FROM runhistory.points WHERE workspace = {w:String}",
        parameters={"w": ledger.workspace},
    ).result_rows[0][0]
    client.close()
    points = options.points // options.batch * options.batch
    assert seen == points, f"{seen} of {points} points are visible"
    print(f"{points:,} points, {size / points:.1f} bytes each, {options.batch} a record")
    print(f"{points / seconds:,.0f} points/s visible ({seconds:.1f} s)")
    for name, cpu in used.items():
        print(f"{name:>8}: {cpu / points * 1e6:.2f} CPU-s a million points")


def _cpu(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    main()
