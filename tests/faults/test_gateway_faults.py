"""The gateway while what it needs goes away and comes back, and while it is stopped itself."""

import asyncio
import contextlib
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka.errors import KafkaError

from runhistory.kafka.topics import ensure_topics
from runhistory.stack.kafka_broker import KafkaBroker, command, prepare
from runhistory.stack.kafka_jars import ensure_jars
from runhistory.stack.ports import free_base_port
from runhistory.stack.processes import STOP_SECONDS
from tests.support.gateway_world import GatewayClient, batch, error_of, eventually
from tests.support.service_process import ServiceProcess

pytestmark = pytest.mark.infrastructure

NOWHERE = "http://127.0.0.1:9"


class MortalBroker:
    """A broker of one test's own, to be killed and started again on the same data."""

    def __init__(self, directory: Path) -> None:
        base = free_base_port()
        self._kafka = KafkaBroker(directory, base + 10, base + 11)
        self._jars = ensure_jars()
        self._process: subprocess.Popen[bytes] | None = None
        self.bootstrap = self._kafka.bootstrap
        prepare(self._kafka, self._jars)

    def start(self) -> None:
        with (self._kafka.directory / "output.log").open("ab") as output:
            self._process = subprocess.Popen(
                command(self._kafka, self._jars),
                cwd=self._kafka.directory,
                stdout=output,
                stderr=output,
            )

    async def wait_ready(self) -> None:
        async def answers() -> bool:
            with contextlib.suppress(KafkaError, OSError):
                await ensure_topics(self.bootstrap)
                return True
            return False

        await eventually(answers, seconds=60)

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@pytest.fixture
def mortal_broker(tmp_path: Path) -> Iterator[MortalBroker]:
    broker = MortalBroker(tmp_path / "kafka")
    try:
        yield broker
    finally:
        broker.kill()


def services(
    bootstrap: str, tmp_path: Path, *rooms: str, url: str = NOWHERE
) -> list[ServiceProcess]:
    environment = {
        "RUNHISTORY_KAFKA": bootstrap,
        "RUNHISTORY_CLICKHOUSE": url,
        "RUNHISTORY_OBJECTS": (tmp_path / "objects").as_uri(),
        "RUNHISTORY_INSTANCE": "faults",  # the next one has its partitions at once
    }
    return [ServiceProcess(room, tmp_path / f"{room}.log", **environment) for room in rooms]


async def healthz(gateway: ServiceProcess) -> httpx.Response:
    async with httpx.AsyncClient(timeout=10) as http:
        return await http.get(f"http://127.0.0.1:{gateway.port}/healthz")


async def test_a_broker_that_dies_and_comes_back_needs_no_restart(
    mortal_broker: MortalBroker, tmp_path: Path
) -> None:
    mortal_broker.start()
    await mortal_broker.wait_ready()
    lifecycle, gateway = services(mortal_broker.bootstrap, tmp_path, "lifecycle", "gateway")
    with lifecycle, gateway:
        lifecycle.wait_ready()
        gateway.wait_ready()
        async with GatewayClient(f"http://127.0.0.1:{gateway.port}") as client:
            run_id = await client.start()
            assert (await client.log(run_id, batch(seq=0))).status_code == 202
            pid = gateway.process.pid

            mortal_broker.kill()
            begun = time.monotonic()
            answers = await asyncio.gather(
                *(client.log(run_id, batch(seq=seq)) for seq in range(1, 6)),
                client.command(run_id, "set_tags", tags={"a": "b"}),
            )
            assert time.monotonic() - begun < 20
            codes = [error_of(answer, 503)["code"] for answer in answers]
            assert codes == ["unavailable"] * 5 + ["reply_timeout"]
            assert (await healthz(gateway)).status_code == 503

            mortal_broker.start()
            await mortal_broker.wait_ready()

            async def accepts_points() -> bool:
                return (await client.log(run_id, batch(seq=1))).status_code == 202

            async def accepts_commands() -> bool:
                answer = await client.command(run_id, "set_tags", tags={"a": "b"})
                return answer.status_code == 200

            await eventually(accepts_points, seconds=60)
            await eventually(accepts_commands, seconds=60)
            assert (await healthz(gateway)).status_code == 200
            assert gateway.process.pid == pid
            assert gateway.process.poll() is None


async def test_with_clickhouse_away_writes_go_on_and_reads_say_so(
    broker: Any, tmp_path: Path
) -> None:
    lifecycle, gateway = services(broker.bootstrap, tmp_path, "lifecycle", "gateway")
    with lifecycle, gateway:
        lifecycle.wait_ready()
        gateway.wait_ready()
        async with GatewayClient(f"http://127.0.0.1:{gateway.port}") as client:
            run_id = await client.start()
            assert (await client.log(run_id, batch())).status_code == 202
            for path in (f"/runs/{run_id}", "/runs", f"/runs/{run_id}/metrics", "/experiments"):
                error = error_of(await client.http.get(path), 503)
                assert error["code"] == "unavailable"
                assert "ClickHouse" in error["message"]
            health = await healthz(gateway)
            assert health.status_code == 200
            assert health.json()["clickhouse"] != "ok"


