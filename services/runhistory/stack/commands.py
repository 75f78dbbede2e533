"""What `runhistory up`, `down` and `status` do. All messages of errors are for the user.

up(data, port=8780, slots=2, report=print)         # in the background; returns when ready
run(data, port=8780, slots=2, report=print)        # in the foreground, until a signal comes
down(data, report=print)
status(data).is_up
"""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

from runhistory.runtime.settings import DEFAULT_PORT
from runhistory.stack.kafka_broker import BrokerFailed
from runhistory.stack.kafka_jars import JarRefused
from runhistory.stack.leftovers import clear_leftovers
from runhistory.stack.log_files import open_log, rotate, tail
from runhistory.stack.ports import HIGHEST_BASE_PORT, PortTaken
from runhistory.stack.processes import STACK_VARIABLE, STOP_SECONDS, Report, problem_at
from runhistory.stack.state import (
    ProcessPhase,
    ProcessState,
    StackFiles,
    StackPhase,
    StackState,
    data_directory,
)
from runhistory.stack.supervisor import StartFailed, Supervisor

DEFAULT_SLOTS: Final = 2
_STOP_SECONDS: Final = sum(STOP_SECONDS.values()) + 10.0


class StackError(Exception):
    """The stack could not be started or stopped; the message says what to do."""


class StackInUse(StackError):
    """A stack runs on this data already."""


class ProcessStatus(Struct, frozen=True, kw_only=True):
    """One process as it is right now. `problem` is None when it works."""

    name: str
    phase: ProcessPhase
    pid: int | None
    address: str
    problem: str | None
    restarts: int
    last_exit: str | None
    log: str


class StackStatus(Struct, frozen=True, kw_only=True):
    """A stack as it is right now. `unsupervised`: its supervisor was killed, processes go on."""

    data: str
    url: str
    phase: StackPhase | Literal["unsupervised"]
    message: str
    is_up: bool
    supervisor_pid: int | None
    processes: tuple[ProcessStatus, ...]


