"""A run's console: what the script prints, and the worker's own word, on its way to run.logs.

Lines are gathered for at most 100 ms into a batch. A batch gets its number, and is appended to a
spool file, before it is sent, so a retry is the same batch, a broker that is away costs disk and
not memory, and a worker that comes back sends what its earlier life could not. The same lines
go to `std_log.txt`, which is kept among the run's files. A disk that takes nothing is tried again
ten times a second; batches wait in memory meanwhile, and what is more than UNSPOOLED_BYTES of them
is counted and left out, and a line says so: a script never stands still for its worker's disk.

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
from typing import Any, Final, NamedTuple

import structlog

from runhistory.events import batch_message, cloudevents, log_batch
from runhistory.events.cloudevents import Record
from runhistory.events.log_batch import (
    LOG_LINES_WRITTEN,
    MAX_LINES,
    LogBatch,
    LogLinesWritten,
    Stream,
)
from runhistory.kafka.publisher import Publisher
from runhistory.worker.lines import Line

LOGS_TOPIC: Final = "run.logs"
GATHER_SECONDS: Final = 0.1
BATCH_CHARACTERS: Final = 262_144
BACKLOG_BYTES: Final = 64 * 1_048_576
UNSPOOLED_BYTES: Final = 16 * 1_048_576
PROGRESS_SECONDS: Final = 1.0
ERROR_LINES: Final = 50

_FRAME: Final = struct.Struct("<QI")  # seq, length of the value that follows
_SENT: Final = struct.Struct("<Q")

log: Any = structlog.get_logger(__name__)


class Spool:
    """Batches of one writer on disk, and how far they were sent. Survives the worker."""

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / "console.spool", os.O_RDWR | os.O_CREAT, 0o600)
        self._sent_file = os.open(folder / "console.sent", os.O_RDWR | os.O_CREAT, 0o600)
        self.size = os.fstat(self._file).st_size
        sent = os.pread(self._sent_file, _SENT.size, 0)
        self.sent: int = _SENT.unpack(sent)[0] if len(sent) == _SENT.size else 0

    def append(self, seq: int, value: bytes) -> None:
        """Keep a batch; a torn one at a crashed end is as if it had never been.

        Raises:
            OSError: it is not kept. Append the same batch again: it takes the torn one's place.
        """
        self.size = _write_at(self._file, _FRAME.pack(seq, len(value)) + value, self.size)

    def next(self) -> tuple[int, bytes, int] | None:
        """The oldest unsent batch: its seq, its value, and what to pass to `mark_sent`."""
        header = os.pread(self._file, _FRAME.size, self.sent)
        if len(header) < _FRAME.size:
            return None
        seq, length = _FRAME.unpack(header)
        value = os.pread(self._file, length, self.sent + _FRAME.size)
        if len(value) < length:
            return None
        return seq, value, self.sent + _FRAME.size + length

    def mark_sent(self, position: int) -> None:
        """Everything before `position` has arrived."""
        self.sent = position
        try:
            _write_at(self._sent_file, _SENT.pack(position), 0)
        except OSError as error:  # a later life sends more of it again, which does no harm
            log.warning("console_position_not_kept", error=str(error))

    def close(self) -> None:
        """Close the files; they stay."""
        os.close(self._file)
        os.close(self._sent_file)


class _Batch(NamedTuple):
    """A batch that is not on disk yet. It keeps its number and its content until it is."""

    seq: int
    value: bytes
    text: bytes


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
        self._text = os.open(self.file, os.O_WRONLY | os.O_CREAT, 0o600)
        self._text_size = os.fstat(self._text).st_size
        self._spool = Spool(folder)
        self._gathered: list[tuple[Stream, int, str]] = []
        self._characters = 0
        self._unspooled: deque[_Batch] = deque()
        self._unspooled_bytes = 0
        self._left_out = 0  # lines since the disk took the last one
        self._disk_refuses = False
        self._may_wait = True
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
        while self._may_wait and self._spool.size - self._spool.sent > BACKLOG_BYTES:
            self._room.clear()
            await self._room.wait()

    def script_ended(self) -> None:
        """Nobody waits for room any more: what is left in the pipes is little."""
        self._may_wait = False
        self._room.set()

    async def close(self) -> None:
        """Return when every line has arrived. The file of lines is complete then.

        What the disk did not take goes to the broker all the same; the file then lacks it.
        """
        self._ticker.cancel()
        self._flush()
        self._tell_what_is_left_out()
        self._flush()
        self._sender.cancel()
        await asyncio.gather(self._ticker, self._sender, return_exceptions=True)
        try:
            await send_spooled(
                self._spool, self._publisher, run_id=self._run_id, writer=self._writer
            )
        except OSError as error:
            log.warning("console_spool_unreadable", run_id=self._run_id, error=str(error))
        for batch in self._unspooled:
            record = _record(self._run_id, self._writer, batch.seq, batch.value)
            await self._publisher.publish(LOGS_TOPIC, record)
        self._spool.close()
        os.close(self._text)

    def _add(self, stream: Stream, text: str, time: int | None = None) -> None:
        if self._unspooled_bytes > UNSPOOLED_BYTES and stream != "system":
            self._left_out += 1
            return
        self._gathered.append((stream, time or _now(), text))
        self._characters += len(text)
        if len(self._gathered) >= MAX_LINES or self._characters >= BATCH_CHARACTERS:
            self._flush()

    def _flush(self) -> None:
        """Number what is gathered, and put on disk what it takes. The rest waits for the next."""
        self._seal()
        try:
            while self._unspooled:
                self._keep(self._unspooled[0])
                self._unspooled_bytes -= len(self._unspooled.popleft().value)
        except OSError as error:
            if not self._disk_refuses:
                log.warning("console_not_kept", run_id=self._run_id, error=str(error))
            self._disk_refuses = True
            return
        self._disk_refuses = False
        self._tell_what_is_left_out()

    def _tell_what_is_left_out(self) -> None:
        if self._left_out:
            count, self._left_out = self._left_out, 0
            self.system(f"{count} lines are missing here: the worker's disk took nothing.")

    def _keep(self, batch: _Batch) -> None:
        # Until the spool has it, a next try writes the same bytes to the same places.
        text_size = _write_at(self._text, batch.text, self._text_size)
        self._spool.append(batch.seq, batch.value)
        self._text_size = text_size
        self._wake.set()

    def _seal(self) -> None:
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
        value = batch_message.encode(
            LogLinesWritten,
            batch,
            workspace=self._workspace,
            run_id=self._run_id,
            attempt=self._attempt,
        )
        text = "".join(f"{text}\n" for _, _, text in gathered).encode()
        self._unspooled.append(_Batch(self._seq, value, text))
        self._unspooled_bytes += len(value)
        self._seq += 1

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
            try:
                await self._send_spooled()
            except OSError as error:
                log.warning("console_spool_unreadable", run_id=self._run_id, error=str(error))
                await asyncio.sleep(1)
                self._wake.set()

    async def _send_spooled(self) -> None:
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


def _write_at(file: int, data: bytes, position: int) -> int:
    """Write all of `data`; the position behind it."""
    rest = memoryview(data)
    while rest:
        count = os.pwrite(file, rest, position)
        rest, position = rest[count:], position + count
    return position


def _now() -> int:
    return time.time_ns() // 1_000
