"""What tests share: a real broker and a real engine for each file, a whole stack for all.

A file has a broker and an engine of its own, because services of ours meet in them: another
file's lifecycle or sink would be a member of the same consumer group.

All of them listen on free ports of 127.0.0.1, keep their data in a temporary folder, and are
ended for certain when the session ends. Where RUNHISTORY_REQUIRE_INFRASTRUCTURE is set (CI), a
test that is skipped for want of them fails.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runhistory.stack.identity import processes_with
from runhistory.stack.ports import free_base_port
from tests.support.running_stack import RunningStack, running_stack

START_SECONDS = 60


@dataclass(frozen=True)
class Broker:
    """A Kafka broker in which the topics of topics.yaml exist."""

    bootstrap: str


@dataclass(frozen=True)
class Engine:
    """A migrated ClickHouse engine."""

    url: str


@pytest.fixture(scope="session", autouse=True)
def state_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Spools lie in a folder of the tests' own, for all processes that they start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker for one file of tests. Use fresh run ids and workspaces."""
    from aiokafka.errors import KafkaError

    from runhistory.kafka.topics import ensure_topics
    from runhistory.stack.kafka_broker import KafkaBroker, command, prepare
    from runhistory.stack.kafka_jars import ensure_jars

    base = free_base_port()
    kafka = KafkaBroker(tmp_path_factory.mktemp("kafka"), base + 10, base + 11)
    jars = ensure_jars()
    prepare(kafka, jars)
    with _process(command(kafka, jars), kafka.directory) as (process, log):

        def is_ready() -> bool:
            with contextlib.suppress(KafkaError, OSError):
                asyncio.run(ensure_topics(kafka.bootstrap))
                return True
            return False

        _wait_until(is_ready, process, log)
        yield Broker(kafka.bootstrap)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A migrated engine for one file of tests. Use fresh run ids and workspaces."""
    from runhistory.clickhouse.migrations import migrate

    directory, port = tmp_path_factory.mktemp("engine"), free_base_port() + 12
    url = f"http://127.0.0.1:{port}"
    arguments = ["--data", str(directory / "data"), "--port", str(port)]
    command = [sys.executable, "-P", "-m", "runhistory.stack.engine", *arguments]
    with _process(command, directory) as (process, log):

        def is_ready() -> bool:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/ping") as answer:
                return bool(answer.status == 200)
            return False

        _wait_until(is_ready, process, log)
        migrate(url)
        yield Engine(url)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A whole stack for the whole session. Who kills a process waits until it works again."""
    with running_stack(tmp_path_factory.mktemp("stack") / "data") as stack:
        yield stack


@contextlib.contextmanager
def _process(command: list[str], directory: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    log = directory / "output.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process, log
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until(is_ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not is_ready():
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"{process.args!r} did not start:\n{log.read_text('utf-8')[-3000:]}")
        time.sleep(0.1)


# In the environment of this process, and so of all that is started from it.
_MARK, _MARK_VALUE = "_RUNHISTORY_TESTS", uuid.uuid4().hex
_REQUIRED = pytest.StashKey[bool]()
_LEFT = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Mark what is started from here, and see whether infrastructure is required."""
    os.environ[_MARK] = _MARK_VALUE
    config.stash[_LEFT] = []
    config.stash[_REQUIRED] = bool(os.environ.get("RUNHISTORY_REQUIRE_INFRASTRUCTURE"))


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """Tests that leave a process running have failed, whatever they found."""
    yield
    left = session.config.stash[_LEFT]
    for identity in processes_with(_MARK, _MARK_VALUE):
        with contextlib.suppress(OSError):
            line = Path(f"/proc/{identity.pid}/cmdline").read_bytes().replace(b"\0", b" ")
            left.append(f"{identity.pid} {line.decode()}")
        identity.signal(signal.SIGKILL)
    if hasattr(session.config, "workeroutput"):  # one of several: the first process judges
        session.config.workeroutput["left"] = left
    elif left:
        print("\nleft running by the tests, and killed:", *left, sep="\n  ")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Gather what the tests of another process left running."""
    node.config.stash[_LEFT].extend(getattr(node, "workeroutput", {}).get("left", ()))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """A skipped infrastructure test is a failure where they are required."""
    report = yield
    if (
        report.skipped
        and not hasattr(report, "wasxfail")
        and item.config.stash[_REQUIRED]
        and item.get_closest_marker("infrastructure")
    ):
        report.outcome = "failed"
        report.longrepr = (
            f"{item.nodeid} was skipped, but infrastructure is required: {report.longrepr}"
        )
    return report
