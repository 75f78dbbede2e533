"""Signs of life of interactive runs: from start to end, no longer, and over a fork."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from tests.support.scripted_gateway import Answer, Request, ScriptedGateway

ROOT = Path(__file__).parents[3]


def run_program(gateway: ScriptedGateway, code: str) -> subprocess.CompletedProcess[str]:
    """A program with two interactive runs, whose heartbeats are 50 ms apart."""
    begin = """
        import os, time
        from runhistory import Experiment, Workspace
        experiment = Experiment(Workspace.from_config(), "e")
        first, second = experiment.start_logging(), experiment.start_logging()
    """
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(begin) + textwrap.dedent(code)],
        env={
            **os.environ,
            "RUNHISTORY_URL": gateway.url,
            "RUNHISTORY_HEARTBEAT_SECONDS": "0.05",
            "PYTHONPATH": str(ROOT / "services"),
        },
        capture_output=True,
        text=True,
        timeout=60,
    )


def accepted(request: Request) -> Answer:
    return Answer(200, {"attempt": 1, "status": "Running", "watermark": "run.events/0/1"})


def beats(gateway: ScriptedGateway) -> dict[str, int]:
    """How many heartbeats came, by path."""
    paths = [request.path for request in gateway.requests if request.path.endswith("/heartbeat")]
    return {path: paths.count(path) for path in paths}


def test_both_runs_are_spoken_for_until_they_end(gateway: ScriptedGateway) -> None:
    gateway.script = accepted
    done = run_program(
        gateway,
        """
        time.sleep(0.5)
        first.complete()
        time.sleep(0.1)
        print(first.id, second.id)
        time.sleep(0.5)
        """,
    )
    assert (done.returncode, done.stderr) == (0, "")
    first, second = done.stdout.split()
    found = beats(gateway)
    assert set(found) == {f"/runs/{one}/attempts/1/heartbeat" for one in (first, second)}
    paths = [request.path for request in gateway.requests]
    end = next(n for n, r in enumerate(gateway.requests) if b'"complete"' in r.body)
    late = [path for path in paths[end + 1 :] if first in path and path.endswith("/heartbeat")]
    assert len(late) <= 1  # one may have been under way
    assert found[f"/runs/{second}/attempts/1/heartbeat"] >= 3


def test_a_gateway_that_goes_away_is_tried_again_and_delays_no_exit(
    gateway: ScriptedGateway,
) -> None:
    def down(request: Request) -> Answer:
        refused = request.path.endswith("/heartbeat") and len(gateway.requests) < 10
        return Answer(503, {}) if refused else accepted(request)

    gateway.script = down
    done = run_program(gateway, "time.sleep(1.5)")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(beats(gateway)) == 2


def test_a_deleted_run_is_spoken_for_no_more(gateway: ScriptedGateway) -> None:
    def gone(request: Request) -> Answer:
        return Answer(410, {}) if request.path.endswith("/heartbeat") else accepted(request)

    gateway.script = gone
    done = run_program(gateway, "time.sleep(0.7)")
    assert list(beats(gateway).values()) == [1, 1]
    assert "not spoken for any more" in done.stderr


def test_a_forked_child_speaks_once_it_logs(gateway: ScriptedGateway) -> None:
    """A child that only computes leaves the run to its parent; a daemon keeps it alive."""
    gateway.script = accepted
    done = run_program(
        gateway,
        """
        from runhistory.sdk import heartbeats
        import threading
        def speaks():
            return any(one.name == "runhistory-heartbeats" for one in threading.enumerate())
        first.log("loss", 1)
        child = os.fork()
        if child == 0:
            silent = not speaks()
            first.log("loss", 2)
            os._exit(0 if silent and speaks() else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert speaks()
        first.complete()
        """,
    )
    assert done.returncode == 0, done.stderr
