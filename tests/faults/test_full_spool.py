"""The disk of the spool is full while the gateway is away: what the docs say of it holds.

A program logs and says of each batch whether the spool has it on disk or holds it in memory.
Whatever becomes of the program: acknowledged ⊆ stored, all that was on disk is stored, each once.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runhistory import Experiment, Workspace
from runhistory.sdk.errors import NotFound
from runhistory.sdk.run import Run
from tests.support.running_stack import RunningStack, running_stack
from tests.support.small_disk import SmallDisk, small_disk

pytestmark = [pytest.mark.infrastructure, pytest.mark.timeout(300)]

WORKSPACE = "full-spool"
Batches = dict[int, list[float]]
"""Values by `seq`."""
PROGRAM = """
import os, sys, threading
import orjson
from runhistory import Run
from runhistory.sdk.run_client import RunClient
from runhistory.sdk.spool import Spool

ledger = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
append, sync, send_points = Spool.append, Spool.sync, RunClient.send_points
held = {}

def write(kind, body):
    batch = orjson.loads(body)
    os.write(ledger, orjson.dumps([kind, batch["seq"], batch["values"]]) + b"\\n")

def note(spool):
    if held and not spool.held_items:
        for seq in list(held):
            write("kept", held.pop(seq))

def appended(self, batch):
    append(self, batch)
    if self.held_items:
        held[batch.seq] = batch.body
        write("held", batch.body)
    else:
        note(self)
        write("kept", batch.body)

def synced(self, **how):
    sync(self, **how)
    if "points" in self._stream:
        note(self)

def acknowledged(self, attempt, body, patience=0.0):
    send_points(self, attempt, body, patience)
    write("acknowledged", body)

Spool.append, Spool.sync, RunClient.send_points = appended, synced, acknowledged
run = Run.get_context(allow_offline=False)
value = 0
for line in sys.stdin:
    for value in range(value + 1, value + 1 + int(line)):
        run.log("loss", value)
"""
DETACHED = """
import sys
from runhistory import Run

run = Run.get_context()
for value in range(1_000):
    run.log("loss", value)
