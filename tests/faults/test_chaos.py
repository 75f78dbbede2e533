"""kill -9 of every process at random, under load, on a whole stack: none lost, none twice.

Short: each process once. `make faults`: 210 kills, and bench/results/faults.json. The seed is
printed; RUNHISTORY_FAULT_SEED takes it again (the kills are the same ones, the moments nearly).
"""

import json
import os
import random
from collections import Counter
from pathlib import Path

import pytest

from runhistory import Workspace
from tests.support.chaos import VICTIMS, FaultLoad, kill_at_random, new_world
from tests.support.fault_oracle import Verdict, judge
from tests.support.hasty_stack import HastyStack

FULL = bool(os.environ.get("RUNHISTORY_FAULTS_FULL"))
KILLS = int(os.environ.get("RUNHISTORY_FAULT_KILLS", len(VICTIMS)))
SEED = int(os.environ.get("RUNHISTORY_FAULT_SEED", random.randrange(2**32)))
RESULTS = Path(__file__).parents[2] / "bench" / "results" / "faults.json"

pytestmark = [pytest.mark.infrastructure, pytest.mark.timeout(600 + 30 * KILLS)]


async def test_every_process_killed_at_random_and_nothing_is_lost_or_doubled(
    tmp_path: Path,
) -> None:
    print(f"RUNHISTORY_FAULT_SEED={SEED}")
    stack = HastyStack(tmp_path / "data")
    try:
        stack.up()
        workspace = Workspace(stack.url, name="faults")
        world = new_world(stack, workspace)
        load = FaultLoad(world, tmp_path / "ledger")
        load.start()
        try:
            load.goes_on(20)
            killed = kill_at_random(stack, load, KILLS, random.Random(SEED))
            load.goes_on(20)
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
    _report(killed, verdict)
    assert verdict.problems == []
    assert (verdict.lost, verdict.doubled) == (0, 0)
    assert verdict.repeated > 0, "nothing was ever repeated, so nothing was proven"


def _report(killed: "Counter[str]", verdict: Verdict) -> None:
    figures = [
        ("batches_acknowledged", verdict.batches, "batches"),
        ("points_acknowledged", verdict.points, "points"),
        ("commands_acknowledged", verdict.commands, "commands"),
        ("kills", killed.total(), "kills"),
        *((f"kills/{name}", count, "kills") for name, count in sorted(killed.items())),
        ("lost", verdict.lost, "points"),
        ("doubled", verdict.doubled, "points"),
        ("repeated_in_the_log", verdict.repeated, "batches"),
        ("differences", len(verdict.problems), "differences"),
    ]
    for name, value, unit in figures:
        print(f"{name:24}{value:>12,} {unit}")
    if FULL:
        lines = [json.dumps({"name": n, "value": v, "unit": u}) for n, v, u in figures]
        RESULTS.write_text("[\n  " + ",\n  ".join(lines) + "\n]\n", "utf-8")
