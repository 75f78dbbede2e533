"""The end of an interactive run that the gateway could not be told: who tells it, and when."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from runhistory.cli.main import app
from tests.support.scripted_gateway import Answer, Request, ScriptedGateway

ROOT = Path(__file__).parents[3]
BEGIN = """
    import os, sys, time
    from runhistory import Experiment, Workspace
    from runhistory.sdk import farewell

    farewell.PATIENT_SECONDS = 0.5
    experiment = Experiment(Workspace.from_config(), "e")
    run = experiment.start_logging()
    """
AWAY = Answer(503, {"error": {"code": "unavailable", "message": "Kafka is away."}})


@pytest.fixture
def spool(nowhere: Path) -> Path:
    return nowhere / "spool"


def start(
    gateway: ScriptedGateway, code: str, exit_seconds: float = 1, **more: str
) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(BEGIN) + textwrap.dedent(code)],
        env={
            **os.environ,
            "RUNHISTORY_URL": gateway.url,
            "RUNHISTORY_EXIT_SECONDS": f"{exit_seconds}",
            "RUNHISTORY_HEARTBEAT_SECONDS": "0.05",
            "PYTHONPATH": str(ROOT / "services"),
            **more,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def taken(request: Request) -> Answer:
    return Answer(202, {"attempt": 1, "status": "Running", "watermark": None})


def away_once_begun(request: Request) -> Answer:
    return taken(request) if request.path == "/runs" else AWAY


def commands(gateway: ScriptedGateway, *types: str) -> list[dict[str, Any]]:
    found = [one.json for one in gateway.requests if one.path.endswith("/commands")]
    return [one for one in found if one["type"] in (types or ("complete", "fail", "cancel"))]


def sync() -> Any:
    return CliRunner().invoke(app, ["sync"])


@pytest.mark.parametrize(
    ("ending", "type", "code"),
    [
        ("run.complete()", "complete", 0),
        ("run.fail('no luck')", "fail", 0),
        ("run.cancel('enough')", "cancel", 0),
        ("with run: pass", "complete", 0),
        ("with run: raise SystemExit(3)", "fail", 3),
    ],
)
@pytest.mark.parametrize("points", [7, 0])
def test_it_is_kept_on_disk_and_sync_tells_it_after_the_points(
    gateway: ScriptedGateway, spool: Path, ending: str, type: str, code: int, points: int
) -> None:
    gateway.script = away_once_begun
    before = time.time()
    process = start(gateway, f"for i in range({points}): run.log('x', i)\n{ending}")
    _, said = process.communicate(timeout=60)
    after = time.time()
    assert process.returncode == code
    (folder,) = spool.iterdir()
    assert f"({type})" in said
    assert f"kept in {folder}" in said
    assert "`runhistory sync`" in said
    assert "Kafka is away." in said
    gateway.script = taken
    tried, gateway.requests = commands(gateway), []
    done = sync()
    assert done.exit_code == 0, done.output
    assert "the end of the run sent" in done.output
    (told,) = commands(gateway)
    assert told["type"] == type
    assert {one["command_id"] for one in tried} <= {told["command_id"]}
    assert before <= datetime.fromisoformat(told["at"]).timestamp() <= after
    assert sum(map(len, gateway.points().values())) == points
    assert gateway.requests[-1].path.endswith("/commands")
    assert list(spool.iterdir()) == []


def test_one_whose_answer_was_lost_is_told_again_under_its_id(
    gateway: ScriptedGateway, spool: Path
) -> None:
    def lost(request: Request) -> Answer:
        is_end = request.path.endswith("/commands") and request.json["type"] == "complete"
        return Answer(0, None) if is_end else taken(request)

    gateway.script = lost
    process = start(gateway, "run.log('x', 1)\nrun.complete()")
    process.communicate(timeout=60)
    assert process.returncode == 0
    gateway.script = taken
    assert sync().exit_code == 0
    told = commands(gateway)
    assert len(told) >= 2
    assert len({one["command_id"] for one in told}) == 1
    assert list(spool.iterdir()) == []


def test_a_process_that_lives_on_tells_it_and_speaks_for_the_run_until_then(
    gateway: ScriptedGateway, spool: Path
) -> None:
    gateway.script = away_once_begun
    code = """
        run.log("x", 1)
        run.complete()
        print("kept", flush=True)
        while os.listdir(os.environ["RUNHISTORY_SPOOL"]): time.sleep(0.01)
        print("told", flush=True)
        time.sleep(0.5)
        """
    process = start(gateway, code)
    assert process.stdout is not None
    assert process.stdout.readline() == "kept\n"
    gateway.script = taken
    assert process.stdout.readline() == "told\n"
    process.communicate(timeout=60)
    assert process.returncode == 0
    (told,) = [n for n, one in enumerate(gateway.requests) if b'"complete"' in one.body]
    points = [n for n, one in enumerate(gateway.requests) if one.path.endswith("/metrics")]
    beats = [n for n, one in enumerate(gateway.requests) if one.path.endswith("/heartbeat")]
    assert max(points) < told
    assert len([one for one in beats if one > told]) <= 1  # one may have been under way
    assert list(spool.iterdir()) == []


def test_the_next_program_that_logs_tells_it(gateway: ScriptedGateway, spool: Path) -> None:
    gateway.script = away_once_begun
    start(gateway, "run.log('x', 1)\nrun.complete()").communicate(timeout=60)
    (folder,) = spool.iterdir()
    gateway.script = taken
    code = """
        run.log("mine", 1)
        while os.path.exists(os.environ["LEFT"]): time.sleep(0.01)
        run.complete()
        """
    process = start(gateway, code, exit_seconds=30, LEFT=str(folder))
    assert process.communicate(timeout=60) == ("", "")
    assert len({one["command_id"] for one in commands(gateway, "complete")}) == 2


def test_many_ends_wait_no_longer_than_one(gateway: ScriptedGateway, spool: Path) -> None:
    """What the first has waited for in vain the others do not wait for again."""
    gateway.script = away_once_begun
    code = """
        children = [run.child_run(f"{i}") for i in range(6)]
        for child in children: child.log("x", 1)
        began = time.monotonic()
        for child in children: child.complete()
        run.complete()
        print(time.monotonic() - began)
        """
    process = start(gateway, code, exit_seconds=6)
    seconds, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert float(seconds) < 2 * 6
    assert len(list(spool.iterdir())) == 7


def test_ctrl_c_gives_up_waiting_and_keeps_it(gateway: ScriptedGateway, spool: Path) -> None:
    gateway.script = away_once_begun
    process = start(gateway, "print('over', flush=True)\nrun.complete()", exit_seconds=60)
    assert process.stdout is not None
    assert process.stdout.readline() == "over\n"
    while not commands(gateway):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    gateway.script = taken
    assert sync().exit_code == 0
    assert len({one["command_id"] for one in commands(gateway)}) == 1
    assert list(spool.iterdir()) == []


def test_one_that_comes_too_late_is_said_to_be_refused(
    gateway: ScriptedGateway, spool: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gateway.script = away_once_begun
    start(gateway, "run.complete()").communicate(timeout=60)
    refusal = {"error": {"code": "conflict", "message": "It is Failed (Lost)."}}
    gateway.script = lambda request: Answer(409, refusal)
    assert sync().exit_code == 0
    assert "REFUSED" in caplog.text
    assert "the end of the run" in caplog.text
    assert "It is Failed (Lost)." in caplog.text
    assert list(spool.iterdir()) == []


def test_a_run_that_another_process_does_is_not_ended_later(gateway: ScriptedGateway) -> None:
    """A wish of now to stop something elsewhere means nothing tomorrow."""
    gateway.script = away_once_begun
    code = """
        from runhistory import Run
        from runhistory.sdk.errors import Unavailable

        try: Run(experiment, "0190a1b2c3d47e5f8a9b0c1d2e3f4a5b").complete()
        except Unavailable: print("told so")
        """
    process = start(gateway, code)
    assert process.communicate(timeout=60)[0] == "told so\n"


def test_complete_in_a_submitted_run_leaves_the_points_to_the_farewell(
    gateway: ScriptedGateway, spool: Path
) -> None:
    gateway.script = lambda request: AWAY
    code = """
        from runhistory import Run

        submitted = Run.get_context()
        submitted.log("x", 1)
        submitted.complete()
        """
    gateway.script = away_once_begun
    more = {"RUNHISTORY_RUN_ID": "0190a1b2c3d47e5f8a9b0c1d2e3f4a5b", "RUNHISTORY_ATTEMPT": "1"}
    process = start(gateway, code, **more)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    (folder,) = spool.iterdir()
    assert f"They are kept in {folder}" in said
