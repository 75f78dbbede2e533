"""Sinks and lifecycles that come and go under load, and one of each frozen past its session.

Two of each at a time. Guests leave by SIGTERM and by kill -9; the residents are frozen while
guests are there, who do all of the work alone for a while, and then they wake.
"""

import asyncio
import contextlib
import itertools
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runhistory.clickhouse.client import open_client
from runhistory.kafka.topics import partitions_of
from tests.conftest import Broker, Engine
from tests.support.command_streams import WORKSPACE, interleaved
from tests.support.fault_oracle import judge
from tests.support.fault_records import FaultRecords
from tests.support.gateway_world import eventually
from tests.support.lifecycle_ledger import LifecycleLedger
from tests.support.service_process import ServiceProcess

GUESTS, BURST = (12, 80) if os.environ.get("RUNHISTORY_FAULTS_FULL") else (3, 40)
"""BURST: commands that arrive while guests come and go."""

pytestmark = [pytest.mark.infrastructure, pytest.mark.timeout(300 + 60 * GUESTS)]

Services = list[ServiceProcess]


async def test_rebalances_in_a_row_with_one_of_each_frozen_past_its_session_and_woken(
    broker: Broker, engine: Engine, tmp_path: Path
) -> None:
    world = Rebalanced(broker, engine, tmp_path)
    with world.pair("resident") as residents:
        await _each(ServiceProcess.wait_ready, residents)
        for number in range(GUESTS):
            arriving = asyncio.create_task(world.load())
            with world.pair(f"guest-{number}") as guests:
                await _each(ServiceProcess.wait_ready, guests)
                await arriving
                if number % 4 == 1:
                    await _freeze_past_session(residents, world)
                if number % 2:
                    await _each(ServiceProcess.stop, guests)
        await world.load()
        await world.verify()


async def _freeze_past_session(residents: Services, world: "Rebalanced") -> None:
    """The guests take over all that the residents had; the residents wake under load."""
    await _each(ServiceProcess.freeze, residents)
    frozen_at = time.monotonic()
    await world.load()
    await world.verify()
    assert time.monotonic() - frozen_at > 5, "nobody had to be waited for"
    arriving = asyncio.create_task(world.load())
    await _each(ServiceProcess.thaw, residents)
    await arriving


class Rebalanced:
    """Two ledgers, of batches in every partition and of commands, and who works on them."""

    def __init__(self, broker: Broker, engine: Engine, directory: Path) -> None:
        self._engine, self._directory = engine, directory
        self._environment = {
            "RUNHISTORY_KAFKA": broker.bootstrap,
            "RUNHISTORY_CLICKHOUSE": engine.url,
        }
        partitions = len(partitions_of("run.metrics"))
        self._records = FaultRecords(broker, engine, directory / "ledger", runs=partitions)
        self._ledger = LifecycleLedger(broker.bootstrap)
        self._commands = iter(interleaved(BURST * 3 * GUESTS // 7, seed=8))

    @contextlib.contextmanager
    def pair(self, name: str) -> Iterator[Services]:
        """A sink and a lifecycle; who still runs at the end is killed with -9."""
        environment = {**self._environment, "RUNHISTORY_INSTANCE": name}
        with contextlib.ExitStack() as stack:
            yield [
                stack.enter_context(
                    ServiceProcess(room, self._directory / f"{room}-{name}.log", **environment)
                )
                for room in ("sink", "lifecycle")
            ]

    async def load(self) -> None:
        """A burst of both, spread over some seconds."""
        commands = list(itertools.islice(self._commands, BURST))
        assert len(commands) == BURST
        sending = asyncio.create_task(self._ledger.send(commands, pause=0.04))
        while not sending.done():
            await self._records.append(1)
        await sending

    async def verify(self) -> None:
        """All that was sent is stored and decided, once."""
        await self._ledger.wait_for_replies()
        await self._ledger.verify()
        assert (await judge(self._records.world, self._records.ledger)).problems == []
        decided = sorted(
            (event.run_id, event.version)
            for history in (await self._ledger.events()).values()
            for event in history
        )

        async def seen() -> bool:
            return await asyncio.to_thread(_events_seen, self._engine) == decided

        await eventually(seen)


async def _each(action: Callable[[ServiceProcess], object], services: Services) -> None:
    await asyncio.gather(*(asyncio.to_thread(action, service) for service in services))


def _events_seen(engine: Engine) -> list[tuple[str, int]]:
    query = f"SELECT run_id, version FROM runhistory.events WHERE workspace = '{WORKSPACE}'"
    client = open_client(engine.url)
    try:
        return sorted((run_id, version) for run_id, version in client.query(query).result_rows)
    finally:
        client.close()
