"""kill -9 at random: of the processes of a stack, and of the load on it."""

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Final

from runhistory import Experiment, Workspace
from runhistory.runtime.settings import PORT_OFFSETS
from tests.support.fault_ledger import FaultLedger
from tests.support.fault_oracle import World
from tests.support.running_stack import RunningStack

ROOT = Path(__file__).parents[2]
VICTIMS: Final = ("gateway", "lifecycle", "sink", "worker", "engine", "kafka", "client")
PATIENCE: Final = 180.0


def new_world(stack: RunningStack, workspace: Workspace) -> World:
    """Three fresh runs of the stack, to send load to."""
    runs = [Experiment(workspace, "killed").start_logging() for _ in range(3)]
    return World(
        bootstrap=f"127.0.0.1:{stack.port + PORT_OFFSETS['kafka']}",
        clickhouse=f"http://127.0.0.1:{stack.port + PORT_OFFSETS['engine']}",
        workspace=workspace.name,
        run_ids=tuple(run.id for run in runs),
        gateway=stack.url,
    )


class FaultLoad:
    """The load as a process, which goes on from its ledger when it is started again."""

    def __init__(self, world: World, path: Path) -> None:
        arguments = [str(world.gateway), world.workspace, str(path), *world.run_ids]
        self._command = [sys.executable, "-m", "tests.support.fault_load", *arguments]
        self._log = path.with_suffix(".log")
        self.ledger = FaultLedger(path)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, cwd=ROOT, stdout=log, stderr=log)

    def kill(self) -> None:
        """kill -9, and the next life begins."""
        self.end()
        self.start()

    def end(self) -> None:
        if self._process is not None:
            assert self._process.poll() in (None, 0), self._log.read_text()[-5_000:]
            self._process.kill()
            self._process.wait()

    def drain(self) -> None:
        """Begin nothing new, and return when all that was sent is acknowledged."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(PATIENCE) == 0, self._log.read_text()[-5_000:]

    def goes_on(self, batches: int = 3) -> None:
        """Return when so many more are acknowledged."""
        target, deadline = len(self.ledger.acked()) + batches, time.monotonic() + PATIENCE
        while len(self.ledger.acked()) < target:
            assert self._process is not None
            assert self._process.poll() is None, self._log.read_text()[-5_000:]
            assert time.monotonic() < deadline, "nothing is acknowledged any more"
            time.sleep(0.05)


def kill_at_random(
    stack: RunningStack, load: FaultLoad, kills: int, dice: random.Random
) -> "Counter[str]":
    """So many kills, each process in turn in an order by chance; how often each was killed.

    Before each second one something was acknowledged since the one before, so there is work to
    interrupt; the others hit a stack that is still coming back from the one before.
    """
    killed: Counter[str] = Counter()
    turn: list[str] = []
    for _ in range(kills):
        turn = turn or dice.sample(VICTIMS, len(VICTIMS))
        victim = turn.pop()
        if dice.random() < 0.5:
            load.goes_on()
        time.sleep(dice.uniform(0, 1))  # the moment is by chance
        if victim == "client":
            load.kill()
        else:
            _wait_alive(stack, victim)
            stack.kill(victim)
        killed[victim] += 1
        print(f"{time.strftime('%H:%M:%S')} kill {killed.total()}: {victim}", flush=True)
    return killed


def _wait_alive(stack: RunningStack, victim: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while stack.identity(victim) is None:
        assert time.monotonic() < deadline, f"{victim} is not started again"
        time.sleep(0.05)
