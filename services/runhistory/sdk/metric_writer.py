"""Points and records on their way to the gateway: never waited for, twice, or silently lost.

`log` checks the point and appends it to a deque; that is all the caller pays for. A background
thread takes points from the deque's other end, some 150 ms after they came, and forms batches.
A batch gets the writer's next `seq` and its bytes when it is formed, and keeps both: it is sent
again, byte for byte, until the gateway has answered, however long that takes. The gateway's
projection knows (writer, seq), so a batch that arrives twice counts once. Delivery: every point
exactly once to the eye, while the process lives.

The deque needs no lock (append and popleft are atomic), so `log` may be called by any thread and
even in a signal handler. `flush` appends a marker and waits until the thread comes to it: what
was logged before is delivered then. After a fork the child is a writer of its own: new id, empty
queue, no thread yet; what the parent has queued stays the parent's.

Records (texts, rows, tables, images) go the same way through a queue of their own. They share the
steps of points: what is logged under one name is counted in one order, whatever it is.

What ends the process without Python's farewell (kill -9, os._exit) takes the points of the last
moments along. At MAX_WAITING points that could not be sent yet, further ones are refused, loudly.
"""

import itertools
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any, Final, SupportsIndex

from runhistory.events.record_batch import RecordKind
from runhistory.sdk import metric_encoding, record_encoding
from runhistory.sdk.errors import FlushTimeout
from runhistory.sdk.metric_encoding import Point
from runhistory.sdk.metric_values import check_name, check_step, number
from runhistory.sdk.outbox import Attachment, Outbox, Send
from runhistory.sdk.record_encoding import Item
from runhistory.sdk.record_values import record_json, text, value_json

INTERVAL: Final = 0.15
MAX_WAITING: Final = 10_000_000
"""Points that wait for a gateway that is away: 0.5 to 1.7 GB."""
MAX_WAITING_BYTES: Final = 256 * 1024 * 1024
"""Bytes of records, and of the files that they name, that wait."""

logger: Final = logging.getLogger("runhistory")


class MetricWriter:
    """One process's writer for one attempt of a run."""

    def __init__(
        self,
        send: Send,
        send_records: Send,
        label: str,
        *,
        interval: float = INTERVAL,
        on_start: Callable[[], None] = lambda: None,
    ) -> None:
        """`label` names the run in messages; `on_start` is called before the thread starts."""
        self._send, self._send_records = send, send_records
        self.label = label
        self._interval = interval
        self._on_start = on_start
        self.begin()

    def begin(self) -> None:
        """Become a writer that has logged nothing (at first, and in a forked child)."""
        self.id = uuid.uuid4().hex
        self.dropped = 0
        self._outbox: Outbox[Point] = Outbox(
            self._send, metric_encoding.encode, f"points of {self.label}", self.id
        )
        self._records: Outbox[Item] = Outbox(
            self._send_records, record_encoding.encode, f"records of {self.label}", self.id
        )
        self._points = self._outbox.incoming
        self._steps: dict[str, itertools.count[int]] = {}
        self._hurry = threading.Event()
        self._starting = threading.RLock()  # a signal handler may log while its thread holds it
        self._is_starting = False
        self._saying = threading.RLock()
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def waiting(self) -> str:
        """What the gateway has not answered for yet, for people; empty for nothing."""
        points, records = self._outbox.waiting, self._records.waiting
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
        if self._is_full():
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
        if self._thread is None and self._outbox.is_empty and self._records.is_empty:
            return
        markers = [self._outbox.mark(), self._records.mark()]
        deadline = time.monotonic() + timeout
        if not self._start():
            self._outbox.deliver(deadline)
            self._records.deliver(deadline)
        self._hurry.set()
        if not all(marker.wait(max(0.0, deadline - time.monotonic())) for marker in markers):
            raise FlushTimeout(
                f"{self.waiting} of {self.label} could not be sent within {timeout:g} s. "
                f"{self.trouble or 'The gateway is slow.'} They are kept and sent when it answers."
            )
        self._say_dropped()

    def close(self, timeout: float) -> None:
        """Flush, then end the thread. A later `log` starts a new one.

        Raises:
            FlushTimeout: as in `flush`; the thread goes on.
        """
        self.flush(timeout)
        self._closed = True
        self._hurry.set()

    def _is_full(self) -> bool:
        if self._outbox.has_room(MAX_WAITING):
            return False
        self._drop(f"{MAX_WAITING:,} points")
        return True

    def _are_records_full(self) -> bool:
        if self._records.weight < MAX_WAITING_BYTES:
            return False
        self._drop(f"{MAX_WAITING_BYTES:,} bytes of records")
        return True

    def _drop(self, most: str) -> None:
        if not self.dropped:
            logger.error(
                "runhistory: %s has %s waiting, the most that are kept. What is logged is "
                "DROPPED until the gateway answers. %s",
                self.label,
                most,
                self.trouble,
            )
        self.dropped += 1

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
            self._hurry.wait(self._interval)
            self._hurry.clear()
            self._outbox.deliver()
            self._records.deliver()
            self._say_dropped()
        self._thread = None
        if self._points or self._records.incoming:  # logged by somebody who still saw the thread
            self._start()


def checked_value(name: str, value: Any) -> float | str | None:
    """What `log` takes, or InvalidMetric."""
    return text(name, value) if value is None or isinstance(value, str) else number(name, value)
