"""`python -m tests.support.fault_load URL WORKSPACE LEDGER RUN …`: load that may be killed.

Two writers for each run send batches over HTTP, and a third sends commands; all is written to the
ledger. What has no answer is sent again with the same ids, by the next life of this
program if this one is killed; and some of what was acknowledged is sent once more, as a client
does that missed the answer. After SIGTERM nothing new is begun; it ends when all is acknowledged.
"""

import asyncio
import random
import signal
import sys
from pathlib import Path
from typing import Final

import orjson
from bench.load import Door

from tests.support.fault_ledger import COMMANDS, FaultLedger, Name, command, content

WRITERS: Final = ("rank0", "rank1", COMMANDS)
PAUSE: Final = 0.1
AGAIN: Final = 0.1
"""The share of what was acknowledged that is sent again nonetheless."""


class Lane:
    """One writer of one run. One batch is under way at a time, as the writer's order demands."""

    def __init__(self, url: str, workspace: str, run_id: str, writer: str) -> None:
        self._url, self._run_id, self._writer = url, run_id, writer
        base = f"/api/v1/workspaces/{workspace}/runs/{run_id}"
        what = "commands" if writer == COMMANDS else "attempts/1/metrics"
        self._path = f"{base}/{what}"
        self._door: Door | None = None

    async def send(self, ledger: FaultLedger, stop: asyncio.Event) -> None:
        """Go on where the ledger ends, until `stop`."""
        mine = [name for name in ledger.sent() if name[:2] == (self._run_id, self._writer)]
        acked, seq = ledger.acked(), 0
        if mine:
            last = max(mine, key=lambda name: name.seq)
            seq = last.seq + (last in acked)
        while not stop.is_set() or Name(self._run_id, self._writer, seq) in mine:
            name = Name(self._run_id, self._writer, seq)
            await asyncio.to_thread(ledger.write, "sent", name)
            await self._deliver(name)
            await asyncio.to_thread(ledger.write, "acked", name)
            if random.random() < AGAIN:
                await self._deliver(name)
            seq += 1
            await asyncio.sleep(PAUSE)

    async def _deliver(self, name: Name) -> None:
        body = orjson.dumps(command(name) if name.writer == COMMANDS else content(name))
        while (status := await self._ask(body)) not in (200, 202):
            assert status in (None, 503), f"HTTP {status} for {name}"
            await asyncio.sleep(0.1)

    async def _ask(self, body: bytes) -> int | None:
        """The answer's status; None where none came, so that the outcome is unknown."""
        try:
            self._door = self._door or await Door.open(self._url)
            status, answer = await self._door.post(self._path, body)
        except (OSError, EOFError, TimeoutError):
            if self._door is not None:
                self._door.close()
            self._door = None
            return None
        if status not in (200, 202, 503):
            print(status, answer.decode(), flush=True)
        return status


async def main(url: str, workspace: str, path: str, *run_ids: str) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    ledger = FaultLedger(Path(path))
    async with asyncio.TaskGroup() as lanes:
        for run_id in run_ids:
            for writer in WRITERS:
                lanes.create_task(Lane(url, workspace, run_id, writer).send(ledger, stop))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
