"""The worker's folder: held by one worker at a time, and what it remembers over its own death.

worker.lock            held (flock) while a worker lives
worker_id              the worker's name, the same in every life
claims/<claim_id>.json one for each run that it may hold; written before the claim is sent
attempts/…             working directories, one for each attempt
environments/…         Python environments by their hash
sdk/runhistory         a link to this package, for those environments
"""

import contextlib
import fcntl
import os
import re
import socket
import uuid
from pathlib import Path
from typing import IO

import msgspec
from msgspec import Struct

import runhistory


class HomeTaken(Exception):
    """Another worker lives in this folder."""


class Claim(Struct, frozen=True, kw_only=True):
    """A run that this worker holds, or may hold: `attempt` is 0 until the claim's reply came.

    The runner is known by its process id together with its start time, since ids are reused.
    """

    claim_id: str
    workspace: str
    run_id: str
    attempt: int = 0
    runner_pid: int | None = None
    runner_started: float | None = None


class Home:
    """An opened worker's folder. `close` lets another worker have it."""

    def __init__(self, root: Path) -> None:
        """Take the folder, making it if need be.

        Raises:
            HomeTaken: another worker holds it.
        """
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.root = root
        self._lock: IO[bytes] = (root / "worker.lock").open("ab")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise HomeTaken(
                f"Another worker uses {root}. Stop it, or give this one a folder of its own "
                "(RUNHISTORY_WORKER_DATA)."
            ) from None
        for folder in ("claims", "attempts", "environments", "sdk"):
            (root / folder).mkdir(exist_ok=True, mode=0o700)
        for unfinished in (root / "claims").glob(_unfinished("*").name):
            unfinished.unlink()
        self.worker_id = self._load_worker_id()
        self._link_sdk()

    def close(self) -> None:
        """Let go of the folder."""
        self._lock.close()

    @property
    def environments(self) -> Path:
        """Where environments are kept."""
        return self.root / "environments"

    @property
    def sdk(self) -> Path:
        """A folder with nothing in it but the package `runhistory`."""
        return self.root / "sdk"

    def attempt_folder(self, run_id: str, attempt: int) -> Path:
        """The folder of one attempt; it need not exist."""
        return self.root / "attempts" / f"{run_id}-{attempt}"

    def claims(self) -> list[Claim]:
        """What is remembered. An unreadable file stays, and is passed over: it names no run."""
        found = []
        for path in sorted((self.root / "claims").glob("*.json")):
            with contextlib.suppress(msgspec.DecodeError, FileNotFoundError):
                found.append(msgspec.json.decode(path.read_bytes(), type=Claim))
        return found

    def remember(self, claim: Claim) -> None:
        """Write the claim so that it is there after any crash."""
        write_atomically(self._claim_path(claim.claim_id), msgspec.json.encode(claim))

    def forget(self, claim_id: str) -> None:
        """The claim is settled: nothing of it is left to do."""
        self._claim_path(claim_id).unlink(missing_ok=True)

    def _claim_path(self, claim_id: str) -> Path:
        return self.root / "claims" / f"{claim_id}.json"

    def _load_worker_id(self) -> str:
        path = self.root / "worker_id"
        if not path.exists():
            host = re.sub(r"[^A-Za-z0-9_.-]", "-", socket.gethostname()) or "worker"
            write_atomically(path, f"{host[:64]}-{uuid.uuid4().hex[:12]}".encode())
        return path.read_text("ascii")

    def _link_sdk(self) -> None:
        """Renewed at every start: the package may have moved since."""
        fresh = self.sdk / f".new-{uuid.uuid4().hex}"
        fresh.symlink_to(Path(runhistory.__file__).resolve().parent)
        fresh.replace(self.sdk / "runhistory")


def write_atomically(path: Path, content: bytes) -> None:
    """Make `path` hold `content`: wholly or, whatever happens meanwhile, not at all."""
    fresh = _unfinished(path)
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _unfinished(path: str | Path) -> Path:
    """Where the content of `path` is written first; a kill may leave it there."""
    return Path(path).with_name(f".{Path(path).name}.new")
