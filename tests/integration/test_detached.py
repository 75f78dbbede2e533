"""A run that was recorded without a gateway, and what is read of it once it was sent."""

import os
import subprocess
import sys
import textwrap
import time
import uuid
from datetime import datetime
from pathlib import Path

import pytest

from runhistory import Workspace
from tests.support.running_stack import RunningStack

pytestmark = pytest.mark.infrastructure


def test_it_has_the_times_of_the_recording_and_all_that_was_logged(
    stack: RunningStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"detached-{uuid.uuid4().hex[:12]}"
    code = """
        import time
        from pathlib import Path
        from runhistory import Run

        run = Run.get_context()
        Path("model").write_bytes(b"weights")
        run.log_params({"lr": 0.1})
        run.log_series("loss", range(1000), [1 / (i + 1) for i in range(1000)])
        run.log("note", "text")
        run.tag("kind", "far away")
        run.upload_file("outputs/model", "model")
        with run.child_run("child") as child:
            child.log("x", 1)
        time.sleep(1)
        """
    environment = {
        **os.environ,
        "RUNHISTORY_MODE": "detached",
        "RUNHISTORY_URL": "http://127.0.0.1:9",
        "RUNHISTORY_WORKSPACE": name,
    }
    before = time.time()
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    after = time.time()
    (folder,) = (tmp_path / ".runhistory" / "detached").iterdir()
    del environment["RUNHISTORY_MODE"]
    environment["RUNHISTORY_URL"] = stack.url
    time.sleep(max(0.0, after + 2 - time.time()))  # the times below are told apart by this
    for _ in range(2):  # the second time there is nothing left
        sync = subprocess.run(
            [
                sys.executable,
                "-m",
                "runhistory.cli",
                "sync",
                str(tmp_path / ".runhistory/detached"),
            ],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert sync.returncode == 0, sync.stderr
    assert not folder.exists()
    workspace = Workspace(stack.url, name=name)
    (run,) = workspace.runs()
    (child,) = run.get_children()
    assert run.get_metrics()["note"] == "text"
    assert run.get_metrics("loss")["loss"] == [1 / (i + 1) for i in range(1000)]
    assert child.get_metrics() == {"x": 1.0}
    details = run.get_details()
    assert (details["status"], child.get_status()) == ("Completed", "Completed")
    assert (run.get_tags(), run.params) == ({"kind": "far away"}, {"lr": "0.1"})
    assert run.get_file_names() == ["outputs/model"]
    times = [details[which] for which in ("created", "started", "ended")]
    times += [change["time"] for change in details["timeline"]]
    moments = [datetime.fromisoformat(time).timestamp() for time in times]
    assert all(before - 1e-3 <= moment <= after for moment in moments)
    assert moments[2] - moments[1] >= 1
    query = f"SELECT min(time), max(time) FROM points WHERE run_id = '{run.id}'"
    (span,) = workspace.sql(query)
    assert all(before - 1e-3 <= at.timestamp() <= after for at in span)
    query = f"SELECT count() FROM run_statuses WHERE run_id = '{run.id}' AND since > {after}"
    assert [*workspace.sql(query)] == [(0,)]
    workspace.connection.close()