run.flush()
print(run.id, run.experiment.workspace.connection.directory, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with running_stack(tmp_path_factory.mktemp("full-spool") / "data") as stack:
        yield stack


@pytest.fixture
def run(stack: RunningStack) -> Iterator[Run]:
    workspace = Workspace(stack.url, name=WORKSPACE)
    yield Experiment(workspace, "full").start_logging()
    workspace.connection.close()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", 1) as disk:
        yield disk


class Program:
    """The program, in the run, with its spool on the small disk; the gateway is frozen."""

    def __init__(self, stack: RunningStack, run: Run, disk: SmallDisk, directory: Path) -> None:
        self.environment = {
            **os.environ,
            "RUNHISTORY_URL": stack.url,
            "RUNHISTORY_WORKSPACE": WORKSPACE,
            "RUNHISTORY_RUN_ID": run.id,
            "RUNHISTORY_ATTEMPT": "1",
            "RUNHISTORY_SPOOL": str(disk.folder / "spool"),
        }
        self._ledger, self._errors = directory / "ledger", directory / "errors"
        gateway = stack.identity("gateway")
        assert gateway is not None
        self._gateway = gateway
        self._gateway.signal(signal.SIGSTOP)
        with self._errors.open("wb") as errors:
            command = [sys.executable, "-c", PROGRAM, str(self._ledger)]
            self.process = subprocess.Popen(
                command, env=self.environment, stdin=subprocess.PIPE, stderr=errors
            )

    def __enter__(self) -> "Program":
        return self

    def __exit__(self, *_: object) -> None:
        self.thaw()
        self.process.kill()
        self.process.communicate()

    def thaw(self) -> None:
        self._gateway.signal(signal.SIGCONT)

    def log(self, points: int) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{points}\n".encode())
        self.process.stdin.flush()

    def seqs(self, kind: str) -> Batches:
        """What the ledger says of batches."""
        text = self._ledger.read_text() if self._ledger.exists() else ""
        lines: list[Any] = [json.loads(line) for line in text.rpartition("\n")[0].splitlines()]
        return {seq: values for said, seq, values in lines if said == kind}

    def log_until(self, kind: str, points: int = 200) -> None:
        """Log on until there is a batch of that kind that was not there before."""
        before, deadline = self.seqs(kind), time.monotonic() + 60
        while self.seqs(kind).keys() <= before.keys():
            assert time.monotonic() < deadline, f"no batch is {kind}: {self.errors()}"
            assert self.process.poll() is None, self.errors()
            self.log(points)
            time.sleep(0.2)

    def errors(self) -> str:
        return self._errors.read_text()

    def end(self) -> int:
        """Let it end in order."""
        self.process.communicate(timeout=120)
        return self.process.returncode

    def sync(self) -> None:
        command = [sys.executable, "-m", "runhistory.cli", "sync"]
        done = subprocess.run(command, env=self.environment, capture_output=True, timeout=120)
        assert done.returncode == 0, done.stderr


def test_full_from_the_start_then_with_room_a_killed_program_loses_nothing_of_it(
    stack: RunningStack, run: Run, disk: SmallDisk, tmp_path: Path
) -> None:
    disk.fill()
    with Program(stack, run, disk, tmp_path) as program:
        program.log_until("held")
        assert program.errors().count("The spool cannot be written") == 1
        assert "No space left on device" in program.errors()
        disk.make_space()
        program.log_until("kept")
        program.process.kill()
        program.process.wait()
        program.thaw()
        program.sync()
        stored = stored_once(run, program.seqs("kept"))
        assert is_part(program.seqs("held"), program.seqs("kept"))
        assert is_part(program.seqs("kept"), stored)
    assert list((disk.folder / "spool").iterdir()) == []


@pytest.mark.parametrize("when", ["from the start", "in the middle"])
def test_all_of_it_arrives_in_order_while_the_disk_stays_full(
    when: str, stack: RunningStack, run: Run, disk: SmallDisk, tmp_path: Path
) -> None:
    if when == "from the start":
        disk.fill()
    with Program(stack, run, disk, tmp_path) as program:
        if when == "in the middle":
            program.log_until("kept")
            disk.fill(leave=16 << 10)
        program.log_until("held", 2_000)
        program.log(1_000)
        program.thaw()
        assert program.end() == 0, program.errors()
        assert "NOT SENT" not in program.errors()
        stored = stored_once(run, program.seqs("acknowledged"))
        batches = {**program.seqs("kept"), **program.seqs("held")}
        assert stored == batches == program.seqs("acknowledged")
        values = [value for seq in sorted(stored) for value in stored[seq]]
        assert values == [float(value) for value in range(1, len(values) + 1)]
    assert list((disk.folder / "spool").iterdir()) == []


def test_killed_while_the_disk_is_full_it_loses_what_it_held_in_memory_and_no_more(
    stack: RunningStack, run: Run, disk: SmallDisk, tmp_path: Path
) -> None:
    with Program(stack, run, disk, tmp_path) as program:
        program.log_until("kept")
        disk.fill(leave=16 << 10)
        program.log_until("held", 2_000)
        program.process.kill()
        program.process.wait()
        program.thaw()
        program.sync()
        stored = stored_once(run, program.seqs("kept"))
        assert is_part(program.seqs("kept"), stored)
        assert is_part(stored, {**program.seqs("kept"), **program.seqs("held")})
        report = run.get_ingestion()
        assert [writer.missing for writer in report.writers] == [[]], "what is lost is the end"


def is_part(some: Batches, all_of_them: Batches) -> bool:
    return {**all_of_them, **some} == all_of_them


def stored_once(run: Run, due: Batches) -> Batches:
    """The values of each batch of the run, none of which is there twice, once `due` is there."""
    query = f"SELECT seq, value FROM points WHERE run_id = '{run.id}' ORDER BY writer, seq, index"
    stored: Batches = {}
    deadline = time.monotonic() + 60
    while not due.keys() <= stored.keys() and time.monotonic() < deadline:
        stored = {}
        for seq, value in run.experiment.workspace.sql(query, limit=1_000_000):
            stored.setdefault(seq, []).append(value)
        time.sleep(0.1)
    values = [value for of_batch in stored.values() for value in of_batch]
    assert len(values) == len({*values})
    return stored


@pytest.mark.parametrize("has_room_at_last", [True, False])
def test_a_detached_run_on_a_full_disk_is_written_at_the_end_or_said_to_be_lost(
    has_room_at_last: bool, stack: RunningStack, disk: SmallDisk, tmp_path: Path
) -> None:
    disk.fill()
    environment = {
        **os.environ,
        "RUNHISTORY_MODE": "detached",
        "RUNHISTORY_WORKSPACE": WORKSPACE,
        "RUNHISTORY_DETACHED": str(disk.folder / "detached"),
    }
    pipe = subprocess.PIPE
    program = [sys.executable, "-c", DETACHED]
    process = subprocess.Popen(
        program, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True
    )
    assert process.stdout is not None
    run_id, directory = process.stdout.readline().split()
    if has_room_at_last:
        disk.make_space()
    _, errors = process.communicate(timeout=60)
    assert "The spool cannot be written" in errors
    assert ("are LOST" in errors) == (not has_room_at_last)
    if has_room_at_last:
        there = {**os.environ, "RUNHISTORY_URL": stack.url, "RUNHISTORY_WORKSPACE": WORKSPACE}
        command = [sys.executable, "-m", "runhistory.cli", "sync", directory]
        done = subprocess.run(command, env=there, capture_output=True, timeout=120)
        assert done.returncode == 0, done.stderr
        workspace = Workspace(stack.url, name=WORKSPACE)
        run = visible(workspace, run_id)
        run.wait_for_completion()
        assert run.get_status() == "Completed"
        due = {0: [float(value) for value in range(1_000)]}
        assert stored_once(run, due) == due
        workspace.connection.close()


def visible(workspace: Workspace, run_id: str) -> Run:
    """The run, which another process has sent just now."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return Run.get(workspace, run_id)
        except NotFound:
            assert time.monotonic() < deadline
            time.sleep(0.1)
