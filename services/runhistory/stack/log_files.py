"""Log files of the processes, kept at a bearable size.

Processes write to their file themselves (append mode), so they go on when the supervisor is
killed. A running one cannot be told to open a new file; its file is therefore copied and cut,
and a line written in between is lost. What matters is in Kafka, not here.
"""

import shutil
from pathlib import Path
from typing import IO, Final

LIMIT_BYTES: Final = 20 * 1024 * 1024
KEPT: Final = 3


def open_log(path: Path) -> IO[bytes]:
    """The file, for appending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("ab")


def rotate(path: Path, limit: int = LIMIT_BYTES) -> None:
    """When the file is larger than `limit`, keep its content as `<name>.1` (older: .2, .3)."""
    if not path.exists() or path.stat().st_size <= limit:
        return
    for number in range(KEPT, 1, -1):
        older = _numbered(path, number - 1)
        if older.exists():
            older.replace(_numbered(path, number))
    shutil.copyfile(path, _numbered(path, 1))
    with path.open("r+b") as file:
        file.truncate()


def tail(path: Path, lines: int = 20) -> str:
    """The last lines of the file; empty when there is none."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 16_384))
        return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-lines:])


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")
