"""Points and records on their way to the gateway: never waited for, twice, or silently lost.

`log` checks the point and appends it to a deque; that is all the caller pays for. One background
thread takes points from the deque's other end, some 150 ms after they came, forms batches and puts
them into the spool on disk; another sends what is in the spool (outbox.py). A batch keeps the
writer's `seq` and its bytes until the gateway has answered, however long that takes, and whichever
process sends it then. The gateway's projection knows (writer, seq), so a batch that arrives twice
counts once. Delivery: every point that is in the spool exactly once to the eye, whatever becomes of
this process; of the others, those of the last moment, when it ends without Python's farewell.

The deque needs no lock (append and popleft are atomic), so `log` may be called by any thread and
even in a signal handler. `flush` waits until what was logged before it is delivered. After a fork
the child is a writer of its own: new id, empty queue, no thread yet; what the parent has queued
stays the parent's.

Records (texts, rows, tables, images) go the same way through a queue of their own. They share the
steps of points: what is logged under one name is counted in one order, whatever it is.

Where the spool is full, what is logged waits in the deque; at MAX_WAITING points there, further
ones are refused, loudly.
"""

import itertools
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, SupportsIndex

from runhistory.events.record_batch import RecordKind
from runhistory.sdk import metric_encoding, record_encoding, series_values
from runhistory.sdk.batch import Attachment, Send
from runhistory.sdk.errors import FlushTimeout, InvalidMetric
from runhistory.sdk.metric_encoding import Point, Series
from runhistory.sdk.metric_values import check_name, check_step, number
from runhistory.sdk.outbox import Outbox
from runhistory.sdk.record_encoding import Item
from runhistory.sdk.record_values import record_json, text, value_json
from runhistory.sdk.spool_folder import WriterSpools

INTERVAL: Final = 0.15
INTERVAL_BEHIND: Final = 1.0
"""The same while batches wait for the gateway: so a day's are not a million."""
MAX_WAITING: Final = 5_000_000
"""Points that no batch has taken yet, since the spool is full: 1 GB."""
MAX_WAITING_BYTES: Final = 256 * 1024 * 1024
"""Bytes of such records, and of the files that they name."""
CLOSE_SECONDS: Final = 5.0

logger: Final = logging.getLogger("runhistory")


