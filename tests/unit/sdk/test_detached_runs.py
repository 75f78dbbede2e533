"""Runs that are recorded without a gateway, and what a gateway is told of them later."""

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from runhistory import Experiment, ScriptRunConfig, Workspace
from runhistory.cli.main import app
from runhistory.sdk.errors import OfflineRunError
from tests.support.scripted_gateway import Answer, Request, ScriptedGateway

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def detached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNHISTORY_MODE", "detached")


def directory(nowhere: Path) -> Path:
    (found,) = (nowhere / ".runhistory" / "detached").iterdir()
    return found


def taken(request: Request) -> Answer:
    return Answer(201 if request.method == "PUT" else 202, {"watermark": None})


def sync(
    gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch, folder: Path, script: Any = taken
) -> Any:
    gateway.script = script
    monkeypatch.setenv("RUNHISTORY_URL", gateway.url)
    return CliRunner().invoke(app, ["sync", str(folder)])


def start(code: str, **more: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "services"), **more}
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def told(gateway: ScriptedGateway) -> list[str]:
    """What came, heartbeats and environments aside: the last parts of paths, types of commands."""
    found = []
    for one in gateway.requests:
        name = one.json["type"] if one.path.endswith("/commands") else one.path.rpartition("/")[2]
        if name not in ("heartbeat", "record_environment") and "/blobs" not in one.path:
            found.append(name)
    return found


def commands(gateway: ScriptedGateway) -> list[dict[str, Any]]:
    return [one.json for one in gateway.requests if one.path.endswith(("/commands", "/runs"))]


def test_a_whole_run_is_recorded_and_repeated_with_its_times(
    gateway: ScriptedGateway, nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (nowhere / "model").write_bytes(b"weights" * 1_000)
    before = time.time()
    with Experiment(Workspace(), "far away").start_logging(tags={"a": 1}) as run:
        run.log_params({"lr": 0.1})
        run.log("loss", 0.5)
        run.log("note", "text")
        run.tag("b", 2)
        run.flush()
        run.upload_file("outputs/model", nowhere / "model")
        assert run.get_status() == "Running"
        assert run.get_tags() == {"a": "1", "b": "2"}
        with pytest.raises(OfflineRunError, match="runhistory sync"):
            run.get_metrics()
    after = time.time()
    assert run.get_status() == "Completed"
    assert gateway.requests == []
    folder = directory(nowhere)
    done = sync(gateway, monkeypatch, folder)
    assert done.exit_code == 0, done.output
    found = told(gateway)
    assert found[0] == "runs"
    assert found[-1] == "complete"
    assert sorted(found[1:-1]) == ["add_params", "metrics", "model", "records", "set_tags"]
    assert all(before <= moment(one["at"]) <= after for one in commands(gateway))
    assert len({one["command_id"] for one in commands(gateway)}) == len(commands(gateway))
    assert next(one for one in gateway.requests if one.method == "PUT" and "model" in one.path).body
    assert [*gateway.points().values()] == [[("loss", 0, 0.5)]]
    assert not folder.exists()


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_an_interrupted_sync_repeats_under_the_same_ids(
    gateway: ScriptedGateway, nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Experiment(Workspace(), "far away").start_logging() as run:
        for i in range(3):
            run.tag("i", i)
    answers = iter([202, 202, 401])
    script: Callable[[Request], Answer] = lambda request: Answer(  # noqa: E731
        202 if request.path.endswith("heartbeat") else next(answers), {"watermark": None}
    )
    folder = directory(nowhere)
    assert sync(gateway, monkeypatch, folder, script).exit_code == 1
    assert sync(gateway, monkeypatch, folder).exit_code == 0
    ids = [one["command_id"] for one in commands(gateway)]
    assert len(ids) == len({*ids}) + 1  # the one that was refused
    assert told(gateway) == ["runs", "set_tags", "set_tags", "set_tags", "set_tags", "complete"]


@pytest.mark.parametrize(
    ("ending", "last"), [("", "complete"), ("raise ValueError('no')", "fail"), ("kill", "fail")]
)
def test_get_context_is_a_recorded_run_that_ends_with_its_process(
    gateway: ScriptedGateway,
    nowhere: Path,
    monkeypatch: pytest.MonkeyPatch,
    ending: str,
    last: str,
) -> None:
    kill = "run._writer.delivery.keep(); run.flush(); os.kill(os.getpid(), 9)"
    code = f"""
        import os
        from runhistory import Run

        run = Run.get_context()
        assert Run.get_context() is run
        for i in range(1000): run.log("loss", i)
        if (child := os.fork()) == 0:
            run.log("child", 1)
            raise SystemExit
        os.waitpid(child, 0)
        {kill if ending == "kill" else ending}
        """
    process = start(code, RUNHISTORY_EXPERIMENT="digits")
    _, said = process.communicate(timeout=60)
    folder = directory(nowhere)
    assert f"`runhistory sync {folder}`" in said
    done = sync(gateway, monkeypatch, folder)
    assert done.exit_code == 0, done.output
    created = commands(gateway)[0]
    assert created["content"]["experiment"] == "digits"
    assert sorted(map(len, gateway.points().values())) == [1, 1000]
    (end,) = [one for one in commands(gateway) if one.get("type") in ("complete", "fail")]
    assert end["type"] == last
    if last == "fail":
        assert end["error"]["code"] == ("Lost" if ending == "kill" else "ValueError")
    assert moment(end["at"]) <= time.time()
    assert not folder.exists()


def test_a_run_that_a_worker_does_is_refused(nowhere: Path) -> None:
    (nowhere / "train.py").write_text("")
    with pytest.raises(OfflineRunError, match="Unset RUNHISTORY_MODE"):
        Experiment(Workspace(), "x").submit(ScriptRunConfig(nowhere, "train.py"))


def test_a_process_that_still_records_is_left_alone(
    gateway: ScriptedGateway, nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Experiment(Workspace(), "x").start_logging()
    done = sync(gateway, monkeypatch, directory(nowhere))
    assert "in use" in done.output
    assert gateway.requests == []
    run.complete()
