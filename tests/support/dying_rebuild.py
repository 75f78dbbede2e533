"""`python -m tests.support.dying_rebuild <moment> [STOP]`: a rebuild killed, or frozen, midway.

A moment is a step's beginning (`compare`), its middle (`compare half`), its end (`compare done`),
or one of these: `read half` (records are inserted, and not committed) and `views half` (some
views read from the new storage, some from the old).
"""

import asyncio
import os
import signal
import sys
from typing import Any

from clickhouse_connect.driver.httpclient import HttpClient

from runhistory.runtime.settings import ServiceSettings
from runhistory.sink import log_reader
from runhistory.sink.batch import Batch
from runhistory.sink.cycle import Cycle
from runhistory.sink.rebuild import Rebuild

MOMENTS = (
    *("make", "make done", "read", "read half", "read done", "join", "join done"),
    *("catch up", "wait for sinks", "erase", "erase done", "compare", "compare half"),
    *("compare done", "switch", "views half", "switch done", "drop", "drop done"),
)
MOMENT = sys.argv[1] if len(sys.argv) > 1 else ""
SIGNAL = signal.SIGSTOP if sys.argv[2:] == ["STOP"] else signal.SIGKILL
VIEWS = 7
_begun: set[str] = set()


def _tell(step: str, done: int, total: int) -> None:
    now = {f"{step} done" if done == total else f"{step} half"} if done else set()
    if step not in _begun:
        _begun.add(step)
        now.add(step)
    if MOMENT in now:
        _die()


def _die() -> None:
    os.kill(os.getpid(), SIGNAL)


class _DyingCycle(Cycle):
    async def commit(self, batch: Batch) -> None:
        _die()


def _die_between_views() -> None:
    real, seen = HttpClient.command, 0

    def command(self: HttpClient, cmd: Any, *arguments: Any, **more: Any) -> Any:
        nonlocal seen
        seen += str(cmd).startswith("CREATE OR REPLACE VIEW runhistory.") and (
            "runhistory.storages" not in str(cmd)
        )
        if seen == VIEWS:
            seen += 1
            _die()
        return real(self, cmd, *arguments, **more)

    HttpClient.command = command  # type: ignore[method-assign]


if __name__ == "__main__":
    assert MOMENT in MOMENTS
    if MOMENT == "views half":
        _die_between_views()
    if MOMENT == "read half":
        log_reader.Cycle = _DyingCycle  # type: ignore[misc]
    settings = ServiceSettings.from_environment("sink")
    asyncio.run(Rebuild(settings.kafka, settings.clickhouse, _tell).run("switch"))
