"""The SDK against a whole stack: what a user does, and what he reads back."""

import math
import re
import subprocess
import sys
import textwrap
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from runhistory import Experiment, Run, ScriptRunConfig, Workspace
from runhistory.sdk.errors import Conflict, NotFound, RunFailed
from tests.support.running_stack import RunningStack

pytestmark = pytest.mark.infrastructure
ROOT = Path(__file__).parents[2]


@pytest.fixture
def workspace(stack: RunningStack) -> Iterator[Workspace]:
    workspace = Workspace(stack.url, name=f"sdk-{uuid.uuid4().hex[:12]}")
    yield workspace
    workspace.connection.close()


@pytest.fixture
def experiment(workspace: Workspace) -> Experiment:
    return Experiment(workspace, "digits")


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "requirements.txt").write_text("")
    return folder


def write(folder: Path, script: str) -> ScriptRunConfig:
    (folder / "train.py").write_text(textwrap.dedent(script))
    return ScriptRunConfig(folder, "train.py")


class TestInteractive:
    def test_what_is_logged_reads_back_at_once(self, experiment: Experiment) -> None:
        with experiment.start_logging(tags={"kind": "test"}) as run:
            run.log("one", 0.5)
            run.log_list("many", [1, math.nan, math.inf, -math.inf])
            run.log("steps", 2.0, step=2**63 - 1)
            run.log("steps", 1.0, step=-(2**63))
            metrics = run.get_metrics()
            assert metrics["one"] == 0.5
            assert repr(metrics["many"]) == "[1.0, nan, inf, -inf]"
            assert metrics["steps"] == [1.0, 2.0]
            assert run.get_status() == "Running"
        assert run.get_status() == "Completed"
        assert run.get_tags() == {"kind": "test"}
        assert Run.get(experiment.workspace, run.id).type == "interactive"

    def test_tags_change_and_properties_do_not(self, experiment: Experiment) -> None:
        run = experiment.start_logging()
        run.tag("a", 1)
        run.set_tags({"a": 2, "b": "x"})
        assert run.get_tags() == {"a": "2", "b": "x"}
        run.add_properties({"p": "1"})
        with pytest.raises(Conflict):
            run.add_properties({"p": "2"})
        assert run.get_properties()["p"] == "1"
        run.complete()

    def test_an_exception_fails_it_and_says_why(self, experiment: Experiment) -> None:
        with pytest.raises(ZeroDivisionError), experiment.start_logging() as run:
            _ = 1 / 0
        details = run.get_details()
        assert details["status"] == "Failed"
        assert details["error"]["code"] == "ZeroDivisionError"
        with pytest.raises(Conflict) as caught:
            run.complete()
        assert caught.value.details["status"] == "Failed"
        with pytest.raises(RunFailed, match="ZeroDivisionError"):
            run.wait_for_completion()

    def test_points_come_after_the_end_and_change_nothing(self, experiment: Experiment) -> None:
        with experiment.start_logging() as run:
            run.log("loss", 1.0)
        run.log("loss", 0.5)
        assert run.get_metrics("loss") == {"loss": [1.0, 0.5]}
        assert run.get_status() == "Completed"

    def test_files_go_up_and_come_down(self, experiment: Experiment, tmp_path: Path) -> None:
        content = bytes(range(256)) * 9_000
        (tmp_path / "in").write_bytes(content)
        name = "outputs/a b%41 μ.bin"
        with experiment.start_logging() as run:
            run.upload_file(name, tmp_path / "in")
            run.upload_file("outputs/empty", tmp_path.joinpath("empty").open("w+b"))
            assert run.get_file_names() == [name, "outputs/empty"]
            run.download_file(name, tmp_path / "out")
            run.download_file("outputs/empty", tmp_path / "nothing")
        assert (tmp_path / "out").read_bytes() == content
        assert (tmp_path / "nothing").read_bytes() == b""
        with pytest.raises(NotFound, match="outputs/other"):
            run.download_file("outputs/other")

    def test_a_download_has_the_bytes_of_the_newest_upload(
        self, experiment: Experiment, tmp_path: Path
    ) -> None:
        with experiment.start_logging() as run:
            for content in (b"old", b"new", b"newest"):
                (tmp_path / "in").write_bytes(content)
                run.upload_file("outputs/model", tmp_path / "in")
                run.download_file("outputs/model", tmp_path / "out")
                assert (tmp_path / "out").read_bytes() == content

    def test_runs_are_found_again(self, workspace: Workspace, experiment: Experiment) -> None:
        runs = []
        for number in range(3):
            with experiment.start_logging(display_name=f"run {number}", tags={"n": number}) as run:
                runs.append(run)
        assert [found.id for found in experiment.get_runs()] == [run.id for run in reversed(runs)]
        assert [found.id for found in experiment.get_runs(tags={"n": "1"})] == [runs[1].id]
        assert list(experiment.get_runs(status="Failed")) == []
        assert workspace.find_run("run 1").id == runs[1].id
        assert workspace.find_run("@latest").id == runs[2].id
        assert workspace.experiments["digits"].id == experiment.id
        with pytest.raises(NotFound):
            workspace.get_run("0" * 32)


