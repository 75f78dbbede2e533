"""A queue of batches on disk, of one stream of a writer: what is appended stays until it is done.

Batches lie one behind the other in segment files (`points-00000001.seg`, …), each in a frame of its
own: length, CRC-32, kind, number of items, `seq`, then the batch as msgpack. The queue is read at
its head and written at its end; in memory there is only where these are. What is done with is noted
by a small frame at the end; a segment of which everything is done is deleted, and an empty queue
is cut to nothing, so that while the gateway answers hardly a byte reaches the disk itself.

A killed process leaves what it wrote (the kernel has it). After a loss of power there is what was
synced: anything that has been waiting for `sync_seconds`. A frame that is cut off or altered fails
its check: what stands before it in its segment is there, what comes after it in this segment is
lost, and `damage` says so.

Where the disk cannot be written, batches are held in memory, in the same order, and written later
if that works again. Delivery: every batch at least once, in order.
"""

import logging
import os
import struct
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final, NamedTuple

import msgspec

from runhistory.sdk.batch import Batch

SEGMENT_BYTES: Final = 16 * 1024 * 1024
HELD_BYTES: Final = 256 * 1024 * 1024
"""What may be held in memory while the disk cannot be written."""
RETRY_SECONDS: Final = 5.0
DAMAGED_SUFFIX: Final = ".damaged"
FRAME: Final = struct.Struct("<IIB3xIQ")
"""Length of the content, CRC-32 of the frame (with 0 in this place), kind, items, seq."""
_BATCH: Final = 1
_DONE: Final = 2

logger: Final = logging.getLogger("runhistory")

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Batch).decode


class Damage(NamedTuple):
    """From `offset` on the segment could not be read."""

    path: Path
    offset: int
    size: int


class _Frame(NamedTuple):
    kind: int
    items: int
    seq: int
    content: bytes = b""

    def packed(self) -> bytes:
        head = (self.kind, self.items, self.seq)
        check = zlib.crc32(self.content, zlib.crc32(FRAME.pack(len(self.content), 0, *head)))
        return FRAME.pack(len(self.content), check, *head) + self.content


class _Place(NamedTuple):
    kind: int
    items: int
    seq: int
    offset: int


