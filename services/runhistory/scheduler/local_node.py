"""One node on this machine: a worker process in a folder of its own."""

import contextlib
import http.client
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec
import psutil
from msgspec import Struct
from msgspec.structs import replace

from runhistory.scheduler.board import Target

RETIRE: Final = signal.SIGUSR1
"""Asks a worker to end if it has nothing to do; one that has goes on as before."""

IN_ORDER: Final = (0, None, -RETIRE)
"""Exit codes of a node that ended as it was asked to (None: an adopted one's is not known). One
that is asked once more in its last moments, when it listens no longer, ends by that signal."""

RETIRE_AGAIN_SECONDS: Final = 3.0

Phase = Literal["started", "ready", "released", "lost"]

_HOME: Final = "RUNHISTORY_WORKER_DATA"
_MODULE: Final = "runhistory.worker"


class NodeRecord(Struct, frozen=True, kw_only=True):
    """One node as node.json has it. `told`: the life and phase that compute.events has."""

    workspace: str
    compute_target: str
    number: int
    worker_id: str
    slots: int
    life: int = 0
    phase: Phase = "released"
    told: tuple[int, Phase] = (0, "released")
    since: float = 0.0
    message: str = ""
    port: int = 0
    pid: int | None = None
    started: float | None = None

    @property
    def is_told(self) -> bool:
        """Whether compute.events has its present phase."""
        return self.told == (self.life, self.phase)


class LocalNode:
    """One numbered node and its process, if it lives."""

    def __init__(self, folder: Path, record: NodeRecord) -> None:
        self.folder, self.record = folder, record
        self.exit_code: int | None = None
        """Of the last life, where it is known: that of an adopted process is not."""
        self._process: psutil.Process | None = None
        self._retired_at = -RETIRE_AGAIN_SECONDS

    @property
    def target(self) -> Target:
        """The compute target that it belongs to."""
        return Target(self.record.workspace, self.record.compute_target)

    @property
    def name(self) -> str:
        """Such as `gpu-pool-2`."""
        return f"{self.record.compute_target}-{self.record.number}"

    @property
    def lives(self) -> bool:
        """Whether it was started and has not been seen to end."""
        return self._process is not None

    def start(self, environment: dict[str, str], slots: int) -> None:
        """Begin its next life.

        Raises:
            OSError: no process can be started, or nothing be written.
        """
        life, port, log = self.record.life + 1, _free_port(), self.folder / "worker.log"
        self._note(life=life, phase="started", slots=slots, port=port, pid=None, message="")
        self.exit_code = None
        if log.exists():
            log.replace(log.with_suffix(".log.1"))
        with log.open("ab") as output:
            process = psutil.Popen(
                [sys.executable, "-P", "-m", _MODULE],
                cwd=self.folder,
                env={
                    **environment,
                    _HOME: str(self.folder),
                    "RUNHISTORY_PORT": str(port),
                    "RUNHISTORY_WORKER_SLOTS": str(slots),
                    "RUNHISTORY_WORKER_TARGET": self.record.compute_target,
                    "RUNHISTORY_WORKER_WORKSPACE": self.record.workspace,
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._process = process
        self._note(pid=process.pid, started=process.create_time())

    def adopt(self) -> None:
        """Find its process again, which an earlier scheduler started."""
        record = self.record
        if record.phase not in ("started", "ready"):
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            if record.pid is None:
                self._process = next(_workers_in(self.folder), None)
            else:
                process = psutil.Process(record.pid)
                if abs(process.create_time() - (record.started or 0)) < 1.0:
                    self._process = process
        if self._process is not None and record.pid is None:
            self._note(pid=self._process.pid, started=self._process.create_time())

    def ended(self) -> bool:
        """Whether it has ended since it was last asked; then it does not live any more."""
        if self._process is None:
            return False
        if isinstance(self._process, psutil.Popen):
            self.exit_code = self._process.poll()
            if self.exit_code is None:
                return False
        elif _is_alive(self._process):
            return False
        self._process = None
        return True

    def answers(self) -> bool:
        """Whether its worker says that it is ready; takes a second at most."""
        connection = http.client.HTTPConnection("127.0.0.1", self.record.port, timeout=1)
        with contextlib.closing(connection):
            try:
                connection.request("GET", "/healthz")
                return connection.getresponse().status == http.client.OK
            except (OSError, http.client.HTTPException):
                return False

    def send(self, number: signal.Signals) -> None:
        """Signal it, if it lives."""
        with contextlib.suppress(psutil.NoSuchProcess):
            if self._process is not None:
                self._process.send_signal(number)

    def retire(self) -> None:
        """Ask it to end if it has nothing to do; not too often, since ending takes its time."""
        if time.monotonic() - self._retired_at > RETIRE_AGAIN_SECONDS:
            self._retired_at = time.monotonic()
            self.send(RETIRE)

    def enter(self, phase: Phase, message: str = "") -> None:
        """Remember what became of it."""
        self._note(phase=phase, message=message)

    def told(self) -> None:
        """Remember that compute.events was told of its phase."""
        self.record = replace(self.record, told=(self.record.life, self.record.phase))
        self._write()

    def last_words(self) -> str:
        """The end of its log, for people."""
        with contextlib.suppress(OSError):
            lines = (self.folder / "worker.log").read_text("utf-8", "replace").splitlines()
            return lines[-1][:500] if lines else ""
        return ""

    def _note(self, **changes: object) -> None:
        if changes.get("phase", self.record.phase) != self.record.phase:
            changes["since"] = time.time()
        self.record = replace(self.record, **changes)
        self._write()

    def _write(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self.folder / ".node.json.new"
        fresh.write_bytes(msgspec.json.encode(self.record))
        fresh.replace(self.folder / "node.json")


def _workers_in(folder: Path) -> Iterator[psutil.Process]:
    """The worker processes that were started for this folder."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.cmdline()[-1:] == [_MODULE] and process.environ().get(_HOME) == str(folder):
                yield process


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _free_port() -> int:
    """A port that is free now; should another take it first, the node ends and is started anew."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
