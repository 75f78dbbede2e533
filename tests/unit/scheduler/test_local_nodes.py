"""One folder of nodes: one scheduler, one worker for each number, found again after a death."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from runhistory.scheduler.board import Target
from runhistory.scheduler.local_node import LocalNode
from runhistory.scheduler.local_nodes import LocalNodes, SchedulerTaken, node_environment
from runhistory.scheduler.patience import FAILURES_TOLD, Patience

TARGET = Target("default", "pool")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """In which `-m runhistory.worker` is a process that does nothing, for long."""
    package = tmp_path / "code" / "runhistory" / "worker"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text("import time\ntime.sleep(60)\n")
    return {**os.environ, "PYTHONPATH": str(tmp_path / "code")}


def kill(node: LocalNode) -> None:
    """It is a child of this process, so it is gone only once it was asked for."""
    node.send(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while not node.ended():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_folder_has_one_scheduler_at_a_time(tmp_path: Path) -> None:
    first = LocalNodes(tmp_path, {})
    with pytest.raises(SchedulerTaken, match="RUNHISTORY_SCHEDULER_DATA"):
        LocalNodes(tmp_path, {})
    first.close()
    LocalNodes(tmp_path, {}).close()


def test_nodes_outlive_their_scheduler_and_are_found_again(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    nodes = LocalNodes(tmp_path, environment)
    node = nodes.start(TARGET, 1, 2)
    pid, worker_id = node.record.pid, node.record.worker_id
    nodes.close()
    again = LocalNodes(tmp_path, environment)
    (found,) = again.of(TARGET)
    assert (found.record.pid, found.record.worker_id, found.record.life) == (pid, worker_id, 1)
    assert not found.ended()
    kill(node)
    assert found.ended()
    assert again.of(TARGET) == []
    second = again.start(TARGET, 1, 2)
    assert (second.record.worker_id, second.record.life) == (worker_id, 2)
    kill(second)
    again.close()


def test_a_node_that_node_json_does_not_name_yet_is_found_by_its_folder(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    nodes = LocalNodes(tmp_path, environment)
    node = nodes.start(TARGET, 1, 1)
    pid = node.record.pid
    node._note(pid=None, started=None)  # as when the scheduler died right after it
    nodes.close()
    (found,) = LocalNodes(tmp_path, environment).of(TARGET)
    assert found.record.pid == pid
    kill(node)


def test_a_reused_process_id_is_not_taken_for_a_node(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    nodes = LocalNodes(tmp_path, environment)
    node = nodes.start(TARGET, 1, 1)
    kill(node)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        node._note(pid=other.pid, started=psutil.Process(other.pid).create_time() - 60)
        nodes.close()
        assert LocalNodes(tmp_path, environment).of(TARGET) == []
        other.communicate(b"\n")


def test_what_is_the_schedulers_alone_is_not_handed_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNHISTORY_SCHEDULER_DATA", "here")
    monkeypatch.setenv("RUNHISTORY_KAFKA", "there")
    found = node_environment()
    assert "RUNHISTORY_SCHEDULER_DATA" not in found
    assert found["RUNHISTORY_KAFKA"] == "there"


def test_patience_grows_with_failures_and_a_node_that_works_restores_it() -> None:
    patience = Patience()
    assert patience.is_over()
    for _ in range(FAILURES_TOLD):
        assert patience.trouble is None
        patience.failed("no room")
    assert not patience.is_over()
    assert "no room" in (patience.trouble or "")
    patience.worked()
    assert patience.is_over()
    assert patience.trouble is None
