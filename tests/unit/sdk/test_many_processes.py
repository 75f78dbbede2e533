"""Many processes that log to one run: ranks, and workers that are forked or started anew."""

import os
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from runhistory import Experiment, Run, Workspace
from tests.support.scripted_gateway import Answer, Request, ScriptedGateway

RUN_ID = "0190a1b2c3d47e5f8a9b0c1d2e3f4a5b"
ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def willing(gateway: ScriptedGateway) -> None:
    def script(request: Request) -> Answer:
        return Answer(202, {"attempt": 1, "watermark": None})

    gateway.script = script


def start(gateway: ScriptedGateway, script: Path, **more: str) -> "subprocess.Popen[str]":
    environment = {
        **os.environ,
        "RUNHISTORY_URL": gateway.url,
        "PYTHONPATH": str(ROOT / "services"),
    }
    return subprocess.Popen(
        [sys.executable, str(script)],
        env={**environment, **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def program(nowhere: Path, code: str) -> Path:
    path = nowhere / "program.py"
    path.write_text(textwrap.dedent(code))
    return path


def test_ranks_are_writers_of_one_run(gateway: ScriptedGateway, nowhere: Path) -> None:
    script = program(
        nowhere,
        """
        import os
        from runhistory import Run

        rank = os.environ["RANK"]
        for i in range(2_000): Run.get_context().log(f"rank-{rank}", i)
        """,
    )
    ranks = [
        start(gateway, script, RANK=str(rank), RUNHISTORY_RUN_ID=RUN_ID, RUNHISTORY_ATTEMPT="1")
        for rank in range(4)
    ]
    for process in ranks:
        process.communicate(timeout=90)
        assert process.returncode == 0
    expected = [[(f"rank-{rank}", i, float(i)) for i in range(2_000)] for rank in range(4)]
    assert sorted(gateway.points().values()) == expected
    assert list((nowhere / "spool").iterdir()) == []


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_log_to_the_run_that_they_are_given(
    gateway: ScriptedGateway, nowhere: Path, method: str
) -> None:
    """As a DataLoader does it: daemonic workers that hold the run within their data set."""
    script = program(
        nowhere,
        f"""
        import multiprocessing, os
        from runhistory import Experiment, Workspace

        class Data:
            def __init__(self, run): self.run = run

        def work(data, number):
            for i in range(500): data.run.log(f"worker-{{number}}", i)

        if __name__ == "__main__":
            run = Experiment(Workspace(), "x").start_logging()
            for i in range(300): run.log("main", i)
            context = multiprocessing.get_context("{method}")
            workers = [
                context.Process(target=work, args=(Data(run), n), daemon=True) for n in range(2)
            ]
            for one in workers: one.start()
            for i in range(300, 600): run.log("main", i)
            for one in workers: one.join()
            assert [one.exitcode for one in workers] == [0, 0]
            run.complete()
        """,
    )
    process = start(gateway, script)
    _, said = process.communicate(timeout=90)
    assert process.returncode == 0, said
    assert sorted(gateway.points().values()) == [
        [("main", i, float(i)) for i in range(600)],
        [("worker-0", i, float(i)) for i in range(500)],
        [("worker-1", i, float(i)) for i in range(500)],
    ]
    assert list((nowhere / "spool").iterdir()) == []


def test_a_worker_that_is_killed_leaves_its_spool_to_the_next_program(
    gateway: ScriptedGateway, nowhere: Path
) -> None:
    script = program(
        nowhere,
        """
        import os
        from runhistory import Run

        run = Run.get_context()
        run.log("parent", 1)
        if (child := os.fork()) == 0:
            for i in range(100): run.log("child", i)
            run._writer.delivery.points._send = lambda batch: os.kill(os.getpid(), 9)
            run.flush()
        assert os.waitpid(child, 0)[1] == 9
        """,
    )
    process = start(gateway, script, RUNHISTORY_RUN_ID=RUN_ID, RUNHISTORY_ATTEMPT="1")
    _, said = process.communicate(timeout=90)
    assert process.returncode == 0, said
    assert [*gateway.points().values()] == [[("parent", 0, 1.0)]]
    (left,) = (nowhere / "spool").iterdir()
    environment = {**os.environ, "RUNHISTORY_URL": gateway.url}
    subprocess.run(
        [sys.executable, "-m", "runhistory.cli", "sync"], env=environment, check=True, timeout=90
    )
    assert gateway.points()[left.name] == [("child", i, float(i)) for i in range(100)]


def test_a_pickled_run_has_no_token(
    gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Experiment(Workspace(gateway.url, token="swordfish"), "x").start_logging()
    run.log("loss", 1)
    data = pickle.dumps(run)
    assert b"swordfish" not in data
    monkeypatch.setenv("RUNHISTORY_URL", gateway.url)
    monkeypatch.setenv("RUNHISTORY_TOKEN", "another")
    again: Run = pickle.loads(data)
    assert (again.id, again.attempt, again.experiment.name) == (run.id, 1, "x")
    assert again.experiment.workspace.connection.address.token == "another"
    run.complete()
