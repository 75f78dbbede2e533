"""What a killed or cut off program left: who sends it, to whom, and what stays."""

import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from runhistory.cli.main import app
from tests.support.scripted_gateway import Answer, Request, ScriptedGateway

RUN_ID = "0190a1b2c3d47e5f8a9b0c1d2e3f4a5b"
ROOT = Path(__file__).parents[3]
TOKEN = "swordfish"


@pytest.fixture
def spool(nowhere: Path) -> Path:
    return nowhere / "spool"


def taken(request: Request) -> Answer:
    return Answer(202, {"watermark": "run.metrics/0/1"})


def away(request: Request) -> Answer:
    return Answer(503, {"error": {"code": "unavailable", "message": "Kafka is away."}})


def start(gateway: ScriptedGateway, code: str, **more: str) -> "subprocess.Popen[str]":
    environment = {
        **os.environ,
        "RUNHISTORY_URL": gateway.url,
        "RUNHISTORY_RUN_ID": RUN_ID,
        "RUNHISTORY_ATTEMPT": "2",
        "RUNHISTORY_EXIT_SECONDS": "0",
        "PYTHONPATH": str(ROOT / "services"),
        **more,
    }
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


LOGS_AND_WAITS = """
    import sys, time
    from pathlib import Path
    from runhistory import Run

    run = Run.get_context()
    for i in range(25_000): run.log("loss", i)
    run.log("note", "a text")
    assert run._writer.delivery.keep() is not None
    print("kept", flush=True)
    time.sleep(60)
    """


@pytest.fixture
def left(gateway: ScriptedGateway, spool: Path) -> Path:
    """The folder that a program left which was killed while the gateway was away."""
    gateway.script = away
    process = start(gateway, LOGS_AND_WAITS, RUNHISTORY_TOKEN=TOKEN)
    assert process.stdout is not None
    assert process.stdout.readline() == "kept\n"
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=20)
    (folder,) = spool.iterdir()
    gateway.requests.clear()
    return folder


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["sync", *arguments])


def test_sync_sends_what_a_killed_program_left_in_order_under_its_ids(
    gateway: ScriptedGateway, spool: Path, left: Path
) -> None:
    gateway.script = taken
    done = invoke()
    assert done.exit_code == 0, done.output
    assert "25,000 points, 1 records sent" in done.output
    assert gateway.points() == {left.name: [("loss", i, float(i)) for i in range(25_000)]}
    bodies = [json.loads(one.body) for one in gateway.requests if one.path.endswith("/metrics")]
    assert [body["seq"] for body in bodies] == [*range(len(bodies))]
    assert {one.headers["authorization"] for one in gateway.requests} == {f"Bearer {TOKEN}"}
    assert {one.path for one in gateway.requests} == {
        f"/runs/{RUN_ID}/attempts/2/metrics",
        f"/runs/{RUN_ID}/attempts/2/records",
    }
    assert list(spool.iterdir()) == []
    assert "Nothing waits" in invoke().output


def test_nobody_else_can_read_the_token(left: Path) -> None:
    assert TOKEN in (left / "writer.json").read_text()
    assert stat.S_IMODE(left.stat().st_mode) == 0o700
    assert stat.S_IMODE(left.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in left.iterdir()} == {0o600}


def test_the_next_program_that_logs_sends_it_quietly(
    gateway: ScriptedGateway, spool: Path, left: Path
) -> None:
    gateway.script = taken
    code = """
        import os, time
        from pathlib import Path
        from runhistory import Run
        from runhistory.sdk import farewell

        farewell.PATIENT_SECONDS = 30.0  # on a busy machine, too, nothing is to be said
        Run.get_context().log("mine", 1)
        while Path(os.environ["LEFT"]).exists(): time.sleep(0.01)
        """
    process = start(gateway, code, RUNHISTORY_EXIT_SECONDS="30", LEFT=str(left))
    said = process.communicate(timeout=60)
    assert said == ("", "")
    points = gateway.points()
    assert points.pop(left.name) == [("loss", i, float(i)) for i in range(25_000)]
    assert [*points.values()] == [[("mine", 0, 1.0)]]
    assert list(spool.iterdir()) == []


