"""A stack of the bench's own: real processes on free ports, data in a temporary folder."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from runhistory.runtime.settings import PORT_OFFSETS
from runhistory.sdk.workspace import Workspace
from runhistory.stack import commands
from runhistory.stack.identity import processes_with
from runhistory.stack.ports import free_base_port
from runhistory.stack.processes import STACK_VARIABLE
from runhistory.stack.state import StackFiles

RUNHISTORY = [sys.executable, "-P", "-m", "runhistory.cli"]


def installed_environment() -> dict[str, str]:
    """As for a package that was installed: its modules are compiled once, not at each start."""
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


class StackNotUp(Exception):
    """`runhistory up` failed; the message is what it said."""


class BenchStack:
    """One stack: `up` by the command line, as users do, and `down`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.data = directory / "data"
        self.port = 0

    @property
    def url(self) -> str:
        """The gateway."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def engine_url(self) -> str:
        """ClickHouse itself."""
        return f"http://127.0.0.1:{self.port + PORT_OFFSETS['engine']}"

    @property
    def environment(self) -> dict[str, str]:
        """For the command line and for clients that are processes of their own."""
        ours = {k: v for k, v in installed_environment().items() if k[:11] != "RUNHISTORY_"}
        return {**ours, "RUNHISTORY_URL": self.url}

    def workspace(self) -> Workspace:
        """The SDK's door to it."""
        return Workspace(self.url)

    @property
    def is_up(self) -> bool:
        """Whether it runs."""
        return self.port != 0

    def up(self) -> None:
        """Start it on empty data (or on those it has) and return when it is ready.

        Raises:
            StackNotUp: it could not be started.
        """
        port = free_base_port()
        done = subprocess.run(
            [*RUNHISTORY, "up", "--detach", "--data", str(self.data), "--port", str(port)],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise StackNotUp(done.stdout + done.stderr)
        self.port = port

    def down(self, *, forget: bool = False) -> None:
        """Stop it; with `forget` its data go too."""
        commands.down(self.data)
        self.port = 0
        if forget:
            shutil.rmtree(self.data)

    def processes(self) -> dict[str, list[psutil.Process]]:
        """Every process of the stack by its name; what a process started counts as that one."""
        state = StackFiles(self.data).read_state()
        assert state is not None, "no stack was started"
        names = {one.identity.pid: one.name for one in state.processes if one.identity}
        found: dict[str, list[psutil.Process]] = {}
        if state.supervisor is not None:
            found["supervisor"] = [psutil.Process(state.supervisor.pid)]
        for identity in processes_with(STACK_VARIABLE, str(self.data.resolve())):
            process = psutil.Process(identity.pid)
            line = [process, *process.parents()]
            name = next((names[one.pid] for one in line if one.pid in names), "other")
            found.setdefault(name, []).append(process)
        return found

    def cpu_seconds(self) -> dict[str, float]:
        """What the processes of each name have used so far, the living ones."""
        found = {}
        for name, processes in self.processes().items():
            times = [process.cpu_times() for process in processes if process.is_running()]
            found[name] = sum(one.user + one.system for one in times)
        return found


@contextmanager
def bench_stack() -> Iterator[BenchStack]:
    """A stack that is not started yet; afterwards it is stopped and its data are gone."""
    with tempfile.TemporaryDirectory(prefix="runhistory-bench-") as directory:
        stack = BenchStack(Path(directory))
        try:
            yield stack
        finally:
            if stack.data.exists():
                stack.down()
