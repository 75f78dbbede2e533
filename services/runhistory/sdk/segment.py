"""A segment file of a spool (spool.py): frames, one behind the other, written at its end only.

A frame is a header and its content: length of the content, CRC-32 of the frame (with 0 in this
place), kind, number of items, `seq`. A frame that is cut off or altered fails its check.
"""

import logging
import os
import struct
import zlib
from pathlib import Path
from typing import IO, Final, NamedTuple

FRAME: Final = struct.Struct("<IIB3xIQ")
BATCH: Final = 1
DONE: Final = 2
DAMAGED_SUFFIX: Final = ".damaged"

logger: Final = logging.getLogger("runhistory")


class Frame(NamedTuple):
    """A batch, or (DONE) the note that everything up to its `seq` is done."""

    kind: int
    items: int
    seq: int
    content: bytes = b""

    def header(self) -> bytes:
        """Its first bytes, with the check of them and of the content."""
        head = (self.kind, self.items, self.seq)
        check = zlib.crc32(self.content, zlib.crc32(FRAME.pack(len(self.content), 0, *head)))
        return FRAME.pack(len(self.content), check, *head)


class Place(NamedTuple):
    """Where a frame begins."""

    kind: int
    items: int
    seq: int
    offset: int


class Damage(NamedTuple):
    """From `offset` on the segment could not be read."""

    path: Path
    offset: int
    size: int


class Segment:
    """One file, and how much of it is still to be done: `batches` and `items`, from `head` on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = self.head = self.batches = self.items = 0
        self.unsynced_since: float | None = None
        self.is_damaged = False

    def write(self, file: int, frame: Frame, *, sync: bool) -> None:
        """Append a frame to the open `file`, whole or not at all.

        Raises:
            OSError: the disk does not take it.
        """
        parts = [memoryview(frame.header()), memoryview(frame.content)]
        try:
            at = self.size
            for part in parts:
                while part:
                    written = os.pwrite(file, part, at)
                    at, part = at + written, part[written:]
            if sync:
                os.fsync(file)
        except OSError:
            os.ftruncate(file, self.size)
            raise
        self.size = at
        if frame.kind == BATCH:
            self.batches, self.items = self.batches + 1, self.items + frame.items

    def cut(self, file: int) -> None:
        """Leave nothing in it, since everything is done.

        Raises:
            OSError: the disk does not let us.
        """
        os.ftruncate(file, 0)
        self.size = self.head = 0
        self.unsynced_since = None

    def sync(self) -> None:
        """Have it on the disk itself, name and content; what fails is logged."""
        self.unsynced_since = None
        try:
            for path in (self.path, self.path.parent):
                file = os.open(path, os.O_RDONLY)
                try:
                    os.fsync(file)
                finally:
                    os.close(file)
        except OSError as error:
            logger.debug("runhistory: %s could not be synced: %s", self.path, error)

    def delete(self) -> None:
        """Delete it; a damaged one is renamed, for whoever wants to look at it."""
        try:
            if self.is_damaged:
                self.path.rename(self.path.with_suffix(DAMAGED_SUFFIX))
            else:
                self.path.unlink(missing_ok=True)
        except OSError as error:
            logger.debug("runhistory: %s could not be deleted: %s", self.path, error)

    def scan(self) -> list[Place]:
        """Where its frames are, up to the first that is not whole; sets `size` to their end.

        Raises:
            OSError: it cannot be read.
        """
        places = []
        with self.path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            while (frame := _read_frame(file, size - self.size)) is not None:
                places.append(Place(frame.kind, frame.items, frame.seq, self.size))
                self.size += FRAME.size + len(frame.content)
        self.is_damaged = self.size < size
        return places

    def read_head(self) -> bytes | None:
        """The content of the first batch that is not done; None: it cannot be read."""
        if self._find_head() is None:
            return None
        try:
            with self.path.open("rb") as file:
                file.seek(self.head)
                frame = _read_frame(file, self.size - self.head)
        except OSError:
            return None
        return frame and frame.content

    def pass_head(self, items: int) -> bool:
        """Have the first batch done; false: it cannot be read."""
        length = self._find_head()
        if length is None:
            return False
        self.head += FRAME.size + length
        self.batches, self.items = self.batches - 1, self.items - items
        return True

    def give_up(self) -> Damage:
        """What is left of it is lost."""
        logger.error(
            "runhistory: %s points or records in %s cannot be read any more and are LOST.",
            f"{self.items:,}",
            self.path,
        )
        self.batches = self.items = 0
        self.is_damaged = True
        return Damage(self.path, self.head, self.size)

    def _find_head(self) -> int | None:
        """Move `head` past notes to the first batch, and return its length."""
        try:
            with self.path.open("rb") as file:
                while self.head < self.size:
                    file.seek(self.head)
                    length, _, kind, _, _ = FRAME.unpack(file.read(FRAME.size))
                    if kind == BATCH:
                        return int(length)
                    self.head += FRAME.size + length
        except (OSError, struct.error):
            return None
        return None


def _read_frame(file: IO[bytes], left: int) -> Frame | None:
    """The frame at the file's position, `left` bytes before its end; None: there is none whole."""
    if left < FRAME.size:
        return None
    header = file.read(FRAME.size)
    length, _, kind, items, seq = FRAME.unpack(header)
    if length > left - FRAME.size:
        return None
    frame = Frame(kind, items, seq, file.read(length))
    return frame if frame.header() == header else None