def up(
    data: Path | None = None,
    *,
    port: int = DEFAULT_PORT,
    slots: int = DEFAULT_SLOTS,
    report: Report = lambda line: None,
) -> StackState:
    """Start a stack in the background and return when it is ready.

    Raises:
        StackInUse: one runs on this data.
        StackError: it could not be started; nothing of it is left running.
    """
    files = _files(data, port, slots)
    _refuse_second(files)
    log = files.log("supervisor")
    rotate(log)
    arguments = ["--data", str(files.data), "--port", str(port), "--slots", str(slots)]
    with open_log(log) as output:
        supervisor = subprocess.Popen(
            [sys.executable, "-P", "-m", "runhistory.stack", *arguments],
            cwd=files.data,
            # Started from inside a run of another stack, it must not count as that one's.
            env={name: value for name, value in os.environ.items() if name != STACK_VARIABLE},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        return _follow_start(files, supervisor, report)
    except KeyboardInterrupt:
        supervisor.terminate()
        supervisor.wait()
        raise


def run(
    data: Path | None = None,
    *,
    port: int = DEFAULT_PORT,
    slots: int = DEFAULT_SLOTS,
    report: Report = lambda line: None,
) -> None:
    """Start a stack, keep it running, and stop it when SIGINT or SIGTERM comes.

    Raises:
        StackInUse: one runs on this data.
        StackError: it could not be started; nothing of it is left running.
    """
    files = _files(data, port, slots)
    with files.hold() as held:
        if not held:
            raise _in_use(files)
        try:
            Supervisor(files, base_port=port, slots=slots, report=report).run()
        except (StartFailed, PortTaken, JarRefused, BrokerFailed) as error:
            raise StackError(str(error)) from error


def down(data: Path | None = None, *, report: Report = lambda line: None) -> bool:
    """Stop the stack, or what a killed supervisor left of it; tells whether there was any.

    Raises:
        StackError: something holds the stack's lock that does not say who it is.
    """
    files = StackFiles(data or data_directory())
    if not files.data.is_dir():
        return False
    stopped = _stop_supervisor(files, report)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with files.hold() as held:
            if held:
                cleared = clear_leftovers(files, report)
                _mark_stopped(files)
                return stopped or cleared
        # A supervisor that has only just started.
        stopped = _stop_supervisor(files, report) or stopped
        time.sleep(0.1)
    raise StackError(f"Something holds {files.lock} and does not end. `fuser {files.lock}` tells.")


def status(data: Path | None = None) -> StackStatus:
    """Ask every process of the stack how it is; takes at most about five seconds."""
    files = StackFiles(data or data_directory())
    state = files.read_state()
    if state is None:
        return _never_started(files)
    with ThreadPoolExecutor(8) as pool:
        processes = tuple(pool.map(_process_status, state.processes))
    supervised = state.supervisor is not None and state.supervisor.is_alive()
    phase: StackPhase | Literal["unsupervised"] = state.phase
    message = state.message
    if not supervised and state.phase not in ("stopped", "failed"):
        left = [process.name for process in processes if process.pid is not None]
        phase = "unsupervised" if left else "stopped"
        message = "the supervisor was killed; `runhistory up` starts afresh, `down` cleans up"
    return StackStatus(
        data=str(files.data),
        url=state.url,
        phase=phase,
        message=message,
        is_up=phase == "ready" and all(process.problem is None for process in processes),
        supervisor_pid=state.supervisor.pid if state.supervisor and supervised else None,
        processes=processes,
    )


def _files(data: Path | None, port: int, slots: int) -> StackFiles:
    if not 1024 <= port <= HIGHEST_BASE_PORT:
        raise StackError(f"--port has to be between 1024 and {HIGHEST_BASE_PORT}, not {port}.")
    if slots < 0:
        raise StackError(f"--slots has to be 0 or more, not {slots}.")
    files = StackFiles(data or data_directory())
    try:
        files.create()
    except OSError as error:
        raise StackError(f"{files.data} cannot hold the stack's data: {error.strerror}.") from error
    return files


def _refuse_second(files: StackFiles) -> None:
    with files.hold() as held:
        if not held:
            raise _in_use(files)


def _in_use(files: StackFiles) -> StackInUse:
    state = files.read_state()
    where = f" at {state.url}" if state is not None else ""
    return StackInUse(
        f"A stack runs{where} with its data in {files.data}. Use it, stop it with "
        "`runhistory down`, or start another one with --data and --port."
    )


def _follow_start(
    files: StackFiles, supervisor: subprocess.Popen[bytes], report: Report
) -> StackState:
    told = ""
    while True:
        ended = supervisor.poll() is not None
        state = files.read_state()
        if state is None or state.supervisor is None or state.supervisor.pid != supervisor.pid:
            state = None  # what an earlier one wrote
        elif state.message != told and state.phase != "failed":
            told = state.message
            report(told)
        if ended:
            raise StackError(_why_it_ended(files, state))
        if state is not None and state.phase == "ready":
            return state
        time.sleep(0.05)


def _why_it_ended(files: StackFiles, state: StackState | None) -> str:
    """Without a `state` of its own the supervisor ended before it could write one."""
    if state is not None and state.phase == "failed":
        return state.message
    if state is not None and state.phase == "stopped":
        return "The stack was stopped while it started."
    log = files.log("supervisor")
    return f"The supervisor ended. The end of {log}:\n{tail(log)}"


def _stop_supervisor(files: StackFiles, report: Report) -> bool:
    state = files.read_state()
    if state is None or state.supervisor is None or not state.supervisor.is_alive():
        return False
    supervisor, told = state.supervisor, ""
    supervisor.signal(signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while not supervisor.wait_gone(0.1):
        now = files.read_state()
        if now is not None and now.message != told:
            told = now.message
            report(told)
        if time.monotonic() > deadline:
            report("the supervisor does not end: killing it")
            supervisor.signal(signal.SIGKILL)
    return True


def _mark_stopped(files: StackFiles) -> None:
    state = files.read_state()
    if state is not None and state.phase != "failed":
        files.write_state(
            StackState(
                phase="stopped",
                message="stopped",
                url=state.url,
                port=state.port,
                supervisor=None,
            )
        )


def _never_started(files: StackFiles) -> StackStatus:
    return StackStatus(
        data=str(files.data),
        url=f"http://127.0.0.1:{DEFAULT_PORT}",
        phase="stopped",
        message="never started; `runhistory up` starts it",
        is_up=False,
        supervisor_pid=None,
        processes=(),
    )


def _process_status(process: ProcessState) -> ProcessStatus:
    alive = process.identity is not None and process.identity.is_alive()
    return ProcessStatus(
        name=process.name,
        phase=process.phase if alive or process.phase == "waiting" else "stopped",
        pid=process.identity.pid if process.identity is not None and alive else None,
        address=process.address,
        problem=problem_at(process.name, process.port) if alive else "not running",
        restarts=process.restarts,
        last_exit=process.last_exit,
        log=process.log,
    )
