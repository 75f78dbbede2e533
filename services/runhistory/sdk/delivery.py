"""A writer's points and records from memory to the gateway, by two threads and a folder on disk.

One thread forms batches of what was logged, some 150 ms after it came, and puts them into the spool
on disk; for points and for records there is one more that sends what is in the spool (outbox.py).
A batch keeps the writer's `seq` and its bytes until the gateway has answered, however long that
takes, and whichever process sends it then. The gateway's projection knows (writer, seq), so a batch
that arrives twice counts once. Delivery: every point that is in the spool exactly once to the eye,
whatever becomes of this process; of the others, those of the last moment, when it ends without
Python's farewell.

The end of the run goes the same way, behind all else, when the gateway could not be told of it.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from runhistory.sdk import metric_encoding, record_encoding
from runhistory.sdk.batch import Batch, Send
from runhistory.sdk.errors import FlushTimeout
from runhistory.sdk.metric_encoding import Point, Series
from runhistory.sdk.outage import Outage
from runhistory.sdk.outbox import Outbox
from runhistory.sdk.record_encoding import Item
from runhistory.sdk.spool_folder import WriterSpools

INTERVAL: Final = 0.15
INTERVAL_BEHIND: Final = 1.0
"""The same while batches wait for the gateway: so a day's are not a million."""
CLOSE_SECONDS: Final = 5.0

logger: Final = logging.getLogger("runhistory")


