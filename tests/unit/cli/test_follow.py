"""Following a run from a terminal and from a pipe, and what Ctrl-C does in each."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runhistory.domain.status import TERMINAL
from tests.support import event_messages
from tests.unit.cli.canned_gateway import CannedGateway
from tests.unit.cli.conftest import invoke
from tests.unit.cli.test_commands import RUN_DETAILS

SECONDS = 20


def details(*statuses: str) -> dict[str, Any]:
    """A run's details after it went through `statuses`."""
    timeline = [{"status": status, "time": RUN_DETAILS["created"]} for status in statuses]
    return RUN_DETAILS | {
        "status": statuses[-1],
        "timeline": timeline,
        "ended": RUN_DETAILS["ended"] if statuses[-1] in TERMINAL else None,
        "error": None,
        "exit_code": None,
    }


PASSED = ("Starting", "Queued", "Preparing", "Running")
RUNNING = details(*PASSED)
LINES = [("system", "It was built before."), ("stdout", "loss 2.19")]
GOING_ON = event_messages.statuses(*PASSED) + event_messages.printed(10, LINES)


def ending(*statuses: str) -> list[bytes]:
    """The stream of a run that passes these statuses, and the one of its last lines."""
    return [GOING_ON + event_messages.statuses(*statuses, first=20), event_messages.END]


