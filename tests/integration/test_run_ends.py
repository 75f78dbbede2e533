"""A run that ends while there is no gateway, on a whole stack: its end is told afterwards."""

import os
import signal
import subprocess
import sys
import textwrap
import time
import uuid
from datetime import datetime
from pathlib import Path

import pytest

from runhistory import Run, Workspace
from tests.support.running_stack import RunningStack

pytestmark = pytest.mark.infrastructure

PROGRAM = """
    import sys
    from runhistory import Experiment, Workspace

    run = Experiment(Workspace.from_config(), "ends").start_logging()
    run.log("before", 1)
    run.flush()
    print(run.id, flush=True)
    sys.stdin.readline()
    run.log_series("loss", range(100), range(100))
    run.complete()
    """


def test_it_is_completed_with_all_its_points_when_the_gateway_is_back(
    stack: RunningStack, tmp_path: Path
) -> None:
    name = f"ends-{uuid.uuid4().hex[:12]}"
    environment = {
        **os.environ,
        "RUNHISTORY_URL": stack.url,
        "RUNHISTORY_WORKSPACE": name,
        "RUNHISTORY_SPOOL": str(tmp_path / "spool"),
        "RUNHISTORY_EXIT_SECONDS": "2",
    }
    program = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PROGRAM)],
        env=environment,
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert program.stdout is not None
    run_id = program.stdout.readline().strip()
    supervisor = stack.pid("supervisor")
    os.kill(supervisor, signal.SIGSTOP)  # or the gateway would be back at once
    try:
        stack.kill("gateway")
        before = time.time()
        _, said = program.communicate("go\n", timeout=60)
        after = time.time()
    finally:
        os.kill(supervisor, signal.SIGCONT)
    assert program.returncode == 0
    assert "`runhistory sync`" in said
    stack.wait_ready("gateway")
    workspace = Workspace(stack.url, name=name)
    assert Run.get(workspace, run_id).get_status() == "Running"
    for _ in range(2):  # the second time there is nothing left
        sync = subprocess.run(
            [sys.executable, "-m", "runhistory.cli", "sync"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert sync.returncode == 0, sync.stderr
    run = Run.get(workspace, run_id)
    details = run.get_details()
    assert details["status"] == "Completed"
    assert before <= datetime.fromisoformat(details["ended"]).timestamp() <= after
    assert run.get_metrics() == {"before": 1.0, "loss": [float(i) for i in range(100)]}
    assert run.get_ingestion().is_whole
    workspace.connection.close()
