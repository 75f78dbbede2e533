"""`python -m tests.support.dying_sink <step>`: a sink that is killed at a step of its first cycle.

The steps: `poll`, `half insert` (the INSERT is on its way), `insert`, `bury` and `commit`, each
when it has just been done.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from functools import partial

from runhistory.runtime.service import run_service
from runhistory.sink.batch import Batch, DeadLetter
from runhistory.sink.cycle import Cycle
from runhistory.sink.service import main

STEPS = ("poll", "half insert", "insert", "bury", "commit")
STEP = sys.argv[1] if len(sys.argv) > 1 else ""


def _die_at(step: str) -> None:
    if step == STEP:
        os.kill(os.getpid(), signal.SIGKILL)


class DyingCycle(Cycle):
    async def poll(self) -> Batch:
        batch = await super().poll()
        if batch:
            _die_at("poll")
        return batch

    async def insert(self, batch: Batch) -> list[DeadLetter]:
        if STEP == "half insert":
            asyncio.get_running_loop().call_later(0.008, _die_at, STEP)
        letters = await super().insert(batch)
        _die_at("half insert")
        _die_at("insert")
        return letters

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        await super().bury(letters)
        _die_at("bury")

    async def commit(self, batch: Batch) -> None:
        await super().commit(batch)
        _die_at("commit")


if __name__ == "__main__":
    assert STEP in STEPS
    run_service("sink", partial(main, make_cycle=DyingCycle))
