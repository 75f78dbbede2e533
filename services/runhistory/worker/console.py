"""A run's console: what the script prints, and the worker's own word, on its way to run.logs.

Lines are gathered for at most 100 ms into a batch. A batch gets its number, and is appended to a
spool file, before it is sent, so a retry is the same batch, a broker that is away costs disk and
not memory, and a worker that comes back sends what its earlier life could not. The same lines
go to `std_log.txt`, which is kept among the run's files.

Delivery is at least once, in order; the sink knows a batch by (attempt, writer, seq). When more
than BACKLOG_BYTES wait for the broker, `write` waits too: the pipes fill, and the script with them.

Of a progress bar that writes over itself, no more than one state a second is shown, and its last.
"""

import asyncio
import os
import struct
import time
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from runhistory.events import cloudevents, log_batch
from runhistory.events.cloudevents import Record
from runhistory.events.log_batch import LOG_LINES_WRITTEN, MAX_LINES, LogBatch, Stream
from runhistory.worker.lines import Line
from runhistory.worker.publisher import Publisher

LOGS_TOPIC: Final = "run.logs"
GATHER_SECONDS: Final = 0.1
BATCH_CHARACTERS: Final = 262_144
BACKLOG_BYTES: Final = 64 * 1_048_576
PROGRESS_SECONDS: Final = 1.0
ERROR_LINES: Final = 50

_FRAME: Final = struct.Struct("<QI")  # seq, length of the value that follows
_SENT: Final = struct.Struct("<Q")


class Spool:
    """Batches of one writer on disk, and how far they were sent. Survives the worker."""

    def __init__(self, folder: Path) -> None:
        self._file = (folder / "console.spool").open("a+b")
        self._sent_file = os.open(folder / "console.sent", os.O_RDWR | os.O_CREAT, 0o600)
        self.size = os.fstat(self._file.fileno()).st_size
        sent = os.pread(self._sent_file, _SENT.size, 0)
        self.sent: int = _SENT.unpack(sent)[0] if len(sent) == _SENT.size else 0

    def append(self, seq: int, value: bytes) -> None:
        """Keep a batch; a torn one at a crashed end is as if it had never been."""
        self._file.write(_FRAME.pack(seq, len(value)) + value)
        self._file.flush()
        self.size += _FRAME.size + len(value)

    def next(self) -> tuple[int, bytes, int] | None:
        """The oldest unsent batch: its seq, its value, and what to pass to `mark_sent`."""
        header = os.pread(self._file.fileno(), _FRAME.size, self.sent)
        if len(header) < _FRAME.size:
            return None
        seq, length = _FRAME.unpack(header)
        value = os.pread(self._file.fileno(), length, self.sent + _FRAME.size)
        if len(value) < length:
            return None
        return seq, value, self.sent + _FRAME.size + length

    def mark_sent(self, position: int) -> None:
        """Everything before `position` has arrived."""
        self.sent = position
        os.pwrite(self._sent_file, _SENT.pack(position), 0)

    def close(self) -> None:
        """Close the files; they stay."""
        self._file.close()
        os.close(self._sent_file)


async def send_spooled(spool: Spool, publisher: Publisher, *, run_id: str, writer: str) -> None:
    """Send what the spool holds, and return when it is empty."""
    while batch := spool.next():
        seq, value, position = batch
        await publisher.publish(LOGS_TOPIC, _record(run_id, writer, seq, value))
        spool.mark_sent(position)


