"""The sink killed, frozen, doubled and cut off: what is stored is what was produced, once."""

import asyncio
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from runhistory.clickhouse.migrations import migrate
from runhistory.domain.ids import new_run_id
from runhistory.kafka.clients import open_producer
from tests.conftest import Broker, Engine
from tests.support.dead_letters import dead_letters
from tests.support.dying_sink import STEPS
from tests.support.readiness import reason_not_ready
from tests.support.service_process import ServiceProcess, free_port
from tests.support.sink_ledger import SinkLedger
from tests.support.sink_world import metrics

pytestmark = pytest.mark.infrastructure

ROOT = Path(__file__).parents[2]
AWAY_SECONDS = 120 if os.environ.get("RUNHISTORY_FAULTS_FULL") else 1


def a_sink(broker: Broker, clickhouse: str, log: Path, instance: str = "faults") -> ServiceProcess:
    return ServiceProcess(
        "sink",
        log,
        RUNHISTORY_KAFKA=broker.bootstrap,
        RUNHISTORY_CLICKHOUSE=clickhouse,
        RUNHISTORY_INSTANCE=instance,
    )


@pytest.mark.parametrize("step", STEPS)
async def test_killed_at_any_step_it_stores_everything_once(
    step: str, broker: Broker, engine: Engine, tmp_path: Path
) -> None:
    ledger = SinkLedger(broker.bootstrap, engine.url)
    await ledger.produce(60)
    died = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tests.support.dying_sink", step],
        cwd=ROOT,
        env={
            **os.environ,
            "RUNHISTORY_KAFKA": broker.bootstrap,
            "RUNHISTORY_CLICKHOUSE": engine.url,
            "RUNHISTORY_INSTANCE": "faults",
            "RUNHISTORY_PORT": str(free_port()),
        },
        capture_output=True,
        timeout=60,
    )
    assert died.returncode == -9, died.stdout.decode()
    if step in ("insert", "bury"):  # the fault struck: stored, and not committed
        assert ledger.seen() > 0
        assert not await ledger.is_committed()
    with a_sink(broker, engine.url, tmp_path / "sink.log"):
        await ledger.wait_until_committed()
    ledger.check()


async def test_killed_again_and_again_while_points_arrive(
    broker: Broker, engine: Engine, tmp_path: Path
) -> None:
    ledger = SinkLedger(broker.bootstrap, engine.url)
    producing = asyncio.create_task(ledger.produce(400, pause=0.02))
    sink = a_sink(broker, engine.url, tmp_path / "sink.log")
    with sink:
        for life in range(6):
            sink.wait_ready()
            await asyncio.sleep(0.05 + 0.13 * life)
            sink.kill()
            sink.start()
        await producing
        await ledger.wait_until_committed()
    ledger.check()


