"""A whole stack under its real supervisor, to be looked at, killed and stopped."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from runhistory.stack import commands
from runhistory.stack.identity import ProcessIdentity, processes_with
from runhistory.stack.ports import free_base_port
from runhistory.stack.processes import STACK_VARIABLE
from runhistory.stack.state import StackFiles

PROCESSES = ("kafka", "engine", "lifecycle", "sink", "gateway", "watch", "worker", "scheduler")


class RunningStack:
    """One stack with its own data and ports."""

    def __init__(self, data: Path, *, port: int | None = None, slots: int = 2) -> None:
        self.data, self.port, self.slots = data, port or free_base_port(), slots
        self.url = f"http://127.0.0.1:{self.port}"
        self._files = StackFiles(data)

    def up(self) -> None:
        """Start it, and return when it is ready."""
        commands.up(self.data, port=self.port, slots=self.slots)

    def down(self) -> bool:
        """Stop it, and return when nothing of it runs."""
        return commands.down(self.data)

    def status(self) -> commands.StackStatus:
        return commands.status(self.data)

    def identity(self, process: str) -> ProcessIdentity | None:
        """The process of that name, `supervisor` too; None while it does not run."""
        state = self._files.read_state()
        assert state is not None, f"no stack was ever started in {self.data}"
        found = {one.name: one.identity for one in state.processes}
        identity = {**found, "supervisor": state.supervisor}[process]
        return identity if identity is not None and identity.is_alive() else None

    def pid(self, process: str) -> int:
        identity = self.identity(process)
        assert identity is not None, f"{process} does not run"
        return identity.pid

    def kill(self, process: str) -> ProcessIdentity:
        """kill -9, and return when it is dead."""
        identity = self.identity(process)
        assert identity is not None, f"{process} does not run"
        identity.signal(signal.SIGKILL)
        assert identity.wait_gone(10)
        with contextlib.suppress(ChildProcessError):  # the supervisor is a child of ours
            os.waitpid(identity.pid, os.WNOHANG)
        return identity

    def wait_ready(self, process: str, seconds: float = 60) -> None:
        """Until the process works (again)."""
        deadline = time.monotonic() + seconds
        while True:
            found = next(one for one in self.status().processes if one.name == process)
            if found.phase == "running" and found.problem is None:
                return
            assert time.monotonic() < deadline, f"{found}\n{self.log(process)[-3000:]}"
            time.sleep(0.05)

    def log(self, process: str) -> str:
        return self._files.log(process).read_text("utf-8", "replace")

    def left_running(self) -> list[str]:
        """The command lines of all that was started by this stack and still runs."""
        found = []
        for identity in processes_with(STACK_VARIABLE, str(self._files.data)):
            with contextlib.suppress(OSError):
                line = Path(f"/proc/{identity.pid}/cmdline").read_bytes().replace(b"\0", b" ")
                found.append(line.decode("utf-8", "replace"))
        return found


@contextlib.contextmanager
def running_stack(data: Path, *, slots: int = 2) -> Iterator[RunningStack]:
    """A stack that is ready; afterwards it has been stopped and nothing of it runs."""
    stack = RunningStack(data, slots=slots)
    try:
        stack.up()
        yield stack
    finally:
        stack.down()
        left = stack.left_running()
    assert left == [], "down has to end all that the stack started"
