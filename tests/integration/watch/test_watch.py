"""The watch process on a real broker: silence, life, loss, and watchers that come and go."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import psutil
import pytest

from runhistory.domain.events import RunFailed, RunNotResponding, RunResponded, RunWarned
from runhistory.domain.ids import new_run_id
from tests.conftest import Broker
from tests.support.service_process import ServiceProcess, free_port
from tests.support.watch_world import LOST, NOT_RESPONDING, SHORT, WatchWorld
from tests.support.worker_world import WorkerWorld

pytestmark = pytest.mark.infrastructure


@pytest.fixture(scope="module")
def gateway() -> Iterator[str]:
    """Something that answers HTTP where interactive runs would send their heartbeats."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="module")
def lifecycle(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    world = WatchWorld(broker.bootstrap, tmp_path_factory.mktemp("lifecycle"))
    with world.service("lifecycle") as process:
        process.wait_ready()
        yield process


@pytest.fixture
async def world(
    broker: Broker, lifecycle: ServiceProcess, gateway: str, tmp_path: Path
) -> AsyncIterator[WatchWorld]:
    async with WatchWorld(broker.bootstrap, tmp_path, gateway) as world:
        yield world


async def test_silence_and_life_come_and_go(world: WatchWorld) -> None:
    with world.service("watch") as watch:
        watch.wait_ready()
        run_id, lively = await world.script_run(), await world.script_run()
        async with world.beating(lively):
            await world.beat(run_id)
            await world.until_status(run_id, "NotResponding")
            async with world.beating(run_id):
                await world.until_status(run_id, "Running")
                await asyncio.sleep(NOT_RESPONDING)
            await world.until_status(run_id, "NotResponding")
            await world.until_status(run_id, "Failed")
    assert world.statuses(run_id)[-5:] == [
        "Running", "NotResponding", "Running", "NotResponding", "Failed",
    ]  # fmt: skip
    failed = world.events[run_id][-1]
    assert isinstance(failed, RunFailed)
    assert failed.error.code == "Lost"
    assert world.statuses(lively)[-1] == "Running"
    assert world.count(lively, RunNotResponding) == 0


async def test_an_interactive_run_is_judged_by_what_comes_through_the_gateway(
    broker: Broker, lifecycle: ServiceProcess, world: WatchWorld
) -> None:
    """A watcher that cannot see the gateway says nothing about it; one that can, does."""
    run_id = await world.interactive_run()
    nowhere = {"RUNHISTORY_URL": f"http://127.0.0.1:{free_port()}"}
    with world.service("watch", **nowhere) as blind:
        blind.wait_ready()
        script = await world.script_run()
        await world.until_status(script, "NotResponding")
        await asyncio.sleep(NOT_RESPONDING)
        assert world.statuses(run_id)[-1] == "Running"
        blind.stop()
    with world.service("watch") as watch:
        watch.wait_ready()
        await world.until_status(run_id, "Failed")


async def test_a_watcher_that_was_away_loses_nobody_and_repeats_nothing(world: WatchWorld) -> None:
    """Away for longer than it takes to be lost; the heartbeats of that time are in the log."""
    lively, dead = await world.script_run(), await world.script_run()
    idle = {"GPU-1": datetime.now(UTC) - timedelta(minutes=10)}
    async with world.beating(lively):
        with world.service("watch") as watch:
            watch.wait_ready()
            await world.beat(lively, gpu_idle_since=idle)
            await world.until_status(dead, "NotResponding")
            await world.until(lambda: world.count(lively, RunWarned))
            watch.kill()
        await asyncio.sleep(LOST + NOT_RESPONDING)
        with world.service("watch") as watch:
            watch.wait_ready()
            await world.beat(lively, gpu_idle_since=idle)
            await world.until_status(dead, "Failed")
            await asyncio.sleep(NOT_RESPONDING)
    assert world.statuses(lively)[-1] == "Running"
    assert world.count(lively, RunNotResponding) == 0
    assert world.count(lively, RunWarned) == 1
    assert world.count(dead, RunNotResponding) == 1


async def test_a_frozen_watcher_wakes_up_and_accuses_nobody(world: WatchWorld) -> None:
    run_id = await world.script_run()
    with world.service("watch") as watch:
        async with world.beating(run_id):
            watch.wait_ready()
            await asyncio.sleep(NOT_RESPONDING + 1)
            watch.freeze()
            await asyncio.sleep(LOST + 1)
            watch.thaw()
            await asyncio.sleep(2 * NOT_RESPONDING)
            assert world.count(run_id, RunNotResponding) == 0
        await world.until_status(run_id, "NotResponding")


async def test_a_broker_that_was_away_makes_nobody_silent(
    broker: Broker, world: WatchWorld
) -> None:
    """Nobody could be heard of in that time, so it does not count as silence."""
    run_id = await world.script_run()
    port = int(broker.bootstrap.rpartition(":")[2])
    (kafka,) = (
        psutil.Process(one.pid)
        for one in psutil.net_connections("tcp")
        if one.status == psutil.CONN_LISTEN and one.laddr and one.laddr.port == port
    )
    with world.service("watch") as watch:
        async with world.beating(run_id):
            watch.wait_ready()
            await asyncio.sleep(NOT_RESPONDING + 1)
            kafka.suspend()
            try:
                await asyncio.sleep(LOST + 1)
            finally:
                kafka.resume()
            await asyncio.sleep(2 * NOT_RESPONDING)
            assert world.count(run_id, RunNotResponding) == 0
        await world.until_status(run_id, "NotResponding")


WAITS = """
import pathlib, time
while not pathlib.Path("{sign}").exists():
    time.sleep(0.05)
"""


@pytest.fixture
async def workers(
    broker: Broker, lifecycle: ServiceProcess, tmp_path: Path
) -> AsyncIterator[WorkerWorld]:
    async with WorkerWorld(broker.bootstrap, tmp_path, new_run_id()) as workers:
        yield workers


async def test_a_frozen_worker_is_silent_and_wakes_up_to_finish(
    world: WatchWorld, workers: WorkerWorld
) -> None:
    with world.service("watch") as watch, workers.worker(**SHORT) as worker:
        watch.wait_ready()
        worker.wait_ready()
        run_id = await workers.submit({"train.py": WAITS.format(sign=workers.folder / "sign")})
        await workers.until_status(run_id, "Running")
        await asyncio.sleep(NOT_RESPONDING)
        assert "NotResponding" not in workers.statuses(run_id)
        worker.freeze()
        await workers.until_status(run_id, "NotResponding")
        worker.thaw()
        await workers.until(lambda: workers.statuses(run_id)[-1] == "Running")
        workers.touch("sign")
        assert await workers.ended(run_id) == "Completed"


async def test_a_worker_that_wakes_up_too_late_ends_the_script(
    world: WatchWorld, workers: WorkerWorld
) -> None:
    with world.service("watch") as watch, workers.worker(**SHORT) as worker:
        watch.wait_ready()
        worker.wait_ready()
        tells = 'import os\nprint("pid", os.getpid(), flush=True)\n'
        run_id = await workers.submit({"train.py": tells + WAITS.format(sign="/nowhere")})
        await workers.until(lambda: workers.lines(run_id, "stdout"))
        script = int(workers.lines(run_id, "stdout")[0].split()[1])
        worker.freeze()
        assert await workers.ended(run_id) == "Failed"
        assert workers.error(run_id).code == "Lost"
        assert psutil.pid_exists(script)
        worker.thaw()
        await workers.until(lambda: not psutil.pid_exists(script))
        attempts = workers.folder / "worker" / "attempts"
        await workers.until(lambda: not list(attempts.iterdir()))
        sign = workers.folder / "sign"
        workers.touch("sign")
        after = await workers.submit({"train.py": WAITS.format(sign=sign)})
        assert await workers.ended(after) == "Completed"


async def test_two_watchers_and_deaths_at_any_moment_tell_each_thing_once(
    world: WatchWorld,
) -> None:
    runs = [await world.script_run() for _ in range(12)]  # over all partitions
    # Long enough for two that were killed to be back before a run that is silent is lost.
    patient = {"RUNHISTORY_LOST_SECONDS": "30"}
    with (
        world.service("watch", **patient) as first,
        world.service("watch", "second", **patient) as second,
    ):
        first.wait_ready()
        second.wait_ready()
        deaths = random.Random(7)
        for silence in (1, 2):  # the first is ended by life
            async with world.beating(*runs):
                await world.until(lambda: all(world.statuses(r)[-1] == "Running" for r in runs))
            for victim in (first, second):
                await asyncio.sleep(deaths.uniform(0, NOT_RESPONDING))
                victim.kill()
                victim.start()
            await world.until(
                lambda n=silence: all(world.count(r, RunNotResponding) == n for r in runs)
            )
        await world.until(lambda: all(world.statuses(r)[-1] == "Failed" for r in runs), 90)
        await asyncio.sleep(NOT_RESPONDING)
    for run_id in runs:
        assert world.count(run_id, RunNotResponding) == 2
        assert world.count(run_id, RunResponded) == 1
        assert world.count(run_id, RunFailed) == 1
