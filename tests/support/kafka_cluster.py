"""Three Kafka brokers on this machine, each a controller too: one may die, and two go on."""

import asyncio
import base64
import contextlib
import subprocess
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from runhistory.kafka.topics import load_topics
from runhistory.stack.kafka_broker import KafkaBroker, command, java, prepare
from runhistory.stack.kafka_jars import ensure_jars
from runhistory.stack.ports import free_base_port

NODES = (1, 2, 3)
PATIENCE = 90

_FORMAT = """\
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{broker.port},CONTROLLER://127.0.0.1:{broker.controller_port}
log.dirs=log
"""
_REPLICATED = {
    "offsets.topic.replication.factor": 3,
    "transaction.state.log.replication.factor": 3,
    "transaction.state.log.min.isr": 2,
}
"""What a deployment with three brokers says otherwise than one broker does (deploy/README.md)."""


class KafkaCluster:
    """Brokers by their node ids. Each may be killed and started again on the same data."""

    def __init__(self, directory: Path) -> None:
        bases = _bases(len(NODES))
        self._brokers = {
            node: KafkaBroker(directory / f"kafka-{node}", base + 10, base + 11, heap_mib=256)
            for node, base in zip(NODES, bases, strict=True)
        }
        self._jars = ensure_jars()
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._voters = ",".join(
            f"{node}@127.0.0.1:{broker.controller_port}" for node, broker in self._brokers.items()
        )
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        for node in NODES:
            self._format(node, cluster_id)

    @property
    def bootstrap(self) -> str:
        return ",".join(broker.bootstrap for broker in self._brokers.values())

    def start(self, node: int) -> None:
        broker = self._brokers[node]
        settings = {"node.id": node, "controller.quorum.voters": self._voters, **_REPLICATED}
        overrides = [
            word for name, value in settings.items() for word in ("--override", f"{name}={value}")
        ]
        with (broker.directory / "output.log").open("ab") as output:
            self._processes[node] = subprocess.Popen(
                [*command(broker, self._jars), *overrides],
                cwd=broker.directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def kill(self, node: int) -> None:
        """kill -9."""
        self._processes[node].kill()
        self._processes[node].wait()

    def end(self) -> None:
        for node in self._processes:
            self.kill(node)

    async def leader(self, place: TopicPartition) -> int:
        """The node that leads a partition now."""
        return int((await self._described())[place]["leader"])

    async def wait_until_whole(self) -> None:
        """Until every partition of every topic of ours has three replicas, all in sync."""

        async def is_whole() -> bool:
            found = await self._described()
            return bool(found) and all(len(one["isr"]) == len(NODES) for one in found.values())

        await self._eventually(is_whole)

    async def wait_until_led(self) -> None:
        """Until the brokers answer, and know each other."""

        async def is_led() -> bool:
            admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap, client_id="test")
            await admin.start()
            try:
                return len((await admin.describe_cluster())["brokers"]) == len(NODES)
            finally:
                await admin.close()

        await self._eventually(is_led)

    async def _described(self) -> dict[TopicPartition, dict[str, object]]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap, client_id="test")
        await admin.start()
        try:
            topics = await admin.describe_topics(sorted(load_topics()))
        finally:
            await admin.close()
        return {
            TopicPartition(topic["topic"], one["partition"]): one
            for topic in topics
            for one in topic["partitions"]
        }

    async def _eventually(self, holds: Callable[[], Awaitable[bool]]) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(KafkaError, OSError):
                if await holds():
                    return
            assert time.monotonic() < deadline, self._tails()
            await asyncio.sleep(0.2)

    def _format(self, node: int, cluster_id: str) -> None:
        """As `prepare` would for a broker alone, so that it finds its storage there."""
        broker = self._brokers[node]
        (broker.directory / "tmp").mkdir(parents=True)
        settings = broker.directory / "format.properties"
        settings.write_text(_FORMAT.format(node=node, voters=self._voters, broker=broker), "ascii")
        tool = [*java(self._jars, ["-Xmx128m"]), "kafka.tools.StorageTool", "format"]
        subprocess.run(
            [*tool, f"--cluster-id={cluster_id}", "--config", settings.name],
            cwd=broker.directory,
            check=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )
        prepare(broker, self._jars)

    def _tails(self) -> str:
        logs = [broker.directory / "output.log" for broker in self._brokers.values()]
        return "\n".join(log.read_text("utf-8", "replace")[-1_500:] for log in logs)


@contextlib.asynccontextmanager
async def kafka_cluster(directory: Path) -> AsyncIterator[KafkaCluster]:
    """Three brokers that answer."""
    cluster = await asyncio.to_thread(KafkaCluster, directory)
    try:
        for node in NODES:
            cluster.start(node)
        await cluster.wait_until_led()
        yield cluster
    finally:
        cluster.end()


def _bases(count: int) -> list[int]:
    """Base ports that differ."""
    bases: set[int] = set()
    while len(bases) < count:
        bases.add(free_base_port())
    return sorted(bases)
