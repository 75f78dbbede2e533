"""Whom runhistory is compared with, and the environment of each: its own, with locked versions."""

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_REQUIREMENTS = Path(__file__).parent / "requirements"
_UV = Path(sys.executable).parent / "uv"


class NotInstalled(Exception):
    """The message is what uv said."""


@dataclass(frozen=True)
class Peer:
    """A module beside this one, and the name that people know it by."""

    module: str
    title: str
    requirements: str = ""
    """The file's name below requirements/; none for what runs in the project's own environment."""


PEERS = (
    Peer("runhistory_sdk", "runhistory, SDK"),
    Peer("runhistory_http", "runhistory, HTTP"),
    Peer("mlflow_server", "MLflow", "mlflow"),
    Peer("fasttrackml_server", "FastTrackML", "fasttrackml"),
    Peer("aim_repo", "Aim", "aim"),
    Peer("trackio_local", "Trackio", "trackio"),
)


def ensure_python(peer: Peer) -> Path:
    """The Python of the peer's environment, which is made unless it is there.

    Raises:
        NotInstalled: it cannot be made.
    """
    if not peer.requirements:
        return Path(sys.executable)
    locked = _REQUIREMENTS / f"{peer.requirements}.txt"
    digest = hashlib.sha256(locked.read_bytes() + sys.version.encode()).hexdigest()
    folder = _cache() / f"{peer.requirements}-{digest[:12]}"
    python, whole = folder / "bin" / "python", folder / ".installed"
    if not whole.exists():
        shutil.rmtree(folder, ignore_errors=True)
        _uv("venv", "--python", sys.executable, str(folder))
        _uv(
            "pip",
            "sync",
            "--compile-bytecode",
            "--require-hashes",
            "--python",
            str(python),
            str(locked),
        )
        whole.touch()
    return python


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "runhistory" / "peers"


def _uv(*arguments: str) -> None:
    command = [str(_UV), "--quiet", *arguments]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise NotInstalled(done.stderr)
