"""Compute targets on a whole stack: nodes come when runs wait, and go; whatever is killed."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil
import pytest
from typer.testing import CliRunner

from runhistory.cli.main import app
from runhistory.sdk.compute_target import ComputeTarget
from runhistory.sdk.config import ScriptRunConfig
from runhistory.sdk.errors import Conflict, NotFound
from runhistory.sdk.experiment import Experiment
from runhistory.sdk.run import Run
from runhistory.sdk.workspace import Workspace
from tests.support.running_stack import RunningStack

pytestmark = [pytest.mark.infrastructure, pytest.mark.timeout(180)]

WAIT_FOR = """
import pathlib, sys, time
print("here", flush=True)
while not pathlib.Path(sys.argv[1]).exists():
    time.sleep(0.02)
"""
T = TypeVar("T")


@pytest.fixture
def workspace(stack: RunningStack, request: pytest.FixtureRequest) -> Iterator[Workspace]:
    """One of its own for each test; its targets are deleted in the end, so that no node stays."""
    workspace = Workspace(stack.url, name=request.node.name.replace("_", "-")[5:60])
    yield workspace
    for target in ComputeTarget.list(workspace):
        with suppress(NotFound):
            target.delete()
    until(lambda: not nodes_of(stack, workspace), 30)


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "quick.py").write_text("print('done')\n")
    (folder / "wait.py").write_text(WAIT_FOR)
    return folder


def until(find: Callable[[], T], seconds: float = 30) -> T:
    deadline = time.monotonic() + seconds
    while not (found := find()):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)
    return found


def submit(workspace: Workspace, code: Path, target: str, script: str, *arguments: str) -> Run:
    config = ScriptRunConfig(code, script=script, arguments=list(arguments), compute_target=target)
    return Experiment(workspace, "compute").submit(config)


def statuses(run: Run) -> list[str]:
    return [point["status"] for point in details(run)["timeline"]]


def details(run: Run) -> dict[str, Any]:
    found: dict[str, Any] = run.experiment.workspace.connection.get(f"/runs/{run.id}")
    return found


def nodes_of(stack: RunningStack, workspace: Workspace) -> list[psutil.Process]:
    """The worker processes of this workspace's pools."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            variables = process.environ()
            if (
                process.cmdline()[-1:] == ["runhistory.worker"]
                and variables.get("RUNHISTORY_WORKER_WORKSPACE") == workspace.name
                and variables.get("_RUNHISTORY_STACK") == str(stack.data.resolve())
            ):
                found.append(process)
    return found


def test_many_runs_share_few_nodes_which_go_when_they_are_idle(
    stack: RunningStack, workspace: Workspace, code: Path
) -> None:
    target = ComputeTarget.create(workspace, "pool", max_nodes=2, idle_seconds=1)
    runs = [submit(workspace, code, "pool", "quick.py") for _ in range(6)]
    most = 0

    def all_over() -> bool:
        nonlocal most
        most = max(most, len(nodes_of(stack, workspace)))
        return all(run.get_status() == "Completed" for run in runs)

    until(all_over, 60)
    assert most == 2
    assert len({details(run)["worker_id"] for run in runs}) == 2
    usual = ["NotStarted", "Starting", "Queued", "Preparing", "Running", "Finalizing", "Completed"]
    assert statuses(runs[0]) == [*usual[:3], "Provisioning", *usual[3:]]
    assert statuses(runs[-1]) in (usual, [*usual[:3], "Provisioning", *usual[3:]])
    until(lambda: not nodes_of(stack, workspace), 15)
    until(lambda: not ComputeTarget(workspace, "pool").nodes)
    told = list(workspace.sql("SELECT node, status, life FROM nodes ORDER BY node"))
    assert told == [("pool-1", "Released", 1), ("pool-2", "Released", 1)]
    target.refresh()
    assert (target.waiting_runs, target.serialize()["running"]) == ([], 0)


def test_a_node_that_is_released_at_once_never_takes_a_run_with_it(
    stack: RunningStack, workspace: Workspace, code: Path
) -> None:
    ComputeTarget.create(workspace, "pool", max_nodes=1, idle_seconds=0)
    for pause in (0.0, 0.3):
        run = submit(workspace, code, "pool", "quick.py")
        until(lambda run=run: run.get_status() in ("Completed", "Failed"))
        assert run.get_status() == "Completed"
        time.sleep(pause)  # so that the next one comes while the node is going, or gone


