"""The slots and GPUs that are lent to attempts.

The workers of one machine share its GPUs. Who lends one holds its lock file (flock) as long as the
attempt lasts. The attempt's runner inherits the open file, so a GPU is free only when
the script on it is gone, whatever became of its worker.
"""

import fcntl
import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from msgspec import Struct

from runhistory.domain.values import Resources

GPU_LOCKS: Final = Path(tempfile.gettempdir()) / "runhistory-gpus"
"""One folder for all workers of the machine, whoever started them."""


class Lease(Struct, frozen=True):
    """Slots and GPUs that one attempt has; `locks` are the open lock files of these GPUs."""

    slots: int
    gpus: tuple[str, ...]
    locks: tuple[int, ...] = ()


class Capacity:
    """What the worker offers, and what of it is free."""

    def __init__(self, slots: int, gpus: Iterable[str], locks: Path = GPU_LOCKS) -> None:
        self.slots, self.gpus = slots, tuple(gpus)
        self.free_slots, self._free_gpus = slots, list(self.gpus)
        self._locks = GpuLocks(locks)

    @property
    def free_gpus(self) -> int:
        """How many GPUs are free here; another worker of the machine may have some of them."""
        return len(self._free_gpus)

    def could_ever_fit(self, resources: Resources) -> bool:
        """Whether an idle worker would be enough."""
        return resources.slots <= self.slots and resources.gpus <= len(self.gpus)

    def take(self, resources: Resources) -> Lease | None:
        """Lend what fits, which the caller has checked; None: other workers have the GPUs."""
        assert resources.slots <= self.free_slots
        assert resources.gpus <= self.free_gpus
        locked = self._locks.take(self._free_gpus, resources.gpus)
        if locked is None:
            return None
        self.free_slots -= resources.slots
        self._free_gpus = [uuid for uuid in self._free_gpus if uuid not in locked]
        return Lease(resources.slots, tuple(locked), tuple(locked.values()))

    def give_back(self, lease: Lease) -> None:
        """The attempt needs it no more."""
        for lock in lease.locks:
            os.close(lock)
        self.free_slots += lease.slots
        free = {*self._free_gpus, *lease.gpus}
        self._free_gpus = [uuid for uuid in self.gpus if uuid in free]


class GpuLocks:
    """A lock file for each GPU of the machine; the kernel lets go of it with its last holder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def take(self, uuids: Iterable[str], count: int) -> dict[str, int] | None:
        """Lock `count` of the GPUs: their open lock files. None, and none locked: too few free.

        Raises:
            OSError: the folder cannot be used.
        """
        locked: dict[str, int] = {}
        for uuid in uuids:
            if len(locked) == count:
                break
            if (lock := self._try(uuid)) is not None:
                locked[uuid] = lock
        if len(locked) == count:
            return locked
        for lock in locked.values():
            os.close(lock)
        return None

    def _try(self, uuid: str) -> int | None:
        lock = self._open(re.sub(r"[^A-Za-z0-9_.-]", "-", uuid) + ".lock")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        return lock

    def _open(self, name: str) -> int:
        """Read-only is enough for a lock, so another user's file will do."""
        path = self._folder / name
        if not self._folder.is_dir():
            self._folder.mkdir(exist_ok=True)
            self._folder.chmod(0o1777)
        try:
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