class MetricWriter:
    """One process's writer for one attempt of a run."""

    def __init__(
        self,
        send: Send,
        send_records: Send,
        label: str,
        *,
        spools: Callable[[str], WriterSpools],
        interval: float = INTERVAL,
        on_start: Callable[[], None] = lambda: None,
    ) -> None:
        """`label` names the run in messages; `spools` makes those of the writer with this id;
        `on_start` is called before the thread starts."""
        self._send, self._send_records = send, send_records
        self.label = label
        self._make_spools = spools
        self._interval = interval
        self._on_start = on_start
        self.begin()

    def begin(self) -> None:
        """Become a writer that has logged nothing."""
        self.id = uuid.uuid4().hex
        self.dropped = 0
        self.spools = self._make_spools(self.id)
        self._outbox: Outbox[Point | Series] = Outbox(
            self._send,
            metric_encoding.encode,
            metric_encoding.take,
            self.spools.points,
            f"points of {self.label}",
            self.id,
        )
        self._records: Outbox[Item] = Outbox(
            self._send_records,
            record_encoding.encode,
            record_encoding.take,
            self.spools.records,
            f"records of {self.label}",
            self.id,
        )
        self._points = self._outbox.incoming
        self._steps: dict[str, itertools.count[int]] = {}
        self._hurry = threading.Event()
        self._starting = threading.RLock()  # a signal handler may log while its thread holds it
        self._is_starting = False
        self._saying = threading.RLock()
        self._thread: threading.Thread | None = None
        self._closed = False

    def begin_in_child(self) -> None:
        """Become a writer of its own in a forked child; what is queued is the parent's."""
        self.spools.abandon()
        self.begin()

    @property
    def waiting(self) -> str:
        """What the gateway has not answered for yet, for people; empty for nothing."""
        points, records = self._outbox.waiting + self._outbox.weight, self._records.waiting
        found = [f"{points:,} points"] if points else []
        return " and ".join([*found, f"{records:,} records"] if records else found)

    @property
    def trouble(self) -> str:
        """Why something waits; empty when it does not have to."""
        return self._outbox.trouble or self._records.trouble

    def log(self, name: str, value: Any, step: SupportsIndex | None = None) -> None:
        """Take one point, or a text or None as a record. Never blocks.

        Without `step` what is logged under a name is counted 0, 1, 2, …

        Raises:
            InvalidMetric: name, value or step is wrong; nothing was taken.
        """
        counter = self._steps.get(name) if type(name) is str else None
        if counter is None:
            name = check_name(name)
            counter = self._steps.setdefault(name, itertools.count())
        if type(value) is not float:
            if value is None or isinstance(value, str):
                self.log_record(name, "value", text(name, value), step)
                return
            value = number(name, value)
        if step is not None:
            step = check_step(name, step)
        if len(self._points) + self._outbox.weight >= MAX_WAITING:
            self._drop(1, f"{MAX_WAITING:,} points")
            return
        if step is None:
            step = next(counter)
        self._points.append((name, step, value, time.time_ns() // 1000))
        if self._thread is None:
            self._start()

    def log_list(self, name: str, values: Iterable[Any]) -> None:
        """Take one point for each of `values`, counted on; all of them or, when one is wrong, none.

        Raises:
            InvalidMetric: the name or one of the values is wrong; nothing was taken.
        """
        name = check_name(name)
        for value in [checked_value(name, value) for value in values]:
            self.log(name, value)

    def log_metrics(self, values: Mapping[str, Any], step: SupportsIndex | None = None) -> None:
        """Take one value for each name, all of one time; all of them or, when one is wrong, none.
        Without `step` each name is counted on.

        Raises:
            InvalidMetric: a name, a value or the step is wrong; nothing was taken.
        """
        if not isinstance(values, Mapping):
            raise InvalidMetric(
                f"log_metrics takes a dict of names and values, not a {type(values).__name__}."
            )
        checked = [(check_name(n), checked_value(n, value)) for n, value in values.items()]
        for name, value in checked:
            if not isinstance(value, float):
                value_json(name, value)
        if step is not None and checked:
            step = check_step(checked[0][0], step)
        for name, value in checked:
            self.log(name, value, step)

    def log_series(self, name: str, steps: Any, values: Any, times: Any = None) -> None:
        """Take many points of one name at once; all of them or, when one is wrong, none.

        Raises:
            InvalidMetric: see series_values.py; nothing was taken.
        """
        name = check_name(name)
        pieces = series_values.pieces(name, steps, values, times, time.time_ns() // 1000)
        if len(self._points) + self._outbox.weight >= MAX_WAITING:
            self._drop(sum(len(piece.steps) for piece in pieces), f"{MAX_WAITING:,} points")
            return
        for piece in pieces:
            self._outbox.put(piece, len(piece.steps) - 1)
        if self._thread is None and pieces:
            self._start()
        if len(pieces) > 1:
            self._hurry.set()  # there is enough for a batch

    def log_record(
        self,
        name: str,
        kind: RecordKind,
        value: Any,
        step: SupportsIndex | None = None,
        attachment: Attachment | None = None,
    ) -> None:
        """Take one record; its `value` is JSON's, and `attachment` is the file that has it
        instead. Never blocks.

        Raises:
            InvalidMetric: name or step is wrong, or the value too large; nothing was taken.
        """
        name = check_name(name)
        counter = self._steps.setdefault(name, itertools.count())
        at = None if step is None else check_step(name, step)
        encoded = value_json(name, value)
        if self._are_records_full():
            return
        if at is None:
            at = next(counter)
        file = attachment.name if attachment else None
        record = record_json(name, kind, at, time.time_ns() // 1000, encoded, file)
        item = Item(record, attachment)
        self._records.put(item, item.weight)
        if self._thread is None:
            self._start()

    def flush(self, timeout: float) -> None:
        """Wait until everything logged before is delivered, for `timeout` seconds at most.

        Raises:
            FlushTimeout: the message says how many points wait and why. They are kept.
        """
        outboxes = [one for one in (self._outbox, self._records) if not one.is_empty]
        asked = [outbox.ask() for outbox in outboxes]
        deadline = time.monotonic() + timeout
        if outboxes and not (
            self._start() and all(outbox.send_in_background() for outbox in outboxes)
        ):
            for outbox in outboxes:  # the interpreter is ending
                outbox.form()
                outbox.deliver(deadline)
        self._hurry.set()
        if not all(one.wait(max(0.0, deadline - time.monotonic())) for one in asked):
            raise FlushTimeout(
                f"{self.waiting} of {self.label} could not be sent within {timeout:g} s. "
                f"{self.trouble or 'The gateway is slow.'} They are kept and sent when it answers."
            )
        self._say_dropped()

    def close(self, timeout: float) -> None:
        """Flush, then end the threads and delete the spool. A later `log` starts anew.

        Raises:
            FlushTimeout: as in `flush`; the threads go on.
        """
        self.flush(timeout)
        thread = self._thread
        self._closed = True
        self._hurry.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(CLOSE_SECONDS)

    def keep(self) -> Path | None:
        """Put what was not sent on disk, now, and say where; None: some of it is in memory alone.
        For the end of a process."""
        for outbox in (self._outbox, self._records):
            outbox.form()
            outbox.spool.sync(at_once=True)
        unformed = self._points or self._records.incoming
        return None if unformed else self.spools.kept_in

    def _are_records_full(self) -> bool:
        if self._records.weight < MAX_WAITING_BYTES:
            return False
        self._drop(1, f"{MAX_WAITING_BYTES:,} bytes of records")
        return True

    def _drop(self, count: int, most: str) -> None:
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

    def _start(self) -> bool:
        """See that the thread runs; false when it cannot, since the interpreter is ending."""
        with self._starting:
            if self._is_starting:  # a signal handler, on top of the call that is at it
                return True
            self._is_starting = True
            try:
                # Looked at only now: a signal handler may have come and started it meanwhile.
                if self._thread is None or not self._thread.is_alive():
                    self._closed = False
                    self._on_start()
                    thread = threading.Thread(
                        target=self._run, name="runhistory-metrics", daemon=True
                    )
                    thread.start()
                    self._thread = thread
            except RuntimeError:
                return False
            finally:
                self._is_starting = False
        return True

    def _run(self) -> None:
        while not self._closed:
            is_behind = self._outbox.is_behind
            self._hurry.wait(max(INTERVAL_BEHIND, self._interval) if is_behind else self._interval)
            self._hurry.clear()
            self._form()
        self._outbox.end()
        self._records.end()
        if self._outbox.is_empty and self._records.is_empty:
            self.spools.remove()
        self._thread = None
        if self._points or self._records.incoming:  # logged by somebody who still saw the thread
            self._start()

    def _form(self) -> None:
        for outbox in (self._outbox, self._records):
            outbox.form()
            outbox.spool.sync()
            if outbox.spool.batches:
                outbox.send_in_background()
        self._say_dropped()


def checked_value(name: str, value: Any) -> float | str | None:
    """What `log` takes, or InvalidMetric."""
    return text(name, value) if value is None or isinstance(value, str) else number(name, value)
