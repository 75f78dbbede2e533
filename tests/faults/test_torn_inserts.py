"""The engine dies when a part is written and has no name yet: the INSERT comes again, whole.

This is the window in which deduplication by token loses rows (docs/delivery.md): the token is
logged, the part is not there yet. Needs strace.
"""

import asyncio
import os
import shutil
import signal
from pathlib import Path

import pytest

from runhistory.clickhouse.migrations import migrate
from runhistory.clickhouse.storages import FIRST_STORAGE
from tests.conftest import Broker, Engine
from tests.support.engine_process import running_engine
from tests.support.fault_oracle import judge
from tests.support.fault_records import FaultRecords
from tests.support.service_process import ServiceProcess
from tests.support.torn_insert import dying_at_rename, folder_of, left_unrenamed

pytestmark = [
    pytest.mark.infrastructure,
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
]

TARGETS = ("points", "rollup", "batches")
DEATHS = 10 if os.environ.get("RUNHISTORY_FAULTS_FULL") else 1


@pytest.mark.parametrize("table", TARGETS)
async def test_killed_between_a_part_and_its_rename(
    table: str, broker: Broker, tmp_path: Path
) -> None:
    with running_engine(tmp_path / "engine") as engine:
        migrate(engine.url)
        folder = folder_of(engine, f"{FIRST_STORAGE}.{table}")
        records = FaultRecords(broker, Engine(engine.url), tmp_path / "ledger")
        with ServiceProcess(
            "sink",
            tmp_path / "sink.log",
            RUNHISTORY_KAFKA=broker.bootstrap,
            RUNHISTORY_CLICKHOUSE=engine.url,
            RUNHISTORY_INSTANCE="faults",
        ) as sink:
            await asyncio.to_thread(sink.wait_ready)
            for _ in range(DEATHS):
                await records.append(5)
                engine.stop()
                with dying_at_rename(engine, folder):
                    await records.append(20)
                    assert engine.process is not None
                    died = await asyncio.to_thread(engine.process.wait, 60)
                assert died == -signal.SIGKILL
                assert left_unrenamed(folder), "it died at another moment"
                engine.start()
            verdict = await judge(records.world, records.ledger)
    assert verdict.problems == []
    assert (verdict.lost, verdict.doubled) == (0, 0)
    assert verdict.points == DEATHS * 25 * 2 * 20
