"""Three brokers with replication: the leader of what is written is killed, and another after it.

Two replicas in sync are what an acknowledgement needs, so one broker may be dead at any time and
all goes on: gateway, lifecycle, sink and those who send.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from runhistory import Experiment, Workspace
from runhistory.kafka.topics import place_of
from tests.conftest import Engine
from tests.support.chaos import FaultLoad
from tests.support.fault_oracle import World, judge
from tests.support.kafka_cluster import NODES, KafkaCluster, kafka_cluster
from tests.support.service_process import ServiceProcess

ROUNDS = 12 if os.environ.get("RUNHISTORY_FAULTS_FULL") else 2

pytestmark = [pytest.mark.infrastructure, pytest.mark.timeout(240 + 90 * ROUNDS)]


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[KafkaCluster]:
    """Three brokers, and the topics made as a deployment makes them."""
    async with kafka_cluster(tmp_path) as cluster:
        await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "runhistory.kafka.topics"],
            env={
                **os.environ,
                "RUNHISTORY_KAFKA": cluster.bootstrap,
                "RUNHISTORY_KAFKA_REPLICATION": str(len(NODES)),
            },
            check=True,
            timeout=60,
        )
        await cluster.wait_until_whole()
        yield cluster


async def test_leaders_die_one_after_the_other_and_nothing_is_lost_or_doubled(
    cluster: KafkaCluster, engine: Engine, tmp_path: Path
) -> None:
    with ExitStack() as services:
        gateway = await asyncio.to_thread(_start_services, services, cluster, engine, tmp_path)
        world = await asyncio.to_thread(_world, cluster, engine, gateway)
        load = FaultLoad(world, tmp_path / "ledger")
        services.callback(load.end)
        load.start()
        await asyncio.to_thread(load.goes_on, 20)
        dead: list[int] = []
        for round_ in range(ROUNDS):
            if dead:
                cluster.start(dead[-1])
                await cluster.wait_until_whole()
                await asyncio.to_thread(load.goes_on)
            run_id = world.run_ids[round_ % len(world.run_ids)]
            dead.append(await cluster.leader(place_of("run.metrics", run_id)))
            cluster.kill(dead[-1])
            await asyncio.to_thread(load.goes_on, 40)
        await asyncio.to_thread(load.drain)
        verdict = await judge(world, load.ledger)  # by the two that are left
    print(f"leaders killed: {dead}; {verdict}")
    assert len(set(dead)) > 1, "one broker led everything"
    assert verdict.problems == []
    assert (verdict.lost, verdict.doubled) == (0, 0)


def _start_services(
    services: ExitStack, cluster: KafkaCluster, engine: Engine, directory: Path
) -> ServiceProcess:
    """Lifecycle, sink and gateway, ready; the gateway."""
    environment = {
        "RUNHISTORY_KAFKA": cluster.bootstrap,
        "RUNHISTORY_CLICKHOUSE": engine.url,
        "RUNHISTORY_OBJECTS": (directory / "objects").as_uri(),
        "RUNHISTORY_INSTANCE": "faults",
    }
    started = [
        services.enter_context(ServiceProcess(room, directory / f"{room}.log", **environment))
        for room in ("lifecycle", "sink", "gateway")
    ]
    for service in started:
        service.wait_ready()
    return started[-1]


def _world(cluster: KafkaCluster, engine: Engine, gateway: ServiceProcess) -> World:
    url = f"http://127.0.0.1:{gateway.port}"
    workspace = Workspace(url, name="faults")
    runs = [Experiment(workspace, "replicated").start_logging() for _ in range(4)]
    workspace.connection.close()
    return World(
        bootstrap=cluster.bootstrap,
        clickhouse=engine.url,
        workspace=workspace.name,
        run_ids=tuple(run.id for run in runs),
        gateway=url,
    )
