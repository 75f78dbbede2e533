"""What a program logs, taken at the call: never waited for, twice, or silently lost.

`log` checks the point and appends it to a deque; that is all the caller pays for. Background
threads take it from the deque's other end and bring it to the gateway (delivery.py).

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
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, SupportsIndex

from runhistory.events.record_batch import RecordKind
from runhistory.sdk import series_values
from runhistory.sdk.batch import Attachment, Send
from runhistory.sdk.delivery import INTERVAL, Delivery
from runhistory.sdk.errors import InvalidMetric
from runhistory.sdk.metric_values import check_name, check_step, number
from runhistory.sdk.outage import Outage
from runhistory.sdk.record_encoding import Item
from runhistory.sdk.record_values import record_json, text, value_json
from runhistory.sdk.spool_folder import WriterSpools

MAX_WAITING: Final = 5_000_000
"""Points that no batch has taken yet, since the spool is full: 1 GB."""
MAX_WAITING_BYTES: Final = 256 * 1024 * 1024
"""Bytes of such records, and of the files that they name."""


class MetricWriter:
    """One process's writer for one attempt of a run."""

    def __init__(
        self,
        send: Send,
        send_records: Send,
        send_end: Send,
        label: str,
        *,
        spools: Callable[[str], WriterSpools],
        outage: Outage | None = None,
        interval: float = INTERVAL,
        on_start: Callable[[], None] = lambda: None,
    ) -> None:
        """`label` names the run in messages; `spools` makes those of the writer with this id;
        `outage` is shared by what goes to the same gateway; `on_start` is called before the thread
        starts."""
        self._outage = outage = outage or Outage()
        self._new_delivery: Callable[[str], Delivery] = lambda writer_id: Delivery(
            send,
            send_records,
            send_end,
            label,
            writer_id,
            spools(writer_id),
            outage,
            interval=interval,
            on_start=on_start,
        )
        self.begin()

    def begin(self) -> None:
        """Become a writer that has logged nothing."""
        self.id = uuid.uuid4().hex
        self.delivery = self._new_delivery(self.id)
        self._outbox = self.delivery.points
        self._points = self._outbox.incoming
        self._steps: dict[str, itertools.count[int]] = {}

    def begin_in_child(self) -> None:
        """Become a writer of its own in a forked child; what is queued is the parent's."""
        self.delivery.spools.abandon()
        self._outage.begin()
        self.begin()

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
            self.delivery.drop(1, f"{MAX_WAITING:,} points")
            return
        if step is None:
            step = next(counter)
        self._points.append((name, step, value, time.time_ns() // 1000))
        if self.delivery.thread is None:
            self.delivery.start()

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
            self.delivery.drop(sum(len(piece.steps) for piece in pieces), f"{MAX_WAITING:,} points")
            return
        for piece in pieces:
            self._outbox.put(piece, len(piece.steps) - 1)
        if self.delivery.thread is None and pieces:
            self.delivery.start()
        if len(pieces) > 1:
            self.delivery.hurry()

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
        self.delivery.records.put(item, item.weight)
        if self.delivery.thread is None:
            self.delivery.start()

    def _are_records_full(self) -> bool:
        if self.delivery.records.weight < MAX_WAITING_BYTES:
            return False
        self.delivery.drop(1, f"{MAX_WAITING_BYTES:,} bytes of records")
        return True


def checked_value(name: str, value: Any) -> float | str | None:
    """What `log` takes, or InvalidMetric."""
    return text(name, value) if value is None or isinstance(value, str) else number(name, value)
