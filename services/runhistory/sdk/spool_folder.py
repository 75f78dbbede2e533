"""Where spools lie: a folder for each writer, which one living process holds by a lock.

    SPOOL/<writer>/writer.json   where its batches go (mode 0600: a token may be in it)
    SPOOL/<writer>/lock          held with flock by the process that writes, or sends what is left
    SPOOL/<writer>/points-00000001.seg, records-00000001.seg, …, end-00000001.seg

The system lets go of a lock when its holder dies, however that happens. A folder is made
and deleted while its lock is held, so nobody drains what another process writes or drains.
"""

import contextlib
import fcntl
import logging
import os
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from runhistory.sdk.address import Address
from runhistory.sdk.limits import SpoolSettings
from runhistory.sdk.segment import DAMAGED_SUFFIX
from runhistory.sdk.spool import Spool

END: Final = "end"
"""The stream with the command that ended a run which could not be told so."""
STREAMS: Final = ("points", "records", END)
"""Those of a writer, in the order in which they are sent."""
REQUESTS: Final = "requests"
"""The stream of a detached run (detached.py)."""
DAMAGED: Final = "damaged"

logger: Final = logging.getLogger("runhistory")


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """Whose batches a folder holds and where they go. `process` and `host` are for people."""

    version: int = 1
    url: str
    workspace: str
    token: str | None = None
    run_id: str
    attempt: int
    writer: str
    process: int
    host: str
    began: float

    @classmethod
    def of(cls, address: Address, run_id: str, attempt: int, writer: str) -> "Owner":
        """This process's writer."""
        return cls(
            url=address.url,
            workspace=address.workspace,
            token=address.token,
            run_id=run_id,
            attempt=attempt,
            writer=writer,
            process=os.getpid(),
            host=socket.gethostname(),
            began=time.time(),
        )


class SpoolFolder:
    """The folder of one writer, made when it is first needed."""

    def __init__(self, root: Path, owner: Owner) -> None:
        self.path = root / owner.writer
        self._owner = owner
        self._lock: int | None = None

    def open(self) -> Path:
        """The folder, which is this process's.

        Raises:
            OSError: it cannot be made, or another process holds it.
        """
        if self._lock is None or not self.path.is_dir():
            self.let_go()
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.mkdir(mode=0o700, exist_ok=True)
            held = lock(self.path, patience=1.0)
            if held is None:
                raise OSError(f"another process holds {self.path}")
            try:
                self._write_owner()
            except OSError:
                if not (self.path / "writer.json").exists():
                    shutil.rmtree(self.path, ignore_errors=True)
                os.close(held)
                raise
            self._lock = held
        return self.path

    def _write_owner(self) -> None:
        """Whole, or as it was: nobody sends from a folder that does not say whose it is."""
        fresh = self.path / "writer.new"
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(file, "wb") as out:
            out.write(msgspec.json.encode(self._owner))
        fresh.replace(self.path / "writer.json")

    def remove(self) -> None:
        """Delete the folder, in which nothing is left to do."""
        if self._lock is not None:
            shutil.rmtree(self.path, ignore_errors=True)
        self.let_go()

    def let_go(self) -> None:
        """Leave the folder as it is, to whoever sends what is left."""
        held, self._lock = self._lock, None
        if held is not None:
            os.close(held)