class Delivery:
    """What one writer has still to deliver, and the threads that do it."""

    def __init__(
        self,
        send: Send,
        send_records: Send,
        send_end: Send,
        label: str,
        writer_id: str,
        spools: WriterSpools,
        outage: Outage,
        *,
        interval: float = INTERVAL,
        on_start: Callable[[], None] = lambda: None,
    ) -> None:
        """`label` names the run in messages; `on_start` is called before the thread starts."""
        self.label = label
        self._outage = outage
        self.spools = spools
        self.points: Outbox[Point | Series] = Outbox(
            send,
            metric_encoding.encode,
            metric_encoding.take,
            spools.points,
            f"points of {label}",
            writer_id,
            outage,
        )
        self.records: Outbox[Item] = Outbox(
            send_records,
            record_encoding.encode,
            record_encoding.take,
            spools.records,
            f"records of {label}",
            writer_id,
            outage,
        )
        self.end_of_run: Outbox[bytes] = Outbox(
            send_end, _as_it_is, _take_one, spools.end, f"end of {label}", writer_id, outage
        )
        self.thread: threading.Thread | None = None
        self._logged = (self.points, self.records)
        self._outboxes = (*self._logged, self.end_of_run)
        self._interval, self._on_start = interval, on_start
        self._hurry = threading.Event()
        self._starting = threading.RLock()  # a signal handler may log while its thread holds it
        self._is_starting = False
        self._saying = threading.RLock()
        self.dropped = 0
        self._is_over = False
        self._closed = False

    @property
    def waiting(self) -> str:
        """What the gateway has not answered for yet, for people; empty for nothing."""
        points, records = self.points.waiting + self.points.weight, self.records.waiting
        found = [f"{points:,} points"] if points else []
        found += [f"{records:,} records"] if records else []
        return " and ".join([*found, "the end"] if self.end_of_run.waiting else found)

    @property
    def trouble(self) -> str:
        """Why something waits; empty when it does not have to."""
        return next((outbox.trouble for outbox in self._outboxes if outbox.trouble), "")

    def start(self) -> bool:
        """See that the thread runs; false when it cannot, since the interpreter is ending."""
        with self._starting:
            if self._is_starting:  # a signal handler, on top of the call that is at it
                return True
            self._is_starting = True
            try:
                # Looked at only now: a signal handler may have come and started it meanwhile.
                if self.thread is None or not self.thread.is_alive():
                    self._closed = False
                    self._on_start()
                    thread = threading.Thread(
                        target=self._run, name="runhistory-metrics", daemon=True
                    )
                    thread.start()
                    self.thread = thread
            except RuntimeError:
                return False
            finally:
                self._is_starting = False
        return True

    def hurry(self) -> None:
        """Have batches formed now: there is enough for one, or somebody waits."""
        self._hurry.set()

    def flush(self, timeout: float) -> None:
        """Wait until everything logged before is delivered, for `timeout` seconds at most.

        Raises:
            FlushTimeout: the message says how many points wait and why. They are kept.
        """
        deadline = time.monotonic() + timeout
        if not (self._flush(self._logged, deadline) and self._flush([self.end_of_run], deadline)):
            raise FlushTimeout(
                f"{self.waiting} of {self.label} could not be sent within {timeout:g} s. "
                f"{self.trouble or 'The gateway is slow.'} They are kept and sent when it answers."
            )
        self._say_dropped()

    def _flush(self, outboxes: Iterable[Outbox[Any]], deadline: float) -> bool:
        outboxes = [one for one in outboxes if not one.is_empty]
        asked = [outbox.ask() for outbox in outboxes]
        if outboxes and not (
            self.start() and all(outbox.send_in_background() for outbox in outboxes)
        ):
            for outbox in outboxes:  # the interpreter is ending
                outbox.form()
                outbox.deliver(deadline)
        self.hurry()
        return all(one.wait(max(0.0, deadline - time.monotonic())) for one in asked)

    def close(self, timeout: float) -> None:
        """Flush, then end the threads and delete the spool. A later `start` starts anew.

        Raises:
            FlushTimeout: as in `flush`; the threads go on.
        """
        self.flush(timeout)
        self._outage.look(is_calm=True)
        self.end()
        thread = self.thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(CLOSE_SECONDS)

    def end(self) -> None:
        """Let the threads end, whatever is left."""
        self._closed = True
        self.hurry()

    def keep(self) -> Path | None:
        """Put what was not sent on disk, now, and say where; None: some of it is in memory alone.
        For the end of a process."""
        for outbox in self._outboxes:
            outbox.form()
            outbox.spool.sync(at_once=True)
        is_formed = not any(outbox.incoming for outbox in self._outboxes)
        return self.spools.kept_in if is_formed else None

    def keep_end(self, command: bytes) -> Path | None:
        """Put the command that ends the run behind all that was logged, to be sent once that is;
        says where, as `keep`. What is logged later comes too late for it."""
        self._is_over = True
        self.end_of_run.put(command, 0)
        folder = self.keep()
        self.start()
        return folder

    def drop(self, count: int, most: str) -> None:
        """Note that so many were not taken, since `most` wait; loudly at the first."""
        if not self.dropped:
            logger.error(
                "runhistory: %s has a full spool and %s waiting for room there, the most that are "
                "kept. What is logged is DROPPED until the gateway answers. %s "
                "(RUNHISTORY_SPOOL_BYTES is the spool's limit.)",
                self.label,
                most,
                self.trouble,
            )
        self.dropped += count

    def _say_dropped(self) -> None:
        with self._saying:  # so that nobody who flushes is back before it is said
            if self.dropped:
                count, self.dropped = self.dropped, 0
                logger.error(
                    "runhistory: %s points or records of %s were dropped.", f"{count:,}", self.label
                )

    def _run(self) -> None:
        while not self._closed:
            is_behind = self.points.is_behind
            self._hurry.wait(max(INTERVAL_BEHIND, self._interval) if is_behind else self._interval)
            self._hurry.clear()
            self._form()
            if self._is_over and self._is_empty:
                self._closed = True
        for outbox in self._outboxes:
            outbox.end()
        if self._is_empty:
            self.spools.remove()
        self.thread = None
        if any(outbox.incoming for outbox in self._outboxes):  # who put it there saw the thread
            self.start()

    @property
    def _is_empty(self) -> bool:
        return all(outbox.is_empty for outbox in self._outboxes)

    def _form(self) -> None:
        for outbox in self._outboxes:
            outbox.form()
            outbox.spool.sync()
        for outbox in self._logged:
            if outbox.spool.batches:
                outbox.send_in_background()
        if self.end_of_run.spool.batches and all(outbox.is_empty for outbox in self._logged):
            self.end_of_run.send_in_background()
        self._outage.look()
        self._say_dropped()


def _take_one(incoming: deque[bytes], most: int) -> tuple[list[bytes], int]:
    return [incoming.popleft()], 0


def _as_it_is(writer: str, seq: int, commands: list[bytes]) -> list[Batch]:
    return [Batch(seq, 1, command) for command in commands]
