"""The one-machine stack: started, watched, killed in every way, stopped."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from runhistory.domain.ids import new_run_id
from runhistory.stack import commands
from runhistory.stack.commands import StackError, StackInUse
from runhistory.stack.ports import free_base_port
from runhistory.stack.state import StackFiles
from tests.support.running_stack import PROCESSES, RunningStack, running_stack

pytestmark = pytest.mark.infrastructure


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack that these tests may kill, in a folder whose name is not simple."""
    with running_stack(tmp_path_factory.mktemp("stack") / "a b é") as stack:
        yield stack


@pytest.fixture
def up(own: RunningStack) -> RunningStack:
    """The stack, up and whole, whatever the test before did to it."""
    deadline = time.monotonic() + 30
    while own.status().phase == "ready" and not own.status().is_up and time.monotonic() < deadline:
        time.sleep(0.2)  # the others notice what was killed, and recover
    if not own.status().is_up:
        own.down()
        own.up()
    return own


def _create_run(url: str) -> str:
    run_id = new_run_id()
    content = {"experiment": f"stack-{uuid.uuid4().hex[:8]}", "type": "interactive"}
    request = urllib.request.Request(
        f"{url}/api/v1/workspaces/default/runs",
        data=json.dumps({"run_id": run_id, "content": content}).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 201
        watermark = json.load(answer)["watermark"]
    assert _status_of(url, run_id, f"?watermark={watermark}")
    return run_id


def _status_of(url: str, run_id: str, query: str = "") -> str:
    path = f"{url}/api/v1/workspaces/default/runs/{run_id}{query}"
    with urllib.request.urlopen(path, timeout=30) as answer:
        status = json.load(answer)["status"]
    assert isinstance(status, str)
    return status


def test_it_says_how_it_is_and_where(up: RunningStack) -> None:
    status = up.status()

    assert status.is_up, status
    assert (status.phase, status.url) == ("ready", up.url)
    assert tuple(process.name for process in status.processes) == PROCESSES
    assert json.loads((up.data / "config.json").read_text("utf-8"))["url"] == up.url
    for process in status.processes:
        assert Path(process.log).stat().st_size > 0
        assert process.pid is not None


def test_a_second_stack_on_the_same_data_is_refused(up: RunningStack) -> None:
    supervisor = up.pid("supervisor")

    with pytest.raises(StackInUse, match=up.url):
        commands.up(up.data, port=free_base_port())

    assert up.pid("supervisor") == supervisor
    assert up.status().is_up


def test_a_second_stack_on_the_same_ports_is_refused(up: RunningStack, tmp_path: Path) -> None:
    with pytest.raises(StackError) as refusal:
        commands.up(tmp_path / "data", port=up.port)

    assert f"{up.port} (for gateway): process {up.pid('gateway')}" in str(refusal.value)
    assert commands.status(tmp_path / "data").phase == "failed"
    assert commands.down(tmp_path / "data") is False
    assert up.status().is_up


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_that_is_killed_comes_back(up: RunningStack, process: str) -> None:
    others = {name: up.pid(name) for name in PROCESSES if name != process}

    killed = up.kill(process)
    up.wait_ready(process)

    assert up.pid(process) != killed.pid
    found = {one.name: one for one in up.status().processes}
    assert found[process].last_exit == "SIGKILL"
    assert found[process].restarts >= 1
    assert {name: up.pid(name) for name in others} == others


def test_without_its_supervisor_the_stack_goes_on_and_up_starts_afresh(up: RunningStack) -> None:
    before = {name: up.pid(name) for name in PROCESSES}
    run_id = _create_run(up.url)
    up.kill("supervisor")

    status = up.status()
    assert (status.phase, status.is_up) == ("unsupervised", False)
    assert {process.name: process.pid for process in status.processes} == before
    assert _status_of(up.url, run_id)

    up.up()

    assert up.status().is_up
    assert not set(before.values()) & {up.pid(name) for name in PROCESSES}
    assert _status_of(up.url, run_id)


def test_state_survives_a_killed_supervisor_and_down_and_up(up: RunningStack) -> None:
    run_id = _create_run(up.url)
    status = _status_of(up.url, run_id)
    up.kill("supervisor")

    assert up.down() is True
    assert up.left_running() == []
    assert up.status().phase == "stopped"
    assert up.down() is False
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", up.port))
    up.up()

    assert _status_of(up.url, run_id) == status


def test_down_ends_what_nobody_wrote_down(up: RunningStack) -> None:
    """The supervisor died between starting a process and saying so."""
    up.kill("supervisor")
    StackFiles(up.data).state.unlink()

    assert up.down() is True

    assert up.left_running() == []


def test_in_the_foreground_it_ends_cleanly_on_ctrl_c(tmp_path: Path) -> None:
    stack = RunningStack(tmp_path / "data")
    arguments = ["--data", str(stack.data), "--port", str(stack.port), "--slots", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "runhistory.stack", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        assert any("ready: " in line for line in process.stdout)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.communicate()
        ended = not stack.down()
    assert ended
    assert stack.left_running() == []
    assert {one.last_exit for one in stack.status().processes} <= {"exit code 0", "exit code 143"}


def test_down_stops_a_stack_that_is_still_starting(tmp_path: Path) -> None:
    stack = RunningStack(tmp_path / "data")
    arguments = ["--data", str(stack.data), "--port", str(stack.port), "--slots", "1"]
    command = [sys.executable, "-m", "runhistory.stack", *arguments]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 30
        while not stack.data.joinpath("kafka", "log").exists() and time.monotonic() < deadline:
            time.sleep(0.02)

        assert stack.down() is True

        assert process.wait(10) == 0
    assert stack.left_running() == []
    assert stack.status().phase == "stopped"


def test_a_start_that_fails_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    stack = RunningStack(tmp_path / "data")
    stack.data.mkdir()
    stack.data.joinpath("clickhouse").write_text("not a folder")

    with pytest.raises(StackError, match=r"engine did not start(.|\n)*engine\.log"):
        stack.up()

    assert stack.left_running() == []
    assert stack.status().phase == "failed"


@pytest.mark.parametrize(
    ("data", "port", "slots", "words"),
    [
        ("data", 80, 2, "--port has to be between"),
        ("data", 65_530, 2, "--port has to be between"),
        ("data", 8780, -1, "--slots has to be"),
        ("file/data", 8780, 2, "cannot hold the stack's data"),
    ],
)
def test_bad_options_are_refused(
    tmp_path: Path, data: str, port: int, slots: int, words: str
) -> None:
    tmp_path.joinpath("file").touch()

    with pytest.raises(StackError, match=words):
        commands.up(tmp_path / data, port=port, slots=slots)


def test_where_no_stack_ever_was(tmp_path: Path) -> None:
    assert commands.status(tmp_path / "none").phase == "stopped"
    assert commands.down(tmp_path / "none") is False
    assert not (tmp_path / "none").exists()
