"""Signs of life of the attempts that a worker holds, from its own event loop.

So a script that keeps the processor busy does not silence its attempt, and a worker that is
frozen or dead does.
"""

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final

from runhistory.events.heartbeat import HEARTBEATS_TOPIC, Heartbeat, encode_heartbeat
from runhistory.kafka.publisher import Publisher
from runhistory.worker.board import KnownRun

SOURCE: Final = "runhistory/worker"
BUSY_PERCENT: Final = 5.0
"""A GPU that is used less than this has nothing to do."""


class Heartbeats:
    """Sends one for each attempt, again and again. At least once; one that is late is of no use."""

    def __init__(
        self, publisher: Publisher, every: float, alive: Callable[[], Iterable[Heartbeat]]
    ) -> None:
        """`alive` tells the heartbeats that are to be sent now; `every` is in seconds."""
        self._publisher, self._every, self._alive = publisher, every, alive

    async def run(self) -> None:
        """Until it is cancelled. With the broker away, one round waits for it, and no second."""
        while True:
            records = [encode_heartbeat(heartbeat) for heartbeat in self._alive()]
            await asyncio.gather(*(self._publisher.publish(HEARTBEATS_TOPIC, r) for r in records))
            await asyncio.sleep(self._every)


def heartbeat_of(run: KnownRun, gpu_idle_since: dict[str, datetime] | None = None) -> Heartbeat:
    """That the latest attempt of `run` is alive, now."""
    return Heartbeat(
        workspace=run.workspace,
        run_id=run.run_id,
        attempt=run.attempt,
        source=SOURCE,
        time=datetime.now(UTC),
        gpu_idle_since=gpu_idle_since or {},
    )


class IdleGpus:
    """Which GPUs of an attempt have had nothing to do, and since when, by samples of their load."""

    def __init__(self, gpus: tuple[str, ...]) -> None:
        self._gpus = gpus
        self.since: dict[str, datetime] = {}

    def see(self, values: dict[str, float]) -> None:
        """Take in a sample: values by key, as `LoadProbe` reads them.

        A GPU that does not tell its utilization (a part, in MIG mode) is never called idle.
        """
        for index, gpu in enumerate(self._gpus):
            used = values.get(f"system/gpu/{index}/utilization")
            if used is None or used >= BUSY_PERCENT:
                self.since.pop(gpu, None)
            else:
                self.since.setdefault(gpu, datetime.now(UTC))

    def begin_anew(self) -> None:
        """Forget what was: while a script is paused its GPUs rest by intention."""
        self.since = {}
