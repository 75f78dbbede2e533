"""One process under the supervisor: started, watched, started again when it dies, stopped."""

import signal
import subprocess
import time
from collections.abc import Callable

from runhistory.stack.backoff import Backoff
from runhistory.stack.identity import ProcessIdentity
from runhistory.stack.log_files import open_log, rotate
from runhistory.stack.processes import ProcessSpec
from runhistory.stack.state import ProcessPhase, ProcessState


class Child:
    """Its `poll` has to be called often; nothing here runs in the background.

    The process gets a session of its own, so Ctrl-C in the terminal reaches the supervisor
    alone, and it outlives a supervisor that is killed.
    """

    def __init__(self, spec: ProcessSpec) -> None:
        self.spec = spec
        self.phase: ProcessPhase = "stopped"
        self.restarts = 0
        self.last_exit: str | None = None
        self.problem: str | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._identity: ProcessIdentity | None = None
        self._backoff = Backoff()
        self._started_at = self._start_again_at = 0.0

    def start(self) -> None:
        """Start the process; it is ready once `phase` is running."""
        rotate(self.spec.log)
        with open_log(self.spec.log) as output:
            self._process = subprocess.Popen(
                self.spec.command,
                cwd=self.spec.directory,
                env=dict(self.spec.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._identity = ProcessIdentity.of(self._process.pid)
        self._started_at = time.monotonic()
        self.phase = "starting"

    def poll(self) -> bool:
        """Look at the process and do what is due; tells whether anything changed."""
        before = (self.phase, self.restarts)
        if self._process is not None and self._process.poll() is not None:
            self._bury(self._process.returncode)
        if self.phase == "waiting" and time.monotonic() >= self._start_again_at:
            self.restarts += 1
            self.start()
        elif self.phase == "starting":
            self.problem = self.spec.problem()
            if self.problem is None:
                self.phase = "running"
        return before != (self.phase, self.restarts)

    def stop(self, in_a_hurry: Callable[[], bool]) -> None:
        """Ask it to end, wait as long as it may take, then kill it."""
        process = self._process
        self._process, self._identity, self.phase = None, None, "stopped"
        if process is None:
            return
        process.terminate()
        deadline = time.monotonic() + self.spec.stop_seconds
        while process.poll() is None:
            if time.monotonic() > deadline or in_a_hurry():
                process.kill()
                process.wait()
            time.sleep(0.02)
        self.last_exit = describe_exit(process.returncode)

    def state(self) -> ProcessState:
        """For stack.json."""
        return ProcessState(
            name=self.spec.name,
            phase=self.phase,
            address=self.spec.address,
            port=self.spec.port,
            log=str(self.spec.log),
            identity=self._identity,
            restarts=self.restarts,
            last_exit=self.last_exit,
        )

    def _bury(self, code: int) -> None:
        self.last_exit = describe_exit(code)
        lived = time.monotonic() - self._started_at
        wait = self._backoff.after_run_of(lived, was_ready=self.phase == "running")
        self._start_again_at = time.monotonic() + wait
        self._process, self._identity, self.phase = None, None, "waiting"


def describe_exit(code: int) -> str:
    """`exit code 1`, or the signal by its name."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
