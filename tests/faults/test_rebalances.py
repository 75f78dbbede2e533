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
from runhistory.domain.commands import Command
from tests.conftest import Broker, Engine
from tests.support.command_streams import WORKSPACE, interleaved
from tests.support.fault_oracle import judge
from tests.support.fault_records import FaultRecords
from tests.support.gateway_world import eventually
from tests.support.lifecycle_ledger import LifecycleLedger
from tests.support.service_process import ServiceProcess

GUESTS = 12 if os.environ.get("RUNHISTORY_FAULTS_FULL") else 3
ROOMS = ("sink", "lifecycle")
BURST = 80
"""Commands that arrive while guests come and go."""

pytestmark = [pytest.mark.infrastructure, pytest.mark.timeout(300 + 60 * GUESTS)]

Services = list[ServiceProcess]


async def test_rebalances_in_a_row_with_one_of_each_frozen_past_its_session_and_woken(
    broker: Broker, engine: Engine, tmp_path: Path
) -> None:
    records, ledger = (
        FaultRecords(broker, engine, tmp_path / "ledger"),
        LifecycleLedger(broker.bootstrap),
    )
    commands = iter(interleaved(BURST * (2 * GUESTS + 1) // 7 + 1, seed=8))

    def a_pair(name: str) -> "contextlib.AbstractContextManager[Services]":
        return _services(broker, engine, tmp_path, name)

    with a_pair("resident") as residents:
        await _each(ServiceProcess.wait_ready, residents)
        for number in range(GUESTS):
            arriving = asyncio.create_task(_load(records, ledger, commands))
            with a_pair(f"guest-{number}") as guests:
                await _each(ServiceProcess.wait_ready, guests)
                if number % 4 == 1:
                    await _each(ServiceProcess.freeze, residents)
                    frozen_at = time.monotonic()
                await arriving
                if number % 4 == 1:  # now the guests do all of it
                    await _verify(records, ledger, engine)
                    assert time.monotonic() - frozen_at > 5, "nobody had to be waited for"
                    arriving = asyncio.create_task(_load(records, ledger, commands))
                    await _each(ServiceProcess.thaw, residents)
                    await arriving
                if number % 2:
                    await _each(ServiceProcess.stop, guests)
        await _load(records, ledger, commands)
        await _verify(records, ledger, engine)


@contextlib.contextmanager
def _services(broker: Broker, engine: Engine, directory: Path, name: str) -> Iterator[Services]:
    """A sink and a lifecycle; who still runs at the end is killed with -9."""
    environment = {
        "RUNHISTORY_KAFKA": broker.bootstrap,
        "RUNHISTORY_CLICKHOUSE": engine.url,
        "RUNHISTORY_INSTANCE": name,
    }
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(
                ServiceProcess(room, directory / f"{room}-{name}.log", **environment)
            )
            for room in ROOMS
        ]


async def _each(action: Callable[[ServiceProcess], object], services: Services) -> None:
    await asyncio.gather(*(asyncio.to_thread(action, service) for service in services))


async def _load(
    records: FaultRecords, ledger: LifecycleLedger, commands: Iterator[Command]
) -> None:
    """A burst of both, spread over some seconds."""
    sending = asyncio.create_task(ledger.send(itertools.islice(commands, BURST), pause=0.04))
    while not sending.done():
        await records.append(2)
    await sending


async def _verify(records: FaultRecords, ledger: LifecycleLedger, engine: Engine) -> None:
    """All that was sent is stored and decided, once."""
    await ledger.wait_for_replies()
    await ledger.verify()
    assert (await judge(records.world, records.ledger)).problems == []
    decided = sorted(
        (event.run_id, event.version)
        for history in (await ledger.events()).values()
        for event in history
    )

    async def seen() -> bool:
        return await asyncio.to_thread(_events_seen, engine) == decided

    await eventually(seen)


def _events_seen(engine: Engine) -> list[tuple[str, int]]:
    query = f"SELECT run_id, version FROM runhistory.events WHERE workspace = '{WORKSPACE}'"
    client = open_client(engine.url)
    try:
        return sorted((run_id, version) for run_id, version in client.query(query).result_rows)
    finally:
        client.close()