async def test_an_engine_that_was_killed_and_comes_back_has_everything(
    broker: Broker, tmp_path: Path
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    ledger = SinkLedger(broker.bootstrap, url)
    with _OwnEngine(tmp_path, port) as own, a_sink(broker, url, tmp_path / "sink.log") as sink:
        sink.wait_ready()
        producing = asyncio.create_task(ledger.produce(300, pause=0.01))
        await asyncio.sleep(0.5)
        for seconds in (1, AWAY_SECONDS):
            own.kill()
            assert "ClickHouse" in await reason_not_ready(sink)
            await ledger.produce(20)
            await asyncio.sleep(seconds)
            assert not await ledger.is_committed(), "there is a lag to catch up with"
            own.start()
        await producing
        await ledger.wait_until_committed()
        sink.wait_ready()
        ledger.check()


POISON = {
    "a number below zero": metrics().replace(b'"seq":0', b'"seq":-1'),
    "a word for a number": metrics().replace(b'"steps":[0,1]', b'"steps":[0,"x"]'),
    "columns that differ": metrics().replace(b'"steps":[0,1]', b'"steps":[0]'),
    "a key that is not there": metrics().replace(b'"key_index":[1,1]', b'"key_index":[1,2]'),
    "a key number zero": metrics().replace(b'"key_index":[1,1]', b'"key_index":[0,1]'),
    "no run": metrics().replace(b'"run_id"', b'"run"'),
    "no steps": metrics().replace(b'"steps"', b'"step"'),
    "no number of the batch": metrics().replace(b'"seq"', b'"sequence"'),
    "a name twice": metrics().replace(b'"seq":0', b'"seq":0,"seq":1'),
    "two objects": metrics() + metrics(),
    "an empty object": b"{}",
    "an array in braces": b'{"a",1}',
    "cut off, and closed": metrics()[:-20] + b"}",
    "a missing value": metrics().replace(b"[0.5,0.5]", b"[0.5,null]"),
}


async def test_poison_between_good_ones_is_buried_and_all_else_is_stored(
    broker: Broker, engine: Engine, tmp_path: Path
) -> None:
    ledger = SinkLedger(broker.bootstrap, engine.url)
    before = await dead_letters(broker.bootstrap)
    producer = await open_producer(broker.bootstrap, client_id="test")
    try:
        for value in POISON.values():
            await ledger.produce(2, runs=2)
            await ledger.append(producer, new_run_id(), value)
        await ledger.produce(2)
    finally:
        await producer.stop()
    with a_sink(broker, engine.url, tmp_path / "sink.log") as sink:
        await ledger.wait_until_committed()
        assert sink.stop() == 0
    names = {value: name for name, value in POISON.items()}
    buried = [names[value] for value in (await dead_letters(broker.bootstrap))[len(before) :]]
    assert sorted(buried) == sorted(POISON)
    ledger.check()


async def test_told_to_stop_it_ends_in_order_and_its_successor_begins_at_once(
    broker: Broker, engine: Engine, tmp_path: Path
) -> None:
    ledger = SinkLedger(broker.bootstrap, engine.url)
    producing = asyncio.create_task(ledger.produce(500, pause=0.005))
    sink = a_sink(broker, engine.url, tmp_path / "sink.log")
    with sink:
        sink.wait_ready()
        await asyncio.sleep(0.5)
        assert await asyncio.to_thread(sink.stop) == 0
        await producing
        sink.start()
        await ledger.wait_until_committed(20)
    ledger.check()
    assert ledger.stored_twice() <= len(ledger.points) * 0.3, "only what the producer sent twice"


async def test_a_sink_that_was_frozen_past_its_session_and_wakes_harms_nothing(
    broker: Broker, engine: Engine, tmp_path: Path
) -> None:
    """The file's last: nobody else has to wait until the sessions of both are over, too."""
    ledger = SinkLedger(broker.bootstrap, engine.url)
    zombie = a_sink(broker, engine.url, tmp_path / "zombie.log", "zombie")
    other = a_sink(broker, engine.url, tmp_path / "other.log", "other")
    with zombie, other:
        for sink in (zombie, other):
            sink.wait_ready()
        producing = asyncio.create_task(ledger.produce(300, pause=0.02))
        await asyncio.sleep(1.0)
        zombie.freeze()
        await producing
        await ledger.wait_until_committed()  # by the other, once the zombie's session is over
        ledger.check()
        zombie.thaw()
        await ledger.produce(100)
        await ledger.wait_until_committed()
        for sink in (zombie, other):
            sink.wait_ready()
        ledger.check()


class _OwnEngine:
    """An engine that a test may kill. Its port and its data stay."""

    def __init__(self, directory: Path, port: int) -> None:
        self._command = [sys.executable, "-m", "runhistory.stack.engine"]
        self._command += ["--data", str(directory / "engine"), "--port", str(port)]
        self._url, self._log = f"http://127.0.0.1:{port}", directory / "engine.log"

    def start(self) -> None:
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(self._command, stdout=output, stderr=output)
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"{self._url}/ping", timeout=2):
                    return
            except OSError:
                assert time.monotonic() < deadline, self._log.read_text()
                time.sleep(0.05)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> "_OwnEngine":
        self.start()
        migrate(self._url)
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