@contextlib.contextmanager
def silent_server() -> Iterator[str]:
    """The URL of something that accepts connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("clickhouse", ["away", "silent"])
async def test_a_gateway_that_restarts_without_clickhouse_accepts_points_of_running_scripts(
    broker: Any, tmp_path: Path, clickhouse: str
) -> None:
    with contextlib.ExitStack() as stack:
        url = NOWHERE if clickhouse == "away" else stack.enter_context(silent_server())
        lifecycle, first = services(broker.bootstrap, tmp_path, "lifecycle", "gateway", url=url)
        (second,) = services(broker.bootstrap, tmp_path, "gateway", url=url)
        stack.enter_context(lifecycle)
        lifecycle.wait_ready()
        with first:
            first.wait_ready()
            async with GatewayClient(f"http://127.0.0.1:{first.port}") as client:
                run_ids = [await client.start() for _ in range(3)]
                created = await client.create()
        stack.enter_context(second)
        second.wait_ready()
        async with GatewayClient(f"http://127.0.0.1:{second.port}", client.workspace) as client:
            begun = time.monotonic()
            answers = await asyncio.gather(*(client.log(run_id, batch()) for run_id in run_ids))
            assert [answer.status_code for answer in answers] == [202] * 3
            none = error_of(await client.log(run_ids[0], batch(), attempt=2), 404)
            assert none["code"] == "attempt_not_found"
            none = error_of(await client.log(created, batch()), 404)
            assert none["code"] == "attempt_not_found"
            assert error_of(await client.log("0" * 32, batch()), 404)["code"] == "run_not_found"
            assert time.monotonic() - begun < 25
            begun = time.monotonic()
            assert error_of(await client.http.get("/runs"), 503)["code"] == "unavailable"
            assert time.monotonic() - begun < 12


async def test_sigterm_finishes_what_is_under_way(broker: Any, tmp_path: Path) -> None:
    lifecycle, gateway = services(broker.bootstrap, tmp_path, "lifecycle", "gateway")
    with lifecycle, gateway:
        lifecycle.wait_ready()
        gateway.wait_ready()
        async with GatewayClient(f"http://127.0.0.1:{gateway.port}") as client:
            run_id = await client.start()
            lifecycle.freeze()  # the reply to the next command has to wait
            sent = asyncio.create_task(client.command(run_id, "complete"))
            await asyncio.sleep(0.5)  # it is under way
            stopped = asyncio.create_task(asyncio.to_thread(gateway.stop))
            await asyncio.sleep(0.5)
            lifecycle.thaw()
            assert (await sent).json()["status"] == "Completed"
            assert await stopped == 0
            with pytest.raises(httpx.ConnectError):
                await client.http.get("/runs")


async def test_sigterm_is_obeyed_in_time_whatever_hangs(
    mortal_broker: MortalBroker, tmp_path: Path
) -> None:
    """Kafka accepts connections and says nothing more: the worst that a goodbye can meet."""
    mortal_broker.start()
    await mortal_broker.wait_ready()
    lifecycle, gateway = services(mortal_broker.bootstrap, tmp_path, "lifecycle", "gateway")
    with lifecycle, gateway:
        lifecycle.wait_ready()
        gateway.wait_ready()
        async with GatewayClient(f"http://127.0.0.1:{gateway.port}") as client:
            run_id = await client.start()
            mortal_broker.freeze()
            under_way = [
                asyncio.create_task(client.log(run_id, batch())),
                asyncio.create_task(client.command(run_id, "complete")),
            ]
            await asyncio.sleep(0.5)  # they are under way
            begun = time.monotonic()
            await asyncio.to_thread(gateway.stop)
            assert time.monotonic() - begun < STOP_SECONDS["gateway"]
            await asyncio.gather(*under_way, return_exceptions=True)


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"RUNHISTORY_HOST": "0.0.0.0"}, "RUNHISTORY_TOKEN"),
        ({"RUNHISTORY_MAX_FILE_BYTES": "many"}, "RUNHISTORY_MAX_FILE_BYTES"),
        ({"RUNHISTORY_MAX_BATCH_BYTES": "1000"}, "RUNHISTORY_MAX_BATCH_BYTES"),
        ({"RUNHISTORY_MAX_KEY_LENGTH": "513"}, "RUNHISTORY_MAX_KEY_LENGTH"),
        ({"RUNHISTORY_MAX_KEYS": "0"}, "RUNHISTORY_MAX_KEYS"),
    ],
)
def test_unsafe_settings_are_refused_at_start(
    broker: Any, tmp_path: Path, environment: dict[str, str], named: str
) -> None:
    gateway = ServiceProcess(
        "gateway",
        tmp_path / "gateway.log",
        RUNHISTORY_KAFKA=broker.bootstrap,
        RUNHISTORY_OBJECTS=tmp_path.as_uri(),
        **environment,
    )
    with gateway:
        assert gateway.process.wait(30) == 2
    assert named in gateway.tail()
