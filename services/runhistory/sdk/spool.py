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
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from runhistory.sdk.batch import Batch
from runhistory.sdk.segment import BATCH, DONE, Damage, Frame, Segment

SEGMENT_BYTES: Final = 16 * 1024 * 1024
HELD_BYTES: Final = 256 * 1024 * 1024
"""What may be held in memory while the disk cannot be written."""
RETRY_SECONDS: Final = 5.0

logger: Final = logging.getLogger("runhistory")

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Batch).decode


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
        self._segments: deque[Segment] = deque()
        self._held: deque[Frame] = deque()
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
            spool._segments.append(Segment(path))
        places = [segment.scan() for segment in spool._segments]
        done = max((p.seq for of_one in places for p in of_one if p.kind == DONE), default=-1)
        for segment, of_one in zip(spool._segments, places, strict=True):
            left = [p for p in of_one if p.kind == BATCH and p.seq > done]
            if segment.is_damaged:
                size = segment.path.stat().st_size
                spool.damage.append(Damage(segment.path, segment.size, size))
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
        frame = Frame(BATCH, batch.items, batch.seq, _encode(batch))
        with self._lock:
            self._held.append(frame)
            self._held_bytes += len(frame.content)
            self._held_items += batch.items
            self._store_held()

    def sync(self, *, at_once: bool = False) -> None:
        """Write what is held, if that works again; sync what has waited for too long. With
        `at_once` both without waiting."""
        with self._lock:
            if at_once:
                self._retry_at = 0.0
            self._store_held()
            if self._sync_seconds is None:
                return
            before = time.monotonic() - (0.0 if at_once else self._sync_seconds)
            for segment in self._segments:
                if segment.unsynced_since is not None and segment.unsynced_since <= before:
                    segment.sync()

    # --- the head ---

    def first(self) -> Batch | None:
        """The batch at the head, which stays there; None when everything is done."""
        with self._lock:
            while True:
                segment = self._head_segment()
                if segment is None:
                    return _decode(self._held[0].content) if self._held else None
                if (content := segment.read_head()) is not None:
                    return _decode(content)
                self._give_up(segment)

    def done(self, batch: Batch) -> None:
        """Take the batch off the head, where it is."""
        with self._lock:
            segment = self._head_segment()
            if segment is None:
                self._let_go()
                return
            if not segment.pass_head(batch.items):
                self._give_up(segment)
                return
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
                    "loses it. RUNHISTORY_SPOOL (of a detached run: RUNHISTORY_DETACHED) names "
                    "another folder.",
                    self.trouble,
                )
        else:
            self.trouble = ""

    def _write(self, frame: Frame) -> None:
        if self._fd is None or self._segments[-1].size >= SEGMENT_BYTES:
            self._begin_segment()
        assert self._fd is not None
        segment = self._segments[-1]
        segment.write(self._fd, frame, sync=self._sync_seconds == 0)
        if frame.kind == BATCH and segment.unsynced_since is None and self._sync_seconds:
            segment.unsynced_since = time.monotonic()

    def _begin_segment(self) -> None:
        assert self._folder is not None
        number = self._last_number + 1
        path = self._folder() / f"{self._stream}-{number:08d}.seg"
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        if self._fd is not None:
            os.close(self._fd)
        self._fd, self._last_number = fd, number
        self._segments.append(Segment(path))

    def _note_done(self, seq: int) -> None:
        while self._segments and not self._segments[0].batches:
            if len(self._segments) == 1 and self._fd is not None:
                break
            self._segments.popleft().delete()
        try:
            if any(segment.batches for segment in self._segments):
                self._write(Frame(DONE, 0, seq))
            elif self._segments and self._fd is not None:
                self._segments[-1].cut(self._fd)
        except OSError:
            pass  # then it may be sent once more

    def _head_segment(self) -> Segment | None:
        return next((segment for segment in self._segments if segment.batches), None)

    def _let_go(self) -> None:
        frame = self._held.popleft()
        self._held_bytes -= len(frame.content)
        self._held_items -= frame.items

    def _give_up(self, segment: Segment) -> None:
        self.damage.append(segment.give_up())
        if segment is self._segments[-1]:
            self.drop_file()
