"""What happens to points when the process that logged them ends or forks."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tests.support.scripted_gateway import Answer, Request, ScriptedGateway

RUN_ID = "0190a1b2c3d47e5f8a9b0c1d2e3f4a5b"
ROOT = Path(__file__).parents[3]


def environment(gateway: ScriptedGateway) -> dict[str, str]:
    return {
        **os.environ,
        "RUNHISTORY_URL": gateway.url,
        "RUNHISTORY_RUN_ID": RUN_ID,
        "RUNHISTORY_ATTEMPT": "2",
        "RUNHISTORY_EXPERIMENT": "digits",
        "PYTHONPATH": str(ROOT / "services"),
    }


def run_script(
    gateway: ScriptedGateway, code: str, seconds: float = 60, patient_seconds: float = 30.0
) -> subprocess.CompletedProcess[str]:
    """`patient_seconds`: so long nothing is said at the end, on a busy machine too."""
    before = f"""
        from runhistory import Run
        from runhistory.sdk import farewell

        farewell.PATIENT_SECONDS = {patient_seconds}
        run = Run.get_context()
        """
    code = textwrap.dedent(before) + textwrap.dedent(code)
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment(gateway),
        capture_output=True,
        text=True,
        timeout=seconds,
    )


def taken(request: Request) -> Answer:
    return Answer(202, {"watermark": "run.metrics/0/1"})


def test_leaving_the_program_sends_what_was_logged(gateway: ScriptedGateway) -> None:
    gateway.script = taken
    done = run_script(gateway, "for i in range(25_000): run.log('loss', i)")
    assert (done.returncode, done.stderr) == (0, "")
    (points,) = gateway.points().values()
    assert points == [("loss", i, float(i)) for i in range(25_000)]
    assert gateway.requests[0].path == f"/runs/{RUN_ID}/attempts/2/metrics"


def test_a_program_that_ends_with_an_error_sends_what_was_logged(gateway: ScriptedGateway) -> None:
    gateway.script = taken
    done = run_script(gateway, "run.log('loss', 1)\nraise SystemExit(3)")
    assert done.returncode == 3
    assert list(gateway.points().values()) == [[("loss", 0, 1.0)]]


def test_leaving_the_program_waits_for_a_gateway_that_comes_back(gateway: ScriptedGateway) -> None:
    began = time.monotonic()

    def later(request: Request) -> Answer:
        return taken(request) if time.monotonic() > began + 5 else Answer(0, None)

    gateway.script = later
    done = run_script(gateway, "run.log('loss', 1)", patient_seconds=1.0)
    assert list(gateway.points().values()) == [[("loss", 0, 1.0)]]
    assert "1 points of run" in done.stderr  # says what it waits for
    assert done.returncode == 0


def test_what_could_not_be_sent_is_said(gateway: ScriptedGateway) -> None:
    gateway.script = lambda request: Answer(
        503, {"error": {"code": "unavailable", "message": "Kafka is away."}}
    )
    done = run_script(
        gateway,
        """
        import os
        os.environ["RUNHISTORY_EXIT_SECONDS"] = "6"
        for i in range(7): run.log('loss', i)
        """,
        patient_seconds=1.0,
    )
    assert done.returncode == 0
    assert "7 points" in done.stderr
    assert "NOT SENT" in done.stderr
    assert "Kafka is away." in done.stderr


def test_ctrl_c_while_leaving_gives_up_and_says_so(gateway: ScriptedGateway) -> None:
    gateway.script = lambda request: Answer(503, {})
    code = "from runhistory import Run\nRun.get_context().log('loss', 1)\nprint('over', flush=True)"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment(gateway),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "over\n"
    while "waiting up to" not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert "NOT SENT" in said


@pytest.mark.parametrize("how", ["os.fork", "multiprocessing"])
def test_a_forked_child_is_a_writer_of_its_own(gateway: ScriptedGateway, how: str) -> None:
    """No point twice, none lost, and the child's steps count from 0."""
    gateway.script = taken
    fork = {
        "os.fork": """
            if (child := os.fork()) == 0:
                work()
                sys.exit(0)
            os.waitpid(child, 0)
            """,
        "multiprocessing": """
            child = multiprocessing.get_context("fork").Process(target=work)
            child.start()
            child.join()
            """,
    }[how]
    code = (
        textwrap.dedent("""
            import multiprocessing, os, sys
            for i in range(1000): run.log('parent', i)

            def work():
                for i in range(1000): run.log('child', i)
                for i in range(10): run.log('parent', i)
            """)
        + textwrap.dedent(fork)
        + "\nfor i in range(1000, 2000): run.log('parent', i)\n"
    )
    done = run_script(gateway, code)
    assert (done.returncode, done.stderr) == (0, "")
    child, parent = sorted(gateway.points().values(), key=len)
    assert parent == [("parent", i, float(i)) for i in range(2000)]
    assert child == [("child", i, float(i)) for i in range(1000)] + [
        ("parent", i, float(i)) for i in range(10)
    ]


def test_forking_while_the_thread_sends_never_hangs(gateway: ScriptedGateway) -> None:
    gateway.script = taken
    done = run_script(
        gateway,
        """
        import os, sys
        for round in range(30):
            for i in range(500): run.log('parent', i)
            if (child := os.fork()) == 0:
                run.log('child', round)
                run.flush(20)
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
        """,
    )
    assert (done.returncode, done.stderr) == (0, "")
    writers = gateway.points()
    children = [points for points in writers.values() if points[0][0] == "child"]
    assert sorted(children) == [[("child", 0, float(round))] for round in range(30)]
    assert sum(len(points) for points in writers.values()) == 30 * 501
