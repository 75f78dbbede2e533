"""The broker killed under the sink, and back; and a sink that is told to stop meanwhile."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.errors import KafkaError

from runhistory.kafka.topics import ensure_topics
from runhistory.stack.kafka_broker import KafkaBroker, command, prepare
from runhistory.stack.kafka_jars import ensure_jars
from tests.conftest import Engine
from tests.support.readiness import reason_not_ready
from tests.support.service_process import ServiceProcess, free_port
from tests.support.sink_ledger import SinkLedger

pytestmark = pytest.mark.infrastructure


class _OwnBroker:
    """A broker that a test may kill. Its port and its data stay."""

    def __init__(self, directory: Path) -> None:
        self._kafka = KafkaBroker(directory / "kafka", free_port(), free_port())
        self._jars = ensure_jars()
        self._log = directory / "kafka.log"
        self.bootstrap = self._kafka.bootstrap
        prepare(self._kafka, self._jars)

    def start(self) -> None:
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                command(self._kafka, self._jars),
                cwd=self._kafka.directory,
                stdout=output,
                stderr=output,
            )

    async def wait_ready(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                await ensure_topics(self.bootstrap)
                return
            except (KafkaError, OSError):
                assert time.monotonic() < deadline, self._log.read_text()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[_OwnBroker]:
    broker = _OwnBroker(tmp_path)
    broker.start()
    yield broker
    broker.kill()


async def test_a_broker_that_was_killed_and_comes_back_finds_the_sink_at_work(
    own_broker: _OwnBroker, engine: Engine, tmp_path: Path
) -> None:
    await own_broker.wait_ready()
    ledger = SinkLedger(own_broker.bootstrap, engine.url)
    sink = ServiceProcess(
        "sink",
        tmp_path / "sink.log",
        RUNHISTORY_KAFKA=own_broker.bootstrap,
        RUNHISTORY_CLICKHOUSE=engine.url,
        RUNHISTORY_INSTANCE="sink",
    )
    with sink:
        sink.wait_ready()
        for _ in range(2):
            await ledger.produce(100)
            own_broker.kill()
            assert "Kafka" in await reason_not_ready(sink)
            own_broker.start()
            await own_broker.wait_ready()
            await ledger.produce(100)
            await ledger.wait_until_committed()
            sink.wait_ready()
        assert sink.process.poll() is None, "it lived through it"
        ledger.check()
        own_broker.kill()
        await reason_not_ready(sink)
        assert sink.stop(40) == 0
