"""Programs that log are killed with -9, and the gateway under them: what they kept arrives, once.

The ledger of each program, on disk, tells what its spool had and what was acknowledged. At the end:
acknowledged ⊆ stored, all that was kept is stored as it was, and no point is there twice. The run
is over when the rest is sent.
"""

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runhistory import Experiment, Workspace
from runhistory.sdk.run import Run
from tests.support.running_stack import RunningStack, running_stack

pytestmark = pytest.mark.infrastructure

ROUNDS = int(os.environ.get("RUNHISTORY_CLIENT_KILLS", "6"))
ORDER = "ORDER BY writer, seq, index"
PROGRAM = """
import itertools, os, sys, time
import orjson
from runhistory import Run
from runhistory.sdk.run_client import RunClient
from runhistory.sdk.spool import Spool

number, ledger = int(sys.argv[1]), os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
append, send_points = Spool.append, RunClient.send_points

def write(kind, body):
    batch = orjson.loads(body)
    line = [kind, batch["writer"], batch["seq"], batch["values"]]
    os.write(ledger, orjson.dumps(line) + b"\\n")

def kept(self, batch):
    append(self, batch)
    assert not self.held_items
    write("kept", batch.body)

def acknowledged(self, attempt, body, patience=0.0):
    send_points(self, attempt, body, patience)
    write("acknowledged", body)

Spool.append, RunClient.send_points = kept, acknowledged
run = Run.get_context(allow_offline=False)
for i in itertools.count():
    run.log("loss", number * 1e9 + i)
    if i % 20 == 0:
        time.sleep(0.01)
    if i == 500 and number % 3 == 0 and (child := os.fork()) == 0:  # a writer of its own
        number = number * 1e3 + 1
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with running_stack(tmp_path_factory.mktemp("client") / "data") as stack:
        yield stack


@pytest.fixture
def run(stack: RunningStack) -> Iterator[Run]:
    workspace = Workspace(stack.url, name="client-faults")
    yield Experiment(workspace, "killed").start_logging()
    workspace.connection.close()


@pytest.mark.timeout(180 + 60 * ROUNDS)
def test_what_killed_programs_kept_arrives_once(
    stack: RunningStack, run: Run, tmp_path: Path
) -> None:
    dice = random.Random(20)
    environment = {
        **os.environ,
        "RUNHISTORY_URL": stack.url,
        "RUNHISTORY_WORKSPACE": "client-faults",
        "RUNHISTORY_RUN_ID": run.id,
        "RUNHISTORY_ATTEMPT": "1",
        "RUNHISTORY_SPOOL": str(tmp_path / "spool"),
    }
    ledgers = []
    for number in range(1, ROUNDS + 1):
        ledgers.append(tmp_path / f"ledger-{number}")
        arguments = [sys.executable, "-c", PROGRAM, str(number), str(ledgers[-1])]
        process = subprocess.Popen(arguments, env=environment, start_new_session=True)
        try:
            wait_for(ledgers[-1], dice.choice(["kept", "acknowledged"]))
            if number % 2:
                stack.kill("gateway")
            time.sleep(dice.uniform(0.0, 2.0))  # it works, and its moment of death is by chance
        finally:
            os.killpg(process.pid, 9)
            process.wait()
    stack.wait_ready("gateway")
    run.complete()
    left = sync(environment, "--list")
    assert left.returncode == 0
    done = sync(environment)
    assert done.returncode == 0, done.stderr
    judge(run, ledgers)
    assert [path.name for path in (tmp_path / "spool").iterdir() if path.name != "damaged"] == []


def wait_for(ledger: Path, kind: str) -> None:
    deadline = time.monotonic() + 90
    while not ledger.exists() or f'["{kind}"' not in ledger.read_text():
        assert time.monotonic() < deadline, f"{ledger} has no {kind}"
        time.sleep(0.02)


def sync(environment: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "runhistory.cli", "sync", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)


def judge(run: Run, ledgers: list[Path]) -> None:
    kept: dict[tuple[str, int], list[float]] = {}
    acknowledged: set[tuple[str, int]] = set()
    for line in (line for ledger in ledgers for line in ledger.read_text().splitlines()):
        kind, writer, seq, values = read(line)
        if kind == "kept":
            kept[writer, seq] = values
        else:
            acknowledged.add((writer, seq))
    stored: dict[tuple[str, int], list[float]] = {}
    deadline = time.monotonic() + 60
    while len(stored) < len(kept) and time.monotonic() < deadline:
        stored = {}
        query = f"SELECT writer, seq, value FROM points WHERE run_id = '{run.id}' {ORDER}"
        for row in run.experiment.workspace.sql(query, limit=1_000_000):
            stored.setdefault((row[0], row[1]), []).append(row[2])
        time.sleep(0.2)
    assert acknowledged <= kept.keys()
    assert acknowledged <= stored.keys()
    written = {batch: values for batch, values in stored.items() if batch in kept}
    assert written == kept
    # Killed between a write to the spool and its line in the ledger: at most one for each writer.
    more = stored.keys() - kept.keys()
    assert max(Counter(writer for writer, _ in more).values(), default=0) <= 1
    values = [value for of_batch in stored.values() for value in of_batch]
    assert len(values) == len({*values})
    assert len({writer for writer, _ in stored}) >= ROUNDS
    for writer in {writer for writer, _ in stored}:
        seqs = sorted(seq for name, seq in stored if name == writer)
        assert seqs == [*range(len(seqs))]


def read(line: str) -> tuple[str, str, int, Any]:
    kind, writer, seq, values = json.loads(line)
    return kind, writer, seq, values
