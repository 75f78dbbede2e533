"""One process under the supervisor."""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runhistory.stack.child import Child, describe_exit
from runhistory.stack.ports import free_base_port
from runhistory.stack.processes import ProcessSpec

SERVER = (
    "import signal, socket, sys, time\n"
    "server = socket.create_server(('127.0.0.1', int(sys.argv[1])))\n"
    "signal.signal(signal.SIGTERM, {})\n"
    "print('listening', flush=True)\n"
    "while True: time.sleep(60)\n"
)
ENDS = SERVER.format("lambda *_: sys.exit(0)")
DOES_NOT_LISTEN = SERVER.format("signal.SIG_IGN")

MakeChild = Callable[..., Child]


@pytest.fixture
def make_child(tmp_path: Path) -> Iterator[MakeChild]:
    made: list[Child] = []

    def make(code: str = ENDS, stop_seconds: float = 10) -> Child:
        port = free_base_port()
        spec = ProcessSpec(
            name="kafka",  # its readiness is that its port answers
            command=[sys.executable, "-c", code, str(port)],
            directory=tmp_path,
            port=port,
            log=tmp_path / "log",
            stop_seconds=stop_seconds,
            environment=dict(os.environ),
        )
        made.append(Child(spec))
        return made[-1]

    yield make
    for child in made:
        child.stop(in_a_hurry=lambda: True)


def _poll_until(child: Child, condition: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, (child.state(), child.problem)
        child.poll()
        time.sleep(0.02)


def _pid(child: Child) -> int:
    identity = child.state().identity
    assert identity is not None
    return identity.pid


def test_it_is_running_once_it_answers(make_child: MakeChild) -> None:
    child = make_child()
    child.start()
    assert child.phase == "starting"

    _poll_until(child, lambda: child.phase == "running")

    with socket.create_connection(("127.0.0.1", child.spec.port)):
        assert child.spec.log.read_text() == "listening\n"


def test_killed_it_comes_back_after_its_wait(make_child: MakeChild) -> None:
    child = make_child()
    child.start()
    _poll_until(child, lambda: child.phase == "running")
    first = _pid(child)

    os.kill(first, signal.SIGKILL)
    _poll_until(child, lambda: child.phase == "waiting")
    died = time.monotonic()
    assert child.state().last_exit == "SIGKILL"
    assert child.state().identity is None
    _poll_until(child, lambda: child.phase == "running")

    assert time.monotonic() - died >= 0.9
    assert child.restarts == 1
    assert _pid(child) != first


def test_stopped_it_stays_stopped(make_child: MakeChild) -> None:
    child = make_child()
    child.start()
    _poll_until(child, lambda: child.phase == "running")

    child.stop(in_a_hurry=lambda: False)
    child.poll()

    assert child.state().phase == "stopped"
    assert child.last_exit == "exit code 0"


@pytest.mark.parametrize(("stop_seconds", "hurry"), [(0.3, False), (60, True)])
def test_what_does_not_listen_is_killed(
    make_child: MakeChild, stop_seconds: float, hurry: bool
) -> None:
    child = make_child(DOES_NOT_LISTEN, stop_seconds)
    child.start()
    _poll_until(child, lambda: child.phase == "running")

    child.stop(in_a_hurry=lambda: hurry)

    assert child.last_exit == "SIGKILL"


def test_it_has_a_session_of_its_own(make_child: MakeChild) -> None:
    child = make_child()
    child.start()

    assert os.getsid(_pid(child)) == _pid(child) != os.getsid(0)


@pytest.mark.parametrize(
    ("code", "words"), [(0, "exit code 0"), (3, "exit code 3"), (-9, "SIGKILL"), (-99, "signal 99")]
)
def test_an_exit_in_words(code: int, words: str) -> None:
    assert describe_exit(code) == words
