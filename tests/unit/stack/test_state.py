"""stack.json, config.json and the lock."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runhistory.stack.identity import ProcessIdentity
from runhistory.stack.state import (
    ProcessState,
    StackFiles,
    StackState,
    data_directory,
    default_data_directory,
)

STATE = StackState(
    phase="ready",
    message="ready",
    url="http://127.0.0.1:8780",
    port=8780,
    supervisor=ProcessIdentity(1, 2, "boot"),
    processes=(
        ProcessState(
            name="kafka",
            phase="running",
            address="127.0.0.1:8790",
            port=8790,
            log="kafka.log",
            identity=ProcessIdentity(3, 4, "boot"),
        ),
    ),
)


@pytest.fixture
def files(tmp_path: Path) -> StackFiles:
    files = StackFiles(tmp_path / "a b" / "dätä")
    files.create()
    return files


def test_state_comes_back_as_it_was_written(files: StackFiles) -> None:
    assert files.read_state() is None

    files.write_state(STATE)

    assert files.read_state() == STATE
    assert {path.name for path in files.data.iterdir()} == {"logs", "stack.json"}


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b'{"phase": "ready"', b"\xff"])
def test_a_state_that_cannot_be_read_is_no_state(files: StackFiles, content: bytes) -> None:
    files.state.write_bytes(content)

    assert files.read_state() is None


def test_the_config_says_where_the_stack_is(files: StackFiles) -> None:
    files.write_config("http://127.0.0.1:9000")

    assert json.loads(files.config.read_text("utf-8")) == {
        "url": "http://127.0.0.1:9000",
        "workspace": "default",
    }


def test_only_its_user_looks_into_the_data(files: StackFiles) -> None:
    assert files.data.stat().st_mode & 0o077 == 0


def test_one_at_a_time_holds_the_lock(files: StackFiles) -> None:
    with files.hold() as first:
        assert first
        with files.hold() as second:
            assert not second
    with files.hold() as again:
        assert again


def test_the_lock_goes_with_a_killed_process_though_its_child_lives(files: StackFiles) -> None:
    code = (
        "import subprocess, sys, pathlib\n"
        "from runhistory.stack.state import StackFiles\n"
        "with StackFiles(pathlib.Path(sys.argv[1])).hold() as held:\n"
        "    child = subprocess.Popen(['sleep', '60'], stdout=subprocess.DEVNULL)\n"
        "    print(held, child.pid, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(files.data)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    held, child = holder.stdout.readline().split()
    try:
        assert held == b"True"
        with files.hold() as while_it_lives:
            assert not while_it_lives
        holder.kill()
        holder.communicate()
        with files.hold() as afterwards:
            assert afterwards
    finally:
        os.kill(int(child), 9)


def test_the_data_lie_in_the_users_data_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/somewhere")
    assert default_data_directory() == Path("/somewhere/runhistory")

    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", "/home/ada")
    assert default_data_directory() == Path("/home/ada/.local/share/runhistory")


def test_a_stack_that_was_started_in_a_folder_above_is_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    below = tmp_path / "project" / "src"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    (below / ".runhistory").mkdir()  # no stack was ever started in this one
    assert data_directory() == tmp_path / "home" / "runhistory"

    started = StackFiles(tmp_path / "project" / ".runhistory")
    started.data.mkdir()
    started.state.write_text("{}")
    assert data_directory() == started.data
