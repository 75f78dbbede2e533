"""How often a program is told that the gateway is away: once, and once that it is back."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.support.scripted_gateway import Answer, Request, ScriptedGateway

ROOT = Path(__file__).parents[3]
AWAY = Answer(503, {"error": {"message": "Kafka is away."}})


def said_by(gateway: ScriptedGateway, code: str) -> list[str]:
    """What a program with a run and a child of it says."""
    begin = """
        import os, time
        from runhistory import Experiment, Workspace
        from runhistory.sdk import farewell, outage

        farewell.PATIENT_SECONDS = 30.0
        outage.CALM_SECONDS = 3.0
        first = Experiment(Workspace.from_config(), "e").start_logging()
        second = first.child_run("second")
        """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(begin) + textwrap.dedent(code)],
        env={**os.environ, "RUNHISTORY_URL": gateway.url, "PYTHONPATH": str(ROOT / "services")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr.splitlines()


LOGS = """
    for i in range(15):
        for run in (first, second):
            run.log("x", i)
            run.log("note", "a text")
        if i % 3 == 0: first.flush()
        time.sleep(0.1)
    """
ENDS = """
    first.complete()
    second.complete()
    """


@pytest.mark.parametrize("of", [1, 2, 3])
def test_of_a_gateway_that_takes_this_and_refuses_that_it_is_told_once(
    gateway: ScriptedGateway, of: int
) -> None:
    """The points, records and runs of a process, each tried again and again, are one outage."""

    def script(request: Request) -> Answer:
        number = sum("/attempts/" in one.path for one in gateway.requests)
        is_away = request.path.endswith(("/metrics", "/records")) and (
            number < 15 if of == 1 else number < 60 and number % of
        )
        return AWAY if is_away else Answer(202, {"attempt": 1, "watermark": None})

    gateway.script = script
    away, back = said_by(gateway, LOGS + ENDS)
    assert "Kafka is away." in away
    assert "takes what is logged again" in back


def test_a_second_outage_is_told_as_well(gateway: ScriptedGateway) -> None:
    def script(request: Request) -> Answer:
        number = sum("/attempts/" in one.path for one in gateway.requests)
        is_away = request.path.endswith("/metrics") and b'"away"' in request.body and number % 2
        return AWAY if is_away else Answer(202, {"attempt": 1, "watermark": None})

    gateway.script = script
    code = """
        for _ in range(2):
            for i in range(2):
                first.log("away", i)
                first.flush()
            for i in range(5):
                time.sleep(1)
                first.log("there", i)
        """
    said = said_by(gateway, textwrap.dedent(code) + textwrap.dedent(ENDS))
    assert ["again" in one for one in said] == [False, True, False, True]
