"""The disk of the engine, then of the broker, is full while load goes on: none lost, none twice.

Both have small file systems of their own in a whole stack. The engine refuses INSERTs, so the sink
stands still and Kafka takes what comes. The broker shuts itself down, and again at each start, so
that nothing is acknowledged; once there is room the supervisor's next start works.
"""

import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from runhistory import Workspace
from tests.support.chaos import PATIENCE, FaultLoad, new_world
from tests.support.fault_ledger import Name, content
from tests.support.fault_oracle import World, judge
from tests.support.hasty_stack import HastyStack
from tests.support.small_disk import SmallDisk, small_disk

ROUNDS = 8 if os.environ.get("RUNHISTORY_FAULTS_FULL") else 1
MEBIBYTES = 96
MOST_LEFT = 2 << 20
"""Bytes that are free at first, so that it is the load that takes the last of them."""
LITTLE = 400 << 10

pytestmark = [pytest.mark.infrastructure, pytest.mark.timeout(300 + 120 * ROUNDS)]


@pytest.fixture
def disks(tmp_path: Path) -> Iterator[dict[str, SmallDisk]]:
    data = tmp_path / "data"
    with (
        small_disk(data / "kafka", MEBIBYTES) as kafka,
        small_disk(data / "clickhouse", MEBIBYTES) as engine,
    ):
        yield {"kafka": kafka, "engine": engine}


async def test_disks_that_are_full_lose_and_double_nothing(
    disks: dict[str, SmallDisk], tmp_path: Path
) -> None:
    stack = HastyStack(tmp_path / "data")
    try:
        stack.up()
        workspace = Workspace(stack.url, name="full-disks")
        world = new_world(stack, workspace)
        load = FaultLoad(world, tmp_path / "ledger")
        load.start()
        try:
            load.goes_on(20)
            for number in range(ROUNDS):
                _fill_the_engines(disks["engine"], stack, load, number)
                _fill_the_brokers(disks["kafka"], stack, load, world, number)
                _start_the_broker_in_little_room(disks["kafka"], stack, load)
            load.drain()
        finally:
            load.end()
        for process in ("kafka", "engine", "sink", "gateway"):
            stack.wait_ready(process, 120)
        verdict = await judge(world, load.ledger)
        workspace.connection.close()
    finally:
        stack.down()
        assert stack.left_running() == []
    assert verdict.problems == []
    assert (verdict.lost, verdict.doubled) == (0, 0)


def _fill_the_engines(disk: SmallDisk, stack: HastyStack, load: FaultLoad, number: int) -> None:
    """Points are acknowledged all the while, and the sink says why it does not store them."""
    disk.fill(leave=random.randrange(MOST_LEFT) if number else 0)
    _until(lambda: "space" in _problem(stack, "sink"))
    load.goes_on(30)
    assert "space" in _problem(stack, "sink")
    disk.make_space()
    stack.wait_ready("sink")
    load.goes_on(20)


def _fill_the_brokers(
    disk: SmallDisk, stack: HastyStack, load: FaultLoad, world: World, number: int
) -> None:
    """Nothing is acknowledged until there is room, however often the broker is started again."""
    before = stack.identity("kafka")
    disk.fill(leave=random.randrange(MOST_LEFT) if number else 0)
    _until(lambda: stack.identity("kafka") != before)
    acked = load.ledger.acked()
    _refused(load, world, number)
    assert "No space left on device" in stack.log("kafka")
    assert len(load.ledger.acked() - acked) <= len(world.run_ids) * 3, "one of each writer, at most"
    disk.make_space()
    load.goes_on(20)


def _start_the_broker_in_little_room(disk: SmallDisk, stack: HastyStack, load: FaultLoad) -> None:
    """It has no room to unpack a native library, and takes compressed batches nonetheless."""
    disk.fill(leave=LITTLE)
    stack.kill("kafka")
    stack.wait_ready("kafka")
    load.goes_on(5)
    disk.make_space()
    load.goes_on(20)


def _refused(load: FaultLoad, world: World, number: int) -> None:
    """The gateway says 503 to a batch, of which nobody knows what becomes of it."""
    name = Name(world.run_ids[0], f"refused-{number}", 0)
    load.ledger.write("sent", name)
    path = f"/api/v1/workspaces/{world.workspace}/runs/{name.run_id}/attempts/1/metrics"
    answer = httpx.post(f"{world.gateway}{path}", json=content(name), timeout=60)
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) > 0


def _problem(stack: HastyStack, process: str) -> str:
    found = next(one for one in stack.status().processes if one.name == process)
    return str(found.problem or "")


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)
