"""A process is its pid, its start and its boot: never only its pid."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import msgspec
import pytest

from runhistory.stack.identity import ProcessIdentity, processes_with


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)"],
        stdout=subprocess.PIPE,
        env={**os.environ, "RUNHISTORY_TEST_MARK": f"{os.getpid()} é"},
    )
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


def _identity(process: subprocess.Popen[bytes]) -> ProcessIdentity:
    identity = ProcessIdentity.of(process.pid)
    assert identity is not None
    return identity


def test_a_running_process_is_alive_and_a_zombie_is_not(
    sleeper: subprocess.Popen[bytes],
) -> None:
    identity = _identity(sleeper)
    assert identity.is_alive()

    identity.signal(signal.SIGKILL)

    assert identity.wait_gone(5)  # not yet reaped by us: a zombie
    assert ProcessIdentity.of(sleeper.pid) is None


@pytest.mark.parametrize("changed", [{"started": 1}, {"boot": "another"}])
def test_a_process_that_only_has_the_same_pid_is_never_touched(
    sleeper: subprocess.Popen[bytes], changed: dict[str, object]
) -> None:
    another = msgspec.structs.replace(_identity(sleeper), **changed)

    assert not another.is_alive()
    another.signal(signal.SIGKILL)
    another.end(timeout=0.1)

    assert sleeper.poll() is None


def test_end_kills_what_does_not_listen() -> None:
    code = (
        "import signal,time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()

        _identity(process).end(timeout=0.2)

        assert process.wait(5) == -signal.SIGKILL


def test_a_mark_in_the_environment_finds_a_process(sleeper: subprocess.Popen[bytes]) -> None:
    mark = f"{os.getpid()} é"

    assert list(processes_with("RUNHISTORY_TEST_MARK", mark)) == [_identity(sleeper)]
    assert list(processes_with("RUNHISTORY_TEST_MARK", mark[:-1])) == []


def test_a_process_that_never_was_is_not_alive() -> None:
    assert ProcessIdentity.of(2**22 + 1) is None