class Console:
    """One writer of one attempt. Use from the event loop only; close it, or batches stay behind."""

    def __init__(
        self,
        folder: Path,
        publisher: Publisher,
        *,
        workspace: str,
        run_id: str,
        attempt: int,
        writer: str,
    ) -> None:
        self.file = folder / "std_log.txt"
        self.last_errors: deque[str] = deque(maxlen=ERROR_LINES)
        self._publisher = publisher
        self._workspace, self._run_id, self._attempt = workspace, run_id, attempt
        self._writer, self._seq = writer, 0
        self._text = self.file.open("a", encoding="utf-8", buffering=1 << 16)
        self._spool = Spool(folder)
        self._gathered: list[tuple[Stream, int, str]] = []
        self._characters = 0
        self._progress: dict[Stream, tuple[int, str]] = {}  # the state of a bar, not shown yet
        self._progress_shown: dict[Stream, float] = {}
        self._wake, self._room = asyncio.Event(), asyncio.Event()
        self._sender = asyncio.create_task(self._send(), name=f"console-{run_id}")
        self._ticker = asyncio.create_task(self._tick(), name=f"console-tick-{run_id}")

    def system(self, text: str) -> None:
        """The worker's own word, in as many lines as it has."""
        for line in text.encode(errors="replace").decode().splitlines() or [""]:
            for start in range(0, max(1, len(line)), log_batch.MAX_LINE_LENGTH):
                self._add("system", line[start : start + log_batch.MAX_LINE_LENGTH])

    async def write(self, stream: Stream, lines: Iterable[Line]) -> None:
        """Take lines; waits while too much waits for the broker."""
        for line in lines:
            if line.overwritten:
                self._progress[stream] = (_now(), line.text)
            else:
                self._progress.pop(stream, None)
                self._add(stream, line.text)
                if stream == "stderr":
                    self.last_errors.append(line.text[:4_096])
        while self._spool.size - self._spool.sent > BACKLOG_BYTES:
            self._room.clear()
            await self._room.wait()

    async def close(self) -> None:
        """Return when every line has arrived. The file of lines is complete then."""
        self._ticker.cancel()
        self._flush()
        self._text.close()
        self._sender.cancel()
        await asyncio.gather(self._ticker, self._sender, return_exceptions=True)
        await send_spooled(self._spool, self._publisher, run_id=self._run_id, writer=self._writer)
        self._spool.close()

    def _add(self, stream: Stream, text: str, time: int | None = None) -> None:
        self._gathered.append((stream, time or _now(), text))
        self._characters += len(text)
        if len(self._gathered) >= MAX_LINES or self._characters >= BATCH_CHARACTERS:
            self._flush()

    def _flush(self) -> None:
        if not self._gathered:
            return
        gathered, self._gathered, self._characters = self._gathered, [], 0
        batch = LogBatch(
            writer=self._writer,
            seq=self._seq,
            streams=[stream for stream, _, _ in gathered],
            times=[time for _, time, _ in gathered],
            lines=[text for _, _, text in gathered],
        )
        value = log_batch.encode(
            batch, workspace=self._workspace, run_id=self._run_id, attempt=self._attempt
        )
        self._spool.append(self._seq, value)
        self._seq += 1
        self._text.writelines(f"{text}\n" for _, _, text in gathered)
        self._text.flush()
        self._wake.set()

    def _show_progress(self) -> None:
        now = time.monotonic()
        for stream, (seen, text) in list(self._progress.items()):
            if now - self._progress_shown.get(stream, -PROGRESS_SECONDS) >= PROGRESS_SECONDS:
                self._progress_shown[stream] = now
                del self._progress[stream]
                self._add(stream, text, seen)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(GATHER_SECONDS)
            self._show_progress()
            self._flush()

    async def _send(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while batch := self._spool.next():
                seq, value, position = batch
                record = _record(self._run_id, self._writer, seq, value)
                await self._publisher.publish(LOGS_TOPIC, record)
                self._spool.mark_sent(position)
                self._room.set()


def _record(run_id: str, writer: str, seq: int, value: bytes) -> Record:
    return Record(
        key=run_id.encode(),
        headers=cloudevents.headers(
            id=f"{run_id}:{writer}:{seq}",
            type=LOG_LINES_WRITTEN,
            source="runhistory/worker",
            subject=run_id,
            time=datetime.now(UTC),
        ),
        value=value,
    )


def _now() -> int:
    return time.time_ns() // 1_000
