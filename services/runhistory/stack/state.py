"""What a stack keeps about itself in its data directory: stack.json, config.json, stack.lock."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, Literal

import msgspec
from msgspec import Struct

from runhistory.stack.identity import ProcessIdentity

StackPhase = Literal["starting", "ready", "stopping", "stopped", "failed"]
ProcessPhase = Literal["starting", "running", "waiting", "stopped"]

DEFAULT_WORKSPACE: Final = "default"


class ProcessState(Struct, frozen=True, kw_only=True):
    """One process of the stack. `waiting` is: it died, and is about to be started again."""

    name: str
    phase: ProcessPhase
    address: str
    port: int
    log: str
    identity: ProcessIdentity | None = None
    restarts: int = 0
    last_exit: str | None = None


class StackState(Struct, frozen=True, kw_only=True):
    """stack.json: who runs where. Processes are in the order in which they are started."""

    phase: StackPhase
    message: str
    url: str
    port: int
    supervisor: ProcessIdentity | None
    processes: tuple[ProcessState, ...] = ()


class StackFiles:
    """The files of one stack below its data directory."""

    def __init__(self, data: Path) -> None:
        self.data = data.expanduser().resolve()
        self.state = self.data / "stack.json"
        self.config = self.data / "config.json"
        self.lock = self.data / "stack.lock"
        self.logs = self.data / "logs"
        self.kafka = self.data / "kafka"
        self.engine = self.data / "clickhouse"
        self.objects = self.data / "objects"
        self.worker = self.data / "worker"
        self.scheduler = self.data / "scheduler"

    def log(self, process: str) -> Path:
        """The log file of a process."""
        return self.logs / f"{process}.log"

    def create(self) -> None:
        """The directories; only this user may look inside."""
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.logs.mkdir(exist_ok=True)

    def read_state(self) -> StackState | None:
        """What the last supervisor wrote; None where none has been, or another version's file."""
        try:
            return msgspec.json.decode(self.state.read_bytes(), type=StackState)
        except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
            return None

    def write_state(self, state: StackState) -> None:
        """Replace stack.json; a reader sees the old one or the new one, whole."""
        _write_atomically(self.state, msgspec.json.encode(state))

    def write_config(self, url: str) -> None:
        """What `Workspace.from_config()` finds."""
        config = {"url": url, "workspace": DEFAULT_WORKSPACE}
        _write_atomically(self.config, msgspec.json.encode(config))

    @contextlib.contextmanager
    def hold(self) -> Iterator[bool]:
        """Hold the stack's lock if nobody else does, and tell whether we have it.

        The lock is the kernel's: it goes with the process, however that ends.
        """
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self.lock.open("a") as file:
            held = _try_lock(file)
            try:
                yield held
            finally:
                if held:
                    fcntl.flock(file, fcntl.LOCK_UN)


def default_data_directory() -> Path:
    """The user's data directory: $XDG_DATA_HOME/runhistory, or ~/.local/share/runhistory."""
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "runhistory"


def data_directory() -> Path:
    """Where the stack that is meant here keeps its data.

    The nearest `.runhistory/` from the current folder upwards that a stack was started in, as
    the SDK finds its address; otherwise the user's data directory.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        found = folder / ".runhistory"
        if StackFiles(found).state.is_file():
            return found
    return default_data_directory()


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write_atomically(path: Path, content: bytes) -> None:
    fresh = path.with_name(f".{path.name}.new")  # one writer: whoever holds the lock
    with fresh.open("wb") as file:
        file.write(msgspec.json.format(content, indent=2) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