class Left:
    """A folder whose writer is gone, held by this process until the block is left."""

    def __init__(self, path: Path, owner: Owner) -> None:
        self.path, self.owner = path, owner
        self.spools = {stream: Spool.reopen(path, stream) for stream in (*STREAMS, REQUESTS)}

    @property
    def is_detached(self) -> bool:
        """Whether these are the requests of detached runs."""
        return not self.owner.run_id

    @property
    def items(self) -> int:
        """Points, records, requests and ends that were not acknowledged."""
        return sum(spool.items for spool in self.spools.values())

    @property
    def has_damage(self) -> bool:
        """Whether something in it cannot be read."""
        return any(spool.damage for spool in self.spools.values())

    @property
    def said(self) -> str:
        """What is left, for people."""
        return ", ".join(
            amount(spool.items, stream) for stream, spool in self.spools.items() if spool.items
        )

    def remove(self) -> None:
        """Delete the folder; what could not be read is put aside first."""
        aside = self.path.parent / DAMAGED
        for spool in self.spools.values():
            for damage in spool.damage:
                for path in (damage.path, damage.path.with_suffix(DAMAGED_SUFFIX)):
                    with contextlib.suppress(OSError):
                        aside.mkdir(mode=0o700, exist_ok=True)
                        path.rename(aside / f"{self.owner.writer}-{damage.path.name}")
        shutil.rmtree(self.path, ignore_errors=True)


def amount(items: int, stream: str) -> str:
    """So much of a stream, for people."""
    return "the end of the run" if stream == END else f"{items:,} {stream}"


@contextlib.contextmanager
def adopt(path: Path) -> Iterator[Left | None]:
    """Hold the folder of a writer that is gone; None: it is alive, or the folder is no writer's.

    Raises:
        OSError: what is there cannot be read.
    """
    held = lock(path)
    try:
        owner = None if held is None else owner_of(path)
        left = None if owner is None else Left(path, owner)
        yield left
        for spool in left.spools.values() if left else ():
            spool.close()
    finally:
        if held is not None:
            os.close(held)


def folders(root: Path) -> list[Path]:
    """The folders of this user's writers, the oldest first."""
    try:
        found = [path for path in root.iterdir() if (path / "writer.json").exists()]
        own = [path for path in found if path.stat().st_uid == os.geteuid()]
        return sorted(own, key=lambda path: (path / "writer.json").stat().st_mtime_ns)
    except OSError:
        return []


def owner_of(path: Path) -> Owner | None:
    """Who wrote there; None where nobody can tell."""
    try:
        return msgspec.json.decode((path / "writer.json").read_bytes(), type=Owner)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        logger.warning("runhistory: %s is no writer's folder: %s", path, error)
        return None


def lock(path: Path, patience: float = 0.0) -> int | None:
    """An open file that holds the folder's lock; None: another has it, for `patience` seconds.

    Raises:
        OSError: the lock cannot be opened.
    """
    file = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(file)
                return None
            time.sleep(0.01)  # somebody looks whether the folder was left behind
        except OSError:
            os.close(file)
            raise
        else:
            return file


class WriterSpools:
    """The spools of one writer of this process, in a folder of its own or in memory."""

    def __init__(self, folder: SpoolFolder | None, settings: SpoolSettings) -> None:
        """`folder` None: in memory alone."""
        self._folder = folder
        self.points, self.records, self.end = self._all = tuple(
            Spool(
                None if folder is None else folder.open,
                stream,
                max_bytes=settings.max_bytes,
                sync_seconds=settings.sync_seconds,
            )
            for stream in STREAMS
        )

    @classmethod
    def of(
        cls, settings: SpoolSettings, address: Address, run_id: str, attempt: int, writer: str
    ) -> "WriterSpools":
        """Those of a writer of the run, below the root that is set."""
        if settings.root is None:
            return cls(None, settings)
        return cls(SpoolFolder(settings.root, Owner.of(address, run_id, attempt, writer)), settings)

    @property
    def kept_in(self) -> Path | None:
        """The folder with all that waits; None: some of it is in memory alone."""
        is_held = any(spool.held_items for spool in self._all)
        return self._folder.path if self._folder and not is_held else None

    def remove(self) -> None:
        """Delete the folder, since everything is done. It is made again when it is needed."""
        for spool in self._all:
            spool.close()
        if self._folder:
            self._folder.remove()

    def abandon(self) -> None:
        """In a forked child: let go of the files, which are the parent's."""
        for spool in self._all:
            spool.drop_file()
        if self._folder:
            self._folder.let_go()