def test_nodes_outlive_a_killed_scheduler_and_say_what_they_held_when_killed_themselves(
    stack: RunningStack, workspace: Workspace, code: Path, tmp_path: Path
) -> None:
    ComputeTarget.create(workspace, "pool", max_nodes=1, idle_seconds=1)
    go = tmp_path / "go"
    run = submit(workspace, code, "pool", "wait.py", str(go))
    until(lambda: run.get_status() == "Running")
    (before,) = nodes_of(stack, workspace)
    stack.kill("scheduler")
    held = submit(workspace, code, "pool", "wait.py", str(tmp_path / "never"))
    last = submit(workspace, code, "pool", "quick.py")
    stack.wait_ready("scheduler")
    assert nodes_of(stack, workspace) == [before]
    go.touch()
    until(lambda: held.get_status() == "Running")
    assert run.get_status() == "Completed"
    before.kill()
    until(lambda: held.get_status() == "Failed", 15)
    assert details(held)["error"]["code"] == "WorkerLost"
    until(lambda: last.get_status() == "Completed")
    until(lambda: not nodes_of(stack, workspace), 15)


def test_a_run_that_no_node_can_take_is_told_so_once(
    stack: RunningStack, workspace: Workspace, code: Path
) -> None:
    ComputeTarget.create(workspace, "pool", max_nodes=1, slots=2)
    config = ScriptRunConfig(code, script="quick.py", compute_target="pool", slots=3)
    run = Experiment(workspace, "compute").submit(config)

    def warnings() -> list[str]:
        sql = f"SELECT data FROM events WHERE run_id = '{run.id}' AND type = 'run.warned.v1'"
        return [row[0] for row in workspace.sql(sql)]

    until(warnings)
    stack.kill("scheduler")
    stack.wait_ready("scheduler")
    (warning,) = warnings()
    assert "NoWorker" in warning
    assert "3 slots, and a node has 2" in warning
    assert run.get_status() == "Queued"
    assert not nodes_of(stack, workspace)
    run.cancel()


def test_local_grows_when_it_is_told_to(
    stack: RunningStack, workspace: Workspace, code: Path, tmp_path: Path
) -> None:
    assert ComputeTarget(workspace, "local").pool.max_nodes == 1
    go = tmp_path / "go"
    runs = [submit(workspace, code, "local", "wait.py", str(go)) for _ in range(stack.slots + 1)]
    ComputeTarget(workspace, "local").update(max_nodes=2, idle_seconds=1)
    until(lambda: all(run.get_status() == "Running" for run in runs))
    assert len(nodes_of(stack, workspace)) == 1
    go.touch()
    until(lambda: all(run.get_status() == "Completed" for run in runs))


def test_a_target_has_to_be_declared_and_is_there_at_once(
    stack: RunningStack, workspace: Workspace, code: Path
) -> None:
    with pytest.raises(Conflict, match="no compute target 'pool'") as refused:
        submit(workspace, code, "pool", "quick.py")
    assert refused.value.code == "unknown_compute_target"
    for _ in range(3):
        target = ComputeTarget.create(workspace, "pool", max_nodes=1)
        submit(workspace, code, "pool", "quick.py").cancel()
        target.delete()
        with pytest.raises(Conflict, match="Known here: local"):
            submit(workspace, code, "pool", "quick.py")
    answer = httpx.delete(f"{stack.url}/api/v1/workspaces/{workspace.name}/compute/local")
    assert answer.status_code == 404
    assert "cannot be deleted" in answer.text


def test_the_command_line_declares_shows_and_hints(
    stack: RunningStack,
    workspace: Workspace,
    code: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNHISTORY_URL", stack.url)
    monkeypatch.setenv("RUNHISTORY_WORKSPACE", workspace.name)

    def call(*arguments: str) -> str:
        result = CliRunner().invoke(app, [*arguments])
        assert result.exit_code == 0, result.output
        return result.output

    assert "0 to 1 nodes" in call("compute", "create", "pool", "--max", "1", "--idle", "1")
    assert "released after 2 s" in call("compute", "update", "pool", "--idle", "2")
    go = tmp_path / "go"
    arguments = (str(code), "--script", "wait.py", "--compute-target", "pool", "--", str(go))
    call("submit", *arguments)
    assert "waits for a free slot on pool (1 run before it)" in call("submit", *arguments)
    assert call("compute", "list").splitlines()[1].startswith("local")
    until(lambda: "busy" in call("compute", "show", "pool"))
    go.touch()
    until(lambda: "2 idle" not in call("compute", "list") and "-" in call("compute", "list"))
    assert "Deleted pool" in call("compute", "delete", "pool")
