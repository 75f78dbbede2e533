"""A disk of a few MiB that can be filled to its last block: a tmpfs mounted over a folder.

What is written there meets the real ENOSPC, at whatever call asks for another page. To mount one
takes root; who has not may call `unshare --map-root-user --mount make test`.
"""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

CHUNK = bytes(1 << 16)


class SmallDisk:
    """A mounted one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / ".filler"

    def fill(self, leave: int = 0) -> None:
        """Take all that is free but `leave` bytes."""
        with self._filler.open("ab", buffering=0) as filler:
            with contextlib.suppress(OSError):
                while filler.write(CHUNK):
                    pass
            filler.truncate(max(0, filler.tell() - leave))

    def make_space(self) -> None:
        """Give it back."""
        self._filler.unlink()


@contextlib.contextmanager
def small_disk(folder: Path, mebibytes: int) -> Iterator[SmallDisk]:
    """Mount it over `folder`, which is made, for the block; skips the test where that is denied."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=700", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", str(folder)], check=True)
