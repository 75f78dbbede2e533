"""Keep the files of an attempt: bytes to the object store, names and digests for its manifest.

What is kept: everything under `outputs/` and `logs/` of the working directory, and the console
as `user_logs/std_log.txt`. A link to a file inside the working directory is kept as that file;
other links, and what is no file, are left out, and `skipped` says so: nothing is lost silently.
"""

import asyncio
import mimetypes
import os
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import IO, Any, Final

import msgspec
import structlog
from msgspec import Struct

from runhistory.domain.values import FileEntry, FileName
from runhistory.objects.store import ObjectStore

KEPT_FOLDERS: Final = ("outputs", "logs")
CONSOLE_NAME: Final = "user_logs/std_log.txt"
FILES_IN_A_COMMAND: Final = 1_000

_PIECE_BYTES: Final = 1_048_576

log: Any = structlog.get_logger(__name__)


class Found(Struct, frozen=True):
    """A file to keep, under its name in the run."""

    name: str
    path: Path


class Skipped(Struct, frozen=True):
    """Something that is not kept, and why."""

    name: str
    reason: str


def find_files(root: Path) -> Iterator[Found | Skipped]:
    """What to keep of the working directory `root`, in the order of names."""
    real_root = root.resolve()
    for folder in KEPT_FOLDERS:
        if (root / folder).is_symlink():
            yield Skipped(folder, "a link in place of the folder")
            continue
        for parent, folders, names in os.walk(root / folder):
            folders.sort()
            links = [name for name in folders if (Path(parent) / name).is_symlink()]
            for name in sorted([*names, *links]):
                path = Path(parent) / name
                yield _judge(path, path.relative_to(root).as_posix(), real_root)


def _judge(path: Path, name: str, real_root: Path) -> Found | Skipped:
    try:
        msgspec.convert(name, FileName)
        name.encode()
    except (msgspec.ValidationError, UnicodeEncodeError):
        return Skipped(name, "its name has control characters, a backslash, or is too long")
    try:
        target = path.resolve(strict=True)
        mode = target.stat().st_mode
    except (OSError, RuntimeError):
        return Skipped(name, "a link to nothing")
    if not target.is_relative_to(real_root):
        return Skipped(name, "a link out of the working directory")
    if stat.S_ISDIR(mode):
        return Skipped(name, "a link to a folder")
    if not stat.S_ISREG(mode):
        return Skipped(name, "no regular file")
    return Found(name, target)


async def store_file(store: ObjectStore, workspace: str, found: Found) -> FileEntry:
    """Put the file's bytes into the store; with the store away, keep trying.

    Raises:
        OSError: the file itself cannot be read.
    """
    while True:
        file = await asyncio.to_thread(_open, found.path)
        try:
            blob = await store.put(workspace, _pieces(file))
            break
        except Exception as error:
            if isinstance(error, OSError) and error.filename == str(found.path):
                raise
            log.warning("store_failed", file=found.name, error=repr(error))
            await asyncio.sleep(2)
        finally:
            file.close()
    return FileEntry(
        name=found.name,
        sha256=blob.sha256,
        size=blob.size,
        content_type=mimetypes.guess_type(found.name)[0] or "application/octet-stream",
    )


def _open(path: Path) -> IO[bytes]:
    """Open without following a link or waiting for a pipe: it was judged a moment ago."""
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
        yield piece


async def keep_files(
    store: ObjectStore, workspace: str, root: Path, tell: Callable[[str], None]
) -> list[FileEntry]:
    """Store what there is to keep of the working directory `root`; `tell` hears what is not."""
    entries: list[FileEntry] = []
    found = await asyncio.to_thread(lambda: list(find_files(root)))
    for one in found:
        if isinstance(one, Found):
            try:
                entries.append(await store_file(store, workspace, one))
                continue
            except OSError as error:
                one = Skipped(one.name, f"it cannot be read: {error.strerror}")
        tell(f"Not kept: {one.name} ({one.reason}).")
    return entries