@pytest.fixture
def submitting(gateway: CannedGateway, tmp_path: Path) -> CannedGateway:
    """A gateway to which the script in ./code can be submitted; the run is Running."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code/train.py").write_text("print(1)")
    gateway.answers |= {
        "/blobs/missing": {"missing": []},
        "/snapshots/*": {},
        "/runs": {"outcome": "accepted"},
        "/runs/*": RUNNING,
        "/events": GOING_ON,
        "/runs/*/series": {"series": []},
        "/runs/*/files": {"files": []},
    }
    return gateway


SUBMIT = ["submit", "code", "--script", "train.py", "--experiment", "digits", "--follow"]
COMMAND = [sys.executable, "-m", "runhistory.cli", *SUBMIT]


def test_lines_that_are_written_before_the_end_and_arrive_after_it_are_printed(
    submitting: CannedGateway,
) -> None:
    submitting.answers["/runs/*"] = [RUNNING, details(*PASSED, "Completed")]
    stream, _ = ending("Completed")
    late = event_messages.printed(11, [("stdout", "done")])
    submitting.answers["/events"] = [stream, late + event_messages.END]
    shown = invoke(*SUBMIT, "--json").stderr.splitlines()
    assert shown[-3:] == ["loss 2.19", "done", "● Completed"]
    drain = [dict(query) for path, query in submitting.asked if path == "/events"][-1]
    assert (drain["follow"], drain["type"]) == ("false", "logs.written.v1")


@pytest.mark.parametrize(("status", "code"), [("Completed", 0), ("Failed", 1), ("Canceled", 1)])
def test_only_completed_is_exit_code_0(submitting: CannedGateway, status: str, code: int) -> None:
    submitting.answers["/runs/*"] = [RUNNING, details(*PASSED, status)]
    submitting.answers["/events"] = ending(status)
    shown = invoke(*SUBMIT)
    assert shown.exit_code == code
    assert shown.stdout.startswith("loss 2.19\n")
    assert f"{status} after 14.2 s" in shown.stdout
    assert f"snapshot  {RUN_DETAILS['snapshot_id']}" in shown.stdout
    assert "--restore DIR" in shown.stdout
    assert "It was built before." in shown.stderr
    assert f"● {status}" in shown.stderr


def test_the_statuses_passed_come_before_the_lines_and_the_end_after(
    submitting: CannedGateway,
) -> None:
    submitting.answers["/runs/*"] = [
        details("Starting"),
        details(*PASSED, "Finalizing", "Completed"),
    ]
    submitting.answers["/events"] = ending("Finalizing", "Completed")
    shown = invoke(*SUBMIT, "--json").stderr.splitlines()
    first = shown.index(f"{RUN_DETAILS['display_name']} ({RUN_DETAILS['run_id']})")
    assert shown[first + 1 :] == [
        *(f"● {status}" for status in PASSED),
        "  It was built before.",
        "loss 2.19",
        "● Finalizing",
        "● Completed",
    ]


def test_with_json_stdout_is_one_document(submitting: CannedGateway) -> None:
    submitting.answers["/runs/*"] = [RUNNING, details(*PASSED, "Failed")]
    submitting.answers["/events"] = ending("Failed")
    shown = invoke(*SUBMIT, "--json")
    assert shown.exit_code == 1
    assert json.loads(shown.stdout)["status"] == "Failed"
    for part in ("loss 2.19", "It was built before.", "● Failed"):
        assert part in shown.stderr


def test_ctrl_c_in_a_pipe_detaches_and_says_so(submitting: CannedGateway, tmp_path: Path) -> None:
    process = subprocess.Popen(
        COMMAND,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "loss 2.19\n"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert "Detached; the run goes on." in said
    assert "Traceback" not in said
    assert not any(path.endswith("/commands") for path, _ in submitting.asked)


class Terminal:
    """A process on a terminal of its own."""

    def __init__(self, command: list[str], cwd: Path) -> None:
        self._master, slave = os.openpty()
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            preexec_fn=lambda: os.login_tty(0),
            env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"},
        )
        os.close(slave)
        self.seen = ""

    def expect(self, text: str) -> None:
        """Read until `text` has been shown since the last call."""
        deadline = time.monotonic() + SECONDS
        shown = ""
        while text not in shown:
            assert time.monotonic() < deadline, f"no {text!r} in {shown!r}"
            if select.select([self._master], [], [], 0.1)[0]:
                with contextlib.suppress(OSError):  # EIO: the process has gone
                    shown += os.read(self._master, 65_536).decode()
        self.seen += shown

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)


@pytest.fixture
def terminal(submitting: CannedGateway, tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal(COMMAND, tmp_path)
    yield terminal
    terminal.close()


def test_ctrl_c_on_a_terminal_asks_and_detaches(
    terminal: Terminal, submitting: CannedGateway
) -> None:
    terminal.expect("loss 2.19")
    terminal.type("\x03")
    terminal.expect("[d]etach")
    terminal.type("\n")
    terminal.expect(f"{sys.executable} -m runhistory.cli cancel ")
    assert terminal.process.wait(SECONDS) == 130
    assert not any(path.endswith("/commands") for path, _ in submitting.asked)


def test_ctrl_c_on_a_terminal_cancels_when_told_so(
    terminal: Terminal, submitting: CannedGateway
) -> None:
    submitting.answers["/runs/*/commands"] = {"status": "CancelRequested"}
    terminal.expect("loss 2.19")
    terminal.type("\x03")
    terminal.expect("[c]ancel")
    terminal.type("c\n")
    terminal.expect("The run is CancelRequested.")
    submitting.answers["/runs/*"] = details(*PASSED, "Canceled")
    submitting.answers["/events"] = ending("Canceled")
    terminal.expect("Canceled after 14.2 s")
    assert terminal.process.wait(SECONDS) == 1
    assert any(path.endswith("/commands") for path, _ in submitting.asked)
    assert terminal.seen.count("loss 2.19") == 1, "a line is printed once"


def test_a_terminal_gets_colour_and_no_color_is_respected(
    submitting: CannedGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitting.answers["/runs/*"] = RUN_DETAILS | {"status": "Failed"}
    command = [sys.executable, "-m", "runhistory.cli", "show", str(RUN_DETAILS["run_id"])]

    def shown() -> str:
        terminal = Terminal(command, tmp_path)
        terminal.expect("bang")
        terminal.close()
        return terminal.seen

    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[31m" in shown()
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[31m" not in shown()
