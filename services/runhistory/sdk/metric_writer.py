"""Points on their way to the gateway: never waited for, never twice, never silently lost.

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

What ends the process without Python's farewell (kill -9, os._exit) takes the points of the last
moments along. At MAX_WAITING points that could not be sent yet, further ones are refused, loudly.
"""

import itertools
import logging
import random
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final, SupportsIndex

from runhistory.sdk.errors import FlushTimeout, RunHistoryError, Unavailable
from runhistory.sdk.metric_encoding import Batch, Point, encode
from runhistory.sdk.metric_values import check_name, check_step, number

INTERVAL: Final = 0.15
BATCH_POINTS: Final = 10_000
MAX_WAITING: Final = 10_000_000
"""Points that wait for a gateway that is away: 0.5 to 1.7 GB."""
LONGEST_PAUSE: Final = 3.0
DOUBT: Final = 60.0
"""Seconds for which a 401, 403 or 404 is not believed: right after a start they may be early."""
_DOUBTFUL: Final = frozenset({401, 403, 404})

logger: Final = logging.getLogger("runhistory")

Send = Callable[[bytes], object]
"""Send one batch's body. Raises Unavailable when it should be sent again."""


class MetricWriter:
    """One process's writer for one attempt of a run."""

    def __init__(
        self,
        send: Send,
        label: str,
        *,
        interval: float = INTERVAL,
        on_start: Callable[[], None] = lambda: None,
    ) -> None:
        """`label` names the run in messages; `on_start` is called before the thread starts."""
        self._send = send
        self.label = label
        self._interval = interval
        self._on_start = on_start
        self.begin()

    def begin(self) -> None:
        """Become a writer that has logged nothing (at first, and in a forked child)."""
        self.id = uuid.uuid4().hex
        self.dropped = 0
        self._points: deque[Point | threading.Event] = deque()
        self._outbox: deque[Batch | threading.Event] = deque()
        self._outbox_points = 0
        self._markers: set[threading.Event] = set()  # those among _points
        self._steps: dict[str, itertools.count[int]] = {}
        self._next_seq = 0
        self._hurry = threading.Event()
        self._sending = threading.Lock()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._doubt_began: float | None = None
        self.trouble = ""

    @property
    def waiting(self) -> int:
        """How many points the gateway has not answered for yet."""
        return max(0, len(self._points) - len(self._markers)) + self._outbox_points

    def log(self, name: str, value: Any, step: SupportsIndex | None = None) -> None:
        """Take one point. Never blocks.

        Without `step` the points of a name are counted 0, 1, 2, …

        Raises:
            InvalidMetric: name, value or step is wrong; nothing was taken.
        """
        counter = self._steps.get(name) if type(name) is str else None
        if counter is None:
            name = check_name(name)
            counter = self._steps.setdefault(name, itertools.count())
        if type(value) is not float:
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
        for value in [number(name, value) for value in values]:
            self.log(name, value)

    def flush(self, timeout: float) -> None:
        """Wait until everything logged before is delivered, for `timeout` seconds at most.

        Raises:
            FlushTimeout: the message says how many points wait and why. They are kept.
        """
        if self._thread is None and not self._points and not self._outbox:
            return
        marker = threading.Event()
        self._markers.add(marker)
        self._points.append(marker)
        deadline = time.monotonic() + timeout
        if not self._start():
            self._deliver_until(deadline)
        self._hurry.set()
        if not marker.wait(max(0.0, deadline - time.monotonic())):
            raise FlushTimeout(
                f"{self.waiting:,} points of {self.label} could not be sent within {timeout:g} s. "
                f"{self.trouble or 'The gateway is slow.'} They are kept and sent when it answers."
            )

    def close(self, timeout: float) -> None:
        """Flush, then end the thread. A later `log` starts a new one.

        Raises:
            FlushTimeout: as in `flush`; the thread goes on.
        """
        self.flush(timeout)
        self._closed = True
        self._hurry.set()

    def _is_full(self) -> bool:
        if len(self._points) + self._outbox_points < MAX_WAITING:
            return False
        if not self.dropped:
            logger.error(
                "runhistory: %s has %s points waiting, the most that are kept. Points are "
                "DROPPED until the gateway answers. %s",
                self.label,
                f"{MAX_WAITING:,}",
                self.trouble,
            )
        self.dropped += 1
        return True

    def _start(self) -> bool:
        """See that the thread runs; false when it cannot, since the interpreter is ending."""
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._closed = False
                self._on_start()
                thread = threading.Thread(target=self._run, name="runhistory-metrics", daemon=True)
                try:
                    thread.start()
                except RuntimeError:
                    return False
                self._thread = thread
        return True

    def _run(self) -> None:
        while not self._closed:
            self._hurry.wait(self._interval)
            self._hurry.clear()
            self._deliver_until(None)
        self._thread = None
        if self._points:  # logged by somebody who still saw the thread
            self._start()

    def _deliver_until(self, deadline: float | None) -> None:
        """Send what waits, in order, until nothing does or the deadline has passed."""
        with self._sending:
            while self._points or self._outbox:
                self._form_batches(everything=not self._outbox)
                if not self._deliver(self._outbox[0], deadline):
                    return
                delivered = self._outbox.popleft()
                if isinstance(delivered, Batch):
                    self._outbox_points -= delivered.points

    def _form_batches(self, *, everything: bool) -> None:
        """Move points to the outbox: full batches, and a last one that is not, if `everything`."""
        while self._points and (everything or len(self._points) >= BATCH_POINTS):
            points: list[Point] = []
            marker: threading.Event | None = None
            while self._points and len(points) < BATCH_POINTS and marker is None:
                item = self._points.popleft()
                if isinstance(item, threading.Event):
                    marker = item
                else:
                    points.append(item)
            self._outbox_points += len(points)
            for batch in encode(self.id, self._next_seq, points):
                self._outbox.append(batch)
                self._next_seq = batch.seq + 1
            if marker is not None:
                self._markers.discard(marker)
                self._outbox.append(marker)

    def _deliver(self, item: Batch | threading.Event, deadline: float | None) -> bool:
        """Send one batch until it is answered for; false when the deadline came first."""
        if isinstance(item, threading.Event):
            item.set()
            return True
        pause = 0.05
        while not self._try(item):
            pause = min(pause * 2, LONGEST_PAUSE) * random.uniform(0.75, 1.0)
            if deadline is not None and time.monotonic() + pause > deadline:
                return False
            time.sleep(pause)
            self._form_batches(everything=False)  # 45 bytes a point, not 170, while we wait
        return True

    def _try(self, batch: Batch) -> bool:
        """Send once; true when the batch is done with: taken, or refused for good."""
        try:
            self._send(batch.body)
        except Unavailable as error:
            self._note(str(error))
            return False
        except RunHistoryError as error:
            if self._is_doubtful(error):
                self._note(str(error))
                return False
            logger.error(
                "runhistory: %s points of %s (writer %s, seq %d) were REFUSED and are lost: %s",
                f"{batch.points:,}",
                self.label,
                self.id,
                batch.seq,
                error,
            )
            return True
        except Exception as error:  # a defect must not end the thread and lose what waits
            self._note(repr(error))
            return False
        self._settle()
        return True

    def _is_doubtful(self, error: RunHistoryError) -> bool:
        """Whether the refusal may be one of the first moments, and goes away."""
        if error.status not in _DOUBTFUL:
            return False
        if self._doubt_began is None:
            self._doubt_began = time.monotonic()
        return time.monotonic() - self._doubt_began < DOUBT

    def _note(self, trouble: str) -> None:
        if not self.trouble:
            logger.warning(
                "runhistory: points of %s wait and are sent again: %s", self.label, trouble
            )
        self.trouble = trouble

    def _settle(self) -> None:
        if self.trouble:
            logger.warning("runhistory: the gateway takes points of %s again.", self.label)
        self.trouble, self._doubt_began = "", None
        if self.dropped:
            logger.error(
                "runhistory: %s points of %s were dropped.", f"{self.dropped:,}", self.label
            )
            self.dropped = 0
