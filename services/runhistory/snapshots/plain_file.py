"""Plain files, read without surprises: no link followed, no pipe waited for, no half state."""

import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

_CHUNK: Final = 2**20
_TRIES: Final = 3


class KeepsChanging(Exception):
    """The file was written to during every try to read it."""


def open_plain(path: Path) -> BinaryIO:
    """Open a plain file for reading.

    Raises:
        OSError: it cannot be opened, or is something else: a link, a pipe, a folder.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(0, "it is no plain file", str(path))
    return os.fdopen(descriptor, "rb")


def digest_of(path: Path, progress: Callable[[int], None] | None = None) -> tuple[int, str]:
    """Size in bytes and SHA-256 of a file that nobody wrote to meanwhile.

    Raises:
        KeepsChanging: somebody did, each time.
        OSError: as `open_plain`.
    """
    for _ in range(_TRIES):
        with open_plain(path) as stream:
            before, digest, size = os.fstat(stream.fileno()), hashlib.sha256(), 0
            # One byte more than there was shows growth, without running after a log for ever.
            while chunk := stream.read(min(_CHUNK, before.st_size + 1 - size)):
                digest.update(chunk)
                size += len(chunk)
                if progress:
                    progress(len(chunk))
            after = os.fstat(stream.fileno())
        if size == after.st_size and _stamps(before) == _stamps(after):
            return size, digest.hexdigest()
    raise KeepsChanging(str(path))


def _stamps(info: os.stat_result) -> tuple[int, int, int]:
    return info.st_size, info.st_mtime_ns, info.st_ctime_ns