@pytest.mark.parametrize(("most", "is_said"), [("1000", True), ("100000000", False)])
def test_a_program_is_told_when_those_that_are_gone_have_left_more_than_one_may(
    gateway: ScriptedGateway, spool: Path, left: Path, most: str, is_said: bool
) -> None:
    """The limit is for each writer, and every program that dies leaves one more."""
    gateway.script = lambda request: (
        taken(request) if b'"mine"' in request.body else Answer(401, {})
    )
    code = """
        import threading
        from runhistory import Run
        from runhistory.sdk import farewell

        farewell.PATIENT_SECONDS = 30.0
        Run.get_context().log("mine", 1)
        [sync] = [one for one in threading.enumerate() if one.name == "runhistory-sync"]
        sync.join()
        """
    process = start(gateway, code, RUNHISTORY_EXIT_SECONDS="30", RUNHISTORY_SPOOL_BYTES=most)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert ("1 program" in said) is is_said
    assert (f"in {spool}" in said) is is_said
    assert ("`runhistory sync --list`" in said) is is_said
    assert left.exists()


def test_what_cannot_be_sent_stays_and_says_why(gateway: ScriptedGateway, left: Path) -> None:
    missing = {"error": {"code": "run_not_found", "message": "There is no such run."}}
    for status, content in ((401, {}), (404, missing)):
        gateway.script = lambda request, s=status, c=content: Answer(s, c)
        done = invoke()
        assert done.exit_code == 1
        assert "25,000 points, 1 records stay" in done.output
        assert left.exists()
    gateway.script = taken
    assert invoke(str(left)).exit_code == 0
    assert len(gateway.points()[left.name]) == 25_000


def test_sync_that_is_interrupted_goes_on_where_it_was(
    gateway: ScriptedGateway, left: Path
) -> None:
    answers = iter([202, 401])
    gateway.script = lambda request: Answer(next(answers), {})
    assert "stay in" in invoke().output
    first = len(gateway.requests)
    gateway.script = taken
    assert invoke().exit_code == 0
    bodies = [one.body for one in gateway.requests]
    assert bodies[0] not in bodies[first:]
    assert len(gateway.points()[left.name]) == 25_000


def test_what_is_refused_for_good_is_said_and_the_rest_is_sent(
    gateway: ScriptedGateway, left: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def script(request: Request) -> Answer:
        is_first = b'"seq":0,' in request.body and request.path.endswith("/metrics")
        return Answer(400, {"error": {"message": "bad"}}) if is_first else taken(request)

    gateway.script = script
    assert invoke().exit_code == 0
    assert "REFUSED" in caplog.text
    assert not left.exists()


def test_a_program_that_lives_keeps_its_spool(gateway: ScriptedGateway, spool: Path) -> None:
    gateway.script = away
    process = start(gateway, LOGS_AND_WAITS)
    assert process.stdout is not None
    assert process.stdout.readline() == "kept\n"
    try:
        gateway.requests.clear()
        done = invoke("--json")
        (row,) = json.loads(done.stdout)
        assert (row["state"], row["run_id"]) == ("in use", RUN_ID)
        assert done.exit_code == 0
        assert len(list(spool.iterdir())) == 1
    finally:
        process.kill()
        process.communicate()


def test_a_torn_end_is_reported_kept_aside_and_all_before_it_is_sent(
    gateway: ScriptedGateway, spool: Path, left: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (segment,) = left.glob("points-*.seg")
    os.truncate(segment, segment.stat().st_size - 1)
    gateway.script = taken
    assert invoke().exit_code == 0
    sent = gateway.points()[left.name]
    assert sent == [("loss", i, float(i)) for i in range(len(sent))]
    assert 10_000 <= len(sent) < 25_000
    assert "cut off or altered" in caplog.text
    (aside,) = (spool / "damaged").iterdir()
    assert left.name in aside.name
    assert "Nothing waits" in invoke().output


def test_list_shows_and_sends_nothing(gateway: ScriptedGateway, left: Path) -> None:
    done = invoke("--list")
    assert done.exit_code == 0
    assert f"{left}" in done.output.replace("\n", "")
    assert gateway.requests == []


def test_leaving_says_what_remains_where_and_which_command_sends_it(
    gateway: ScriptedGateway, spool: Path
) -> None:
    gateway.script = away
    process = start(
        gateway, "from runhistory import Run\nfor i in range(7): Run.get_context().log('x', i)"
    )
    _, said = process.communicate(timeout=30)
    assert process.returncode == 0
    (folder,) = spool.iterdir()
    assert "7 points" in said
    assert f"They are kept in {folder}" in said
    assert "`runhistory sync`" in said
    gateway.script = taken
    assert invoke().exit_code == 0
    assert [*gateway.points().values()] == [[("x", i, float(i)) for i in range(7)]]