class _Segment:
    """A segment file and how much of it is still to be done, from `head` on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = self.head = self.batches = self.items = 0
        self.unsynced_since: float | None = None


class Spool:
    """The queue of one stream. May be used by several threads; no call waits for the network."""

    def __init__(
        self,
        folder: Callable[[], Path] | None,
        stream: str,
        *,
        max_bytes: int,
        sync_seconds: float | None = 1.0,
    ) -> None:
        """`folder` gives the writer's folder, and makes it at first (OSError: it cannot); None:
        hold everything in memory.
        `sync_seconds` is how long a batch may wait unsynced (0: not at all, None: for ever)."""
        self.damage: list[Damage] = []
        self.trouble = ""
        self._folder, self._stream = folder, stream
        self._max_bytes, self._sync_seconds = max_bytes, sync_seconds
        self._lock = threading.Lock()
        self._segments: deque[_Segment] = deque()
        self._held: deque[_Frame] = deque()
        self._held_bytes = self._held_items = 0
        self._last_number = 0
        self._fd: int | None = None  # of the last segment, which is the one that is written
        self._retry_at = 0.0
        self._has_warned = False

    @classmethod
    def reopen(cls, folder: Path, stream: str) -> "Spool":
        """What a writer that is gone has left: exactly what it had not noted as done.

        Raises:
            OSError: a segment cannot be read.
        """
        spool = cls(lambda: folder, stream, max_bytes=0)
        for path in sorted(folder.glob(f"{stream}-*.seg")):
            spool._last_number = int(path.stem.rpartition("-")[2])
            spool._segments.append(_Segment(path))
        places = [spool._scan(segment) for segment in spool._segments]
        done = max((p.seq for of_one in places for p in of_one if p.kind == _DONE), default=-1)
        for segment, of_one in zip(spool._segments, places, strict=True):
            left = [p for p in of_one if p.kind == _BATCH and p.seq > done]
            segment.head = left[0].offset if left else segment.size
            segment.batches, segment.items = len(left), sum(p.items for p in left)
        return spool

    # --- what there is ---

    @property
    def items(self) -> int:
        """How many points or records are not done."""
        return sum(segment.items for segment in list(self._segments)) + self._held_items

    @property
    def batches(self) -> int:
        """How many batches are not done."""
        return sum(segment.batches for segment in list(self._segments)) + len(self._held)

    @property
    def held_items(self) -> int:
        """Those of `items` that are in memory alone."""
        return self._held_items

    @property
    def held_bytes(self) -> int:
        """What these take."""
        return self._held_bytes

    @property
    def disk_bytes(self) -> int:
        """What the segments take on disk."""
        return sum(segment.size for segment in list(self._segments))

    @property
    def has_room(self) -> bool:
        """Whether another batch may be appended."""
        return self.disk_bytes < self._max_bytes and self._held_bytes < HELD_BYTES

    # --- the end ---

    def append(self, batch: Batch) -> None:
        """Put a batch at the end. Never raises for the disk: then it is held in memory."""
        frame = _Frame(_BATCH, batch.items, batch.seq, _encode(batch))
        with self._lock:
            self._held.append(frame)
            self._held_bytes += len(frame.content)
            self._held_items += batch.items
            self._store_held()

    def sync(self, *, at_once: bool = False) -> None:
        """Sync what has waited for too long, or everything at once."""
        if self._sync_seconds is None:
            return
        before = time.monotonic() - (0.0 if at_once else self._sync_seconds)
        with self._lock:
            self._store_held()
            for segment in self._segments:
                if segment.unsynced_since is not None and segment.unsynced_since <= before:
                    self._sync_segment(segment)

    # --- the head ---

    def first(self) -> Batch | None:
        """The batch at the head, which stays there; None when everything is done."""
        with self._lock:
            while True:
                segment = self._head_segment()
                if segment is None:
                    return _decode(self._held[0].content) if self._held else None
                if (content := self._read_head(segment)) is not None:
                    return _decode(content)
                self._give_up(segment)

    def done(self, batch: Batch) -> None:
        """Take the batch off the head, where it is."""
        with self._lock:
            segment = self._head_segment()
            if segment is None:
                self._let_go()
                return
            length = self._find_head(segment)
            if length is None:
                self._give_up(segment)
                return
            segment.head += FRAME.size + length
            segment.batches, segment.items = segment.batches - 1, segment.items - batch.items
            self._note_done(batch.seq)

    def close(self) -> None:
        """Close the file. What is on disk stays there."""
        with self._lock:
            self.drop_file()

    def drop_file(self) -> None:
        """The same in a forked child, where a lock may be held by a thread that is not there."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    # --- writing ---

    def _store_held(self) -> None:
        if not self._held or self._folder is None or time.monotonic() < self._retry_at:
            return
        try:
            while self._held:
                self._write(self._held[0])
                self._let_go()
        except OSError as error:
            self._retry_at = time.monotonic() + RETRY_SECONDS
            self.trouble = f"The spool cannot be written ({error})."
            if not self._has_warned:
                self._has_warned = True
                logger.warning(
                    "runhistory: %s What is not sent yet is held in memory, and a killed process "
                    "loses it. RUNHISTORY_SPOOL names another folder.",
                    self.trouble,
                )
        else:
            self.trouble = ""

    def _write(self, frame: _Frame) -> None:
        """At the end of the last segment, whole or not at all."""
        if self._fd is None or self._segments[-1].size >= SEGMENT_BYTES:
            self._begin_segment()
        segment, data = self._segments[-1], memoryview(frame.packed())
        assert self._fd is not None
        begin = segment.size
        try:
            at = begin
            while at < begin + len(data):
                at += os.pwrite(self._fd, data[at - begin :], at)
            if self._sync_seconds == 0:
                os.fsync(self._fd)
        except OSError:
            os.ftruncate(self._fd, begin)
            raise
        segment.size = at
        if frame.kind == _BATCH:
            segment.batches, segment.items = segment.batches + 1, segment.items + frame.items
            if segment.unsynced_since is None and self._sync_seconds:
                segment.unsynced_since = time.monotonic()

    def _begin_segment(self) -> None:
        assert self._folder is not None
        number = self._last_number + 1
        path = self._folder() / f"{self._stream}-{number:08d}.seg"
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        if self._fd is not None:
            os.close(self._fd)
        self._fd, self._last_number = fd, number
        self._segments.append(_Segment(path))

    def _sync_segment(self, segment: _Segment) -> None:
        segment.unsynced_since = None
        try:
            fd = os.open(segment.path, os.O_RDONLY)
            folder = os.open(segment.path.parent, os.O_RDONLY)
            try:
                os.fsync(fd)
                os.fsync(folder)
            finally:
                os.close(fd)
                os.close(folder)
        except OSError as error:
            logger.debug("runhistory: %s could not be synced: %s", segment.path, error)

    def _note_done(self, seq: int) -> None:
        while self._segments and not self._segments[0].batches:
            if len(self._segments) == 1 and self._fd is not None:
                break
            self._delete(self._segments.popleft())
        try:
            if any(segment.batches for segment in self._segments):
                self._write(_Frame(_DONE, 0, seq))
            elif self._segments and self._fd is not None:
                os.ftruncate(self._fd, 0)
                last = self._segments[-1]
                last.size = last.head = 0
                last.unsynced_since = None
        except OSError:
            pass  # then it may be sent once more

    def _delete(self, segment: _Segment) -> None:
        try:
            if any(one.path == segment.path for one in self.damage):
                segment.path.rename(segment.path.with_suffix(DAMAGED_SUFFIX))
                return  # for whoever wants to look at it
            segment.path.unlink(missing_ok=True)
        except OSError as error:
            logger.debug("runhistory: %s could not be deleted: %s", segment.path, error)

    # --- reading ---

    def _head_segment(self) -> _Segment | None:
        return next((segment for segment in self._segments if segment.batches), None)

    def _let_go(self) -> None:
        frame = self._held.popleft()
        self._held_bytes -= len(frame.content)
        self._held_items -= frame.items

    def _read_head(self, segment: _Segment) -> bytes | None:
        """The first batch that is not done; None: it cannot be read."""
        if self._find_head(segment) is None:
            return None
        try:
            with segment.path.open("rb") as file:
                file.seek(segment.head)
                frame = _read_frame(file, segment.size - segment.head)
        except OSError:
            return None
        return frame and frame.content

    def _find_head(self, segment: _Segment) -> int | None:
        """Move `head` past notes to the first batch, and return its length."""
        try:
            with segment.path.open("rb") as file:
                while segment.head < segment.size:
                    file.seek(segment.head)
                    length, _, kind, _, _ = FRAME.unpack(file.read(FRAME.size))
                    if kind == _BATCH:
                        return int(length)
                    segment.head += FRAME.size + length
        except (OSError, struct.error):
            return None
        return None

    def _give_up(self, segment: _Segment) -> None:
        """What is left of this segment is lost; the next one may be whole."""
        logger.error(
            "runhistory: %s points or records in %s cannot be read any more and are LOST.",
            f"{segment.items:,}",
            segment.path,
        )
        self.damage.append(Damage(segment.path, segment.head, segment.size))
        segment.batches = segment.items = 0
        if segment is self._segments[-1]:
            self.drop_file()

    def _scan(self, segment: _Segment) -> list[_Place]:
        """Where its frames are, up to the first that is not whole."""
        places = []
        with segment.path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            while (frame := _read_frame(file, size - segment.size)) is not None:
                places.append(_Place(frame.kind, frame.items, frame.seq, segment.size))
                segment.size += FRAME.size + len(frame.content)
        if segment.size < size:
            self.damage.append(Damage(segment.path, segment.size, size))
        return places


def _read_frame(file: IO[bytes], left: int) -> _Frame | None:
    """The frame at the file's position, `left` bytes before its end; None: there is none whole."""
    if left < FRAME.size:
        return None
    length, check, *head = FRAME.unpack(file.read(FRAME.size))
    if length > left - FRAME.size:
        return None
    kind, items, seq = head
    frame = _Frame(kind, items, seq, file.read(length))
    return frame if FRAME.unpack_from(frame.packed())[1] == check else None
