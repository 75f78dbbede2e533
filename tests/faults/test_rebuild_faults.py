"""A rebuild killed at every step, under load: readers always see everything, each once.

Oracles: the ledger of what was acknowledged; the digests of what readers see now and of a second
rebuild from the log; and a reader that looks all the while, for whom a count never goes down.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from runhistory.clickhouse.client import open_client
from runhistory.clickhouse.storages import Storages, load_storages
from runhistory.sink.rebuild import Outcome, Rebuild, Wish
from tests.conftest import Broker, Engine
from tests.support.dying_rebuild import MOMENTS
from tests.support.service_process import ServiceProcess, free_port
from tests.support.sink_ledger import SinkLedger

pytestmark = pytest.mark.infrastructure

ROOT = Path(__file__).parents[2]
FULL = bool(os.environ.get("RUNHISTORY_FAULTS_FULL"))
FEW = ("read half", "compare half", "views half", "drop")


@pytest.fixture(scope="module")
def sink(
    broker: Broker, engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServiceProcess]:
    with _sink(broker, engine, tmp_path_factory.mktemp("sink") / "sink.log") as sink:
        sink.wait_ready()
        yield sink


@pytest.mark.timeout(1_800 if FULL else 600)
async def test_killed_at_one_step_after_the_other_it_goes_on_and_nothing_is_lost(
    broker: Broker, engine: Engine, sink: ServiceProcess
) -> None:
    """Each rebuild goes on where the one before was killed; the last one is let live."""
    ledger, before = SinkLedger(broker.bootstrap, engine.url), _reading(engine)
    await ledger.produce(40)
    async with _load(ledger), _looking(ledger):
        for moment in MOMENTS if FULL else FEW:
            print(moment, flush=True)
            died = await asyncio.to_thread(_die_at, moment, broker, engine)
            assert died.returncode == -9, f"{moment}: {died.stdout.decode()}"
        assert _reading(engine) != before, "killed after the switch, it has switched"
        outcome = await _rebuild(broker, engine)  # what is left to do of the one that was killed
        assert outcome.done == "switched"
        outcome = await _rebuild(broker, engine)
    assert outcome.done == "switched"
    assert [table.table for table in outcome.tables if not table.same] == []
    await ledger.wait_until_committed()
    ledger.check()
    assert _storage_databases(engine) == {_reading(engine)}
    assert load_storages(open_client(engine.url)).writing == (_reading(engine),)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("moment", ["join done", "views half"])
async def a_rebuild_frozen_while_another_does_it_wakes_and_harms_nothing(
    moment: str, broker: Broker, engine: Engine, sink: ServiceProcess
) -> None:
    ledger, before = SinkLedger(broker.bootstrap, engine.url), _reading(engine)
    await ledger.produce(20)
    async with _load(ledger), _looking(ledger):
        frozen = await asyncio.to_thread(_freeze_at, moment, broker, engine)
        try:
            assert (await _rebuild(broker, engine)).done == "switched"
            after = _reading(engine)
            assert after != before
            frozen.send_signal(signal.SIGCONT)
            assert await asyncio.to_thread(frozen.wait, 120) != 0
        finally:
            frozen.kill()
            frozen.wait()
    assert load_storages(open_client(engine.url)) == Storages(after, (after,))
    await ledger.produce(20)
    await ledger.wait_until_committed()
    ledger.check()


if FULL:
    test_a_rebuild_frozen_while_another_does_it_wakes_and_harms_nothing = (
        a_rebuild_frozen_while_another_does_it_wakes_and_harms_nothing
    )


async def test_without_a_kill_check_tells_that_all_is_equal_and_leaves_nothing(
    broker: Broker, engine: Engine, sink: ServiceProcess
) -> None:
    ledger, before = SinkLedger(broker.bootstrap, engine.url), _reading(engine)
    await ledger.produce(100)
    async with _load(ledger):
        outcome = await _rebuild(broker, engine, "check")
    assert outcome.done == "checked"
    assert outcome.tables
    assert all(table.same for table in outcome.tables)
    assert _storage_databases(engine) == {before} == {_reading(engine)}


async def test_a_sink_frozen_through_the_hand_over_loses_nothing(
    broker: Broker, engine: Engine, sink: ServiceProcess, tmp_path: Path
) -> None:
    """It has inserted into the old storage alone, and wakes when there is another.

    The file's last: nobody else has to wait until the other's session is over, too.
    """
    ledger = SinkLedger(broker.bootstrap, engine.url)
    with _sink(broker, engine, tmp_path / "other.log", "other") as other:
        other.wait_ready()
        async with _load(ledger), _looking(ledger):
            await asyncio.sleep(1)
            sink.freeze()
            outcome = await _rebuild(broker, engine)
            sink.thaw()
        assert outcome.done == "switched"
        await ledger.wait_until_committed()
    ledger.check()
    sink.wait_ready()


def _sink(broker: Broker, engine: Engine, log: Path, instance: str = "faults") -> ServiceProcess:
    return ServiceProcess(
        "sink",
        log,
        RUNHISTORY_KAFKA=broker.bootstrap,
        RUNHISTORY_CLICKHOUSE=engine.url,
        RUNHISTORY_INSTANCE=instance,
    )


def _die_at(moment: str, broker: Broker, engine: Engine) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        _dying(moment),
        cwd=ROOT,
        env=_environment(broker, engine),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=300,
    )


def _freeze_at(moment: str, broker: Broker, engine: Engine) -> "subprocess.Popen[bytes]":
    """A rebuild that stands still at a moment."""
    process = subprocess.Popen(_dying(moment, "STOP"), cwd=ROOT, env=_environment(broker, engine))
    os.waitpid(process.pid, os.WUNTRACED)
    return process


def _dying(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tests.support.dying_rebuild", *arguments]


def _environment(broker: Broker, engine: Engine) -> dict[str, str]:
    return {
        **os.environ,
        "RUNHISTORY_KAFKA": broker.bootstrap,
        "RUNHISTORY_CLICKHOUSE": engine.url,
        "RUNHISTORY_PORT": str(free_port()),
    }


async def _rebuild(broker: Broker, engine: Engine, wish: Wish = "switch") -> Outcome:
    return await Rebuild(broker.bootstrap, engine.url, lambda *_: None).run(wish)


@contextlib.asynccontextmanager
async def _load(ledger: SinkLedger) -> AsyncIterator[None]:
    """Batches come all the while."""
    stop = asyncio.Event()

    async def produce() -> None:
        while not stop.is_set():
            await ledger.produce(5, runs=4)
            await asyncio.sleep(0.5)

    producing = asyncio.create_task(produce())
    try:
        yield
    finally:
        stop.set()
        await producing


@contextlib.asynccontextmanager
async def _looking(ledger: SinkLedger) -> AsyncIterator[None]:
    """Somebody reads all the while: what was seen once is never gone."""
    stop = asyncio.Event()

    async def look() -> None:
        most = 0
        while not stop.is_set():
            seen = await asyncio.to_thread(ledger.seen)
            assert seen >= most, "points that readers had seen are gone"
            most = seen
            await asyncio.sleep(0.2)

    looking = asyncio.create_task(look())
    try:
        yield
    finally:
        stop.set()
        await looking


def _reading(engine: Engine) -> str:
    return load_storages(open_client(engine.url)).reading


def _storage_databases(engine: Engine) -> set[str]:
    rows = open_client(engine.url).query(
        "SELECT name FROM system.databases WHERE name LIKE 'projection%'"
    )
    return {str(name) for (name,) in rows.result_rows}