class TestSubmitted:
    def test_a_script_logs_prints_and_keeps_files(
        self, experiment: Experiment, code: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        config = write(
            code,
            """
            import sys
            from pathlib import Path
            from runhistory import Run

            run = Run.get_context(allow_offline=False)
            assert Run.get_context() is run
            for step in range(5):
                run.log("loss", 1 / (step + 1))
                print(f"epoch={step}: μ")
            print("careful", file=sys.stderr)
            Path("outputs/model.txt").write_text(sys.argv[1])
            run.upload_file("extra/by-hand.txt", "outputs/model.txt")
            run.tag("done", True)
            run.complete()  # does not decide
            """,
        )
        config.arguments = ["a \"b\" 'c' μ"]
        run = experiment.submit(config, tags={"team": "vision"})
        details = run.wait_for_completion(show_output=True)
        assert details["status"] == "Completed"
        printed = capsys.readouterr()
        assert [line for line in printed.out.splitlines() if line.startswith("epoch")] == [
            f"epoch={step}: μ" for step in range(5)
        ]
        assert "careful" in printed.err.splitlines()
        assert run.get_metrics("loss")["loss"] == [1 / (step + 1) for step in range(5)]
        assert run.get_tags() == {"team": "vision", "done": "True"}
        assert {"outputs/model.txt", "extra/by-hand.txt"} <= set(run.get_file_names())
        run.download_file("outputs/model.txt", tmp_path / "model.txt")
        assert (tmp_path / "model.txt").read_text() == "a \"b\" 'c' μ"
        logs = {Path(path).name: Path(path) for path in run.get_all_logs(tmp_path / "logs")}
        assert "epoch=4: μ" in logs["std_log.txt"].read_text("utf-8")
        with zipfile.ZipFile(run.restore_snapshot(path=tmp_path)) as archive:
            assert archive.read("train.py") == (code / "train.py").read_bytes()
        statuses = [entry["status"] for entry in details["timeline"]]
        assert [s for s in statuses if s in ("Queued", "Running", "Finalizing", "Completed")] == [
            *("Queued", "Running", "Finalizing", "Completed"),
        ]

    def test_a_script_that_exits_3_fails_the_run(self, experiment: Experiment, code: Path) -> None:
        config = write(
            code,
            """
            import sys
            from runhistory import Run
            Run.get_context().log("loss", 1.0)
            print("last words", file=sys.stderr)
            sys.exit(3)
            """,
        )
        run = experiment.submit(config)
        with pytest.raises(RunFailed, match="last words") as caught:
            run.wait_for_completion()
        assert caught.value.details["exit_code"] == 3
        assert run.get_metrics() == {"loss": 1.0}

    def test_a_cancelled_run_does_not_raise(self, experiment: Experiment, code: Path) -> None:
        run = experiment.submit(write(code, "import time; time.sleep(600)"))
        run.cancel()
        assert run.wait_for_completion()["status"] == "Canceled"

    def test_an_unknown_compute_target_names_those_that_are_known(
        self, experiment: Experiment, code: Path
    ) -> None:
        config = write(code, "")
        config.compute_target = "moon"
        with pytest.raises(Conflict, match="local"):
            experiment.submit(config)

    def test_the_same_code_is_sent_once(self, experiment: Experiment, code: Path) -> None:
        config = write(code, "")
        sent: list[tuple[int, int]] = []
        first = experiment.submit(config, progress=lambda *now: sent.append(now))
        assert sent[-1][0] == sent[-1][1]
        again: list[tuple[int, int]] = []
        second = experiment.submit(config, progress=lambda *now: again.append(now))
        assert again == [(0, 0)]
        assert first.get_snapshot_id() == second.get_snapshot_id()
        assert first.id != second.id
        for run in (first, second):
            assert run.wait_for_completion()["status"] == "Completed"


def test_points_outlive_a_killed_gateway(stack: RunningStack, experiment: Experiment) -> None:
    """Every point once, in order, though the gateway is killed twice while they come."""
    with experiment.start_logging() as run:
        for round in range(3):
            for i in range(5_000):
                run.log("loss", round * 5_000 + i)
            if round < 2:
                stack.wait_ready("gateway")
                stack.kill("gateway")
        run.flush(120)
        assert run.get_metrics()["loss"] == [float(i) for i in range(15_000)]
    stack.wait_ready("gateway")
    assert run.get_status() == "Completed"


def test_the_pages_example_runs(stack: RunningStack, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "sdk.md").read_text("utf-8")
    example = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert example is not None
    done = subprocess.run(
        [sys.executable, "-c", example[1]],
        cwd=tmp_path,
        env={"RUNHISTORY_URL": stack.url, "PATH": "", "PYTHONPATH": str(ROOT / "services")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stderr == ""
    promised = re.findall(r"# (.*)$", example[1], re.MULTILINE)
    assert done.stdout.splitlines() == promised
