"""While a run logs, each process of the stack is killed in turn: no point is lost or doubled."""

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from runhistory import Experiment, Run, ScriptRunConfig, Workspace
from runhistory.stack.identity import ProcessIdentity
from tests.support.running_stack import RunningStack, running_stack

pytestmark = [pytest.mark.infrastructure, pytest.mark.timeout(420)]

SCRIPT = """\
import os, sys, time
from pathlib import Path
from runhistory import Run

run, progress, stop = Run.get_context(), Path(sys.argv[1]), Path(sys.argv[2])
step, deadline = 0, time.monotonic() + 300
while not stop.exists() and time.monotonic() < deadline:
    run.log("loss", 1 / (step + 1), step=step)
    print(f"step={step}")
    step += 1
    Path(f"{progress}.new").write_text(f"{os.getpid()} {step}")
    os.replace(f"{progress}.new", progress)
    time.sleep(0.02)
Path("outputs/steps.txt").write_text(str(step))
"""


class LoggingRun:
    """A run that logs a point and prints a line every 20 ms, until it is told to finish."""

    def __init__(self, stack: RunningStack, folder: Path) -> None:
        code = folder / "code"
        code.mkdir()
        (code / "train.py").write_text(SCRIPT)
        self._progress, self._stop = folder / "progress", folder / "stop"
        experiment = Experiment(Workspace(stack.url), f"faults-{uuid.uuid4().hex[:8]}")
        self.run: Run = experiment.submit(
            ScriptRunConfig(
                str(code),
                script="train.py",
                arguments=[str(self._progress), str(self._stop)],
            )
        )
        self._base = f"{stack.url}/api/v1/workspaces/default/runs/{self.run.id}"

    @property
    def logged(self) -> int:
        """How many points the script has logged so far."""
        return int(self._progress.read_text().split()[1]) if self._progress.exists() else 0

    @property
    def script(self) -> ProcessIdentity:
        """The script's process."""
        found = ProcessIdentity.of(int(self._progress.read_text().split()[0]))
        assert found is not None, "the script does not run"
        return found

    def goes_on(self, points: int = 25) -> None:
        """Return when the script has logged so many points more."""
        target = self.logged + points
        _wait_until(lambda: self.logged >= target, 60)

    def finish(self) -> int:
        """Let the script end; the number of points that it logged."""
        self._stop.touch()
        self.is_over()
        return self.logged

    def is_over(self) -> dict[str, Any]:
        """Return when the run has ended, with its details."""
        deadline = time.monotonic() + 150
        while (details := self.get(""))["status"] not in ("Completed", "Failed", "Canceled"):
            assert time.monotonic() < deadline, details
            time.sleep(0.2)
        self.run.wait_for_completion(raise_on_error=False)
        return dict(details)

    def get(self, path: str, **parameters: Any) -> Any:
        """Read from the gateway, which may just be coming back."""
        for _ in range(60):
            with contextlib.suppress(httpx.TransportError):
                answer = httpx.get(f"{self._base}{path}", params=parameters, timeout=30)
                if answer.status_code != 503:
                    assert answer.status_code == 200, answer.text
                    return answer.json()
            time.sleep(0.25)
        raise AssertionError(f"no answer to {path}")

    def steps(self) -> list[int]:
        """Every point's step that can be seen, repetitions included."""
        series = self.get("/metrics", key="loss", attempt="all")["series"]
        return [step for one in series for step in one["steps"]]

    def lines(self) -> list[str]:
        """The script's output."""
        lines: list[str] = []
        cursor: str | None = None
        while True:
            page = self.get("/logs", limit=1000, **({"after": cursor} if cursor else {}))
            lines += [line["line"] for line in page["lines"] if line["stream"] == "stdout"]
            if not page["lines"]:
                return lines
            cursor = page["cursor"]


def _wait_until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack that these tests may kill."""
    with running_stack(tmp_path_factory.mktemp("faults") / "data") as stack:
        yield stack


def test_every_process_is_killed_and_every_point_is_there_once(
    own: RunningStack, tmp_path: Path
) -> None:
    logging = LoggingRun(own, tmp_path)
    logging.goes_on()

    for process in ("kafka", "engine", "lifecycle", "sink", "gateway"):
        own.kill(process)
        logging.goes_on()
        own.wait_ready(process)
        logging.goes_on()
    own.kill("supervisor")
    logging.goes_on()
    logged = logging.finish()

    details = logging.get("")
    assert details["status"] == "Completed", details
    _wait_until(lambda: len(logging.steps()) >= logged, 60)
    assert logging.steps() == list(range(logged))
    _wait_until(lambda: len(logging.lines()) >= logged, 60)
    assert logging.lines() == [f"step={step}" for step in range(logged)]
    statuses = [one["status"] for one in details["timeline"]]
    assert statuses == ("NotStarted Starting Queued Preparing Running Finalizing Completed".split())
    assert "outputs/steps.txt" in logging.run.get_file_names()


def test_a_killed_worker_fails_its_run_and_leaves_nothing_of_it(
    own: RunningStack, tmp_path: Path
) -> None:
    if not own.status().is_up:
        own.up()
    logging = LoggingRun(own, tmp_path)
    logging.goes_on()
    script = logging.script

    own.kill("worker")
    own.wait_ready("worker")
    details = logging.is_over()

    assert details["status"] == "Failed", details
    assert details["error"]["code"] == "WorkerLost"
    assert script.wait_gone(10)
    steps = logging.steps()
    assert steps == list(range(len(steps)))
