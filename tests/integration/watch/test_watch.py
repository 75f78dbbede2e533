"""The watch process on a real broker: silence, life, loss, and watchers that come and go."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from runhistory.domain.events import RunFailed, RunNotResponding
from tests.conftest import Broker
from tests.support.service_process import ServiceProcess
from tests.support.watch_world import NOT_RESPONDING, WatchWorld

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
