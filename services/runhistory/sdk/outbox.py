"""One stream of a writer: what was logged is formed to batches, kept, and sent in order.

What was logged waits in `incoming` until `form` makes batches of it. A batch is formed once: from
then on its `seq` and its bytes are what they are. It goes to the spool (spool.py), and `deliver`
sends what is at the spool's head until the gateway has answered for it. What the gateway refuses
for good is dropped with an error in the log, and the hole in the numbers shows the loss.
Delivery: every batch at least once, in order.

A writer has one outbox for points and one for records; each numbers its own batches.
"""

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Generic, NamedTuple, TypeVar

from runhistory.sdk.batch import Batch, Send
from runhistory.sdk.errors import RunHistoryError, Unauthorized, Unavailable
from runhistory.sdk.outage import Outage
from runhistory.sdk.spool import Spool

BATCH_ITEMS: Final = 10_000
LONGEST_PAUSE: Final = 3.0
DOUBT: Final = 60.0
"""Seconds for which a 404 is not believed: right after a start it may be early."""

logger: Final = logging.getLogger("runhistory")

T = TypeVar("T")


class Asked(NamedTuple):
    """Somebody who waits until everything that was there when he asked is delivered."""

    delivered: threading.Event
    before: int = -1
    """The `seq` up to which, once it is known."""


class Outbox(Generic[T]):
    """What one writer has still to deliver. `incoming` may be appended to by any thread.

    Its owner's thread forms, one of its own delivers; when the interpreter is ending both may be
    the caller's.
    """

    def __init__(
        self,
        send: Send,
        encode: Callable[[str, int, list[T]], list[Batch]],
        take: Callable[[deque[T], int], tuple[list[T], int]],
        spool: Spool,
        label: str,
        writer_id: str,
        outage: Outage,
    ) -> None:
        """`encode(writer, seq, items)` makes batches numbered from `seq`; `take(incoming, most)`
        pops what makes a batch, `most` at most, and says what it weighs; `label` is for people:
        "points of run …"; `outage` is shared by all that is sent to the gateway."""
        self.incoming: deque[T] = deque()
        self.trouble = ""
        self.spool = spool
        self._send, self._encode, self._take = send, encode, take
        self._label, self._writer_id, self._outage = label, writer_id, outage
        self._next_seq = 0
        self._done_seq = 0  # everything before this number is done
        self._forming, self._delivering = threading.Lock(), threading.Lock()
        self._in_forming = 0
        self._weighing = threading.RLock()  # a signal handler may log while its thread holds it
        self.weight = 0
        self._answering = threading.Lock()
        self._asked: deque[threading.Event] = deque()
        self._due: deque[Asked] = deque()
        self._doubt_began: float | None = None
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._arrived = threading.Event()
        self._ended = False

    @property
    def waiting(self) -> int:
        """How many points or records the gateway has not answered for yet."""
        return len(self.incoming) + self._in_forming + self.spool.items

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to do."""
        return not self.waiting and not self._asked and not self._due

    @property
    def is_behind(self) -> bool:
        """Whether batches wait for the gateway, so that there is no hurry to form more."""
        return bool(self.trouble) and self.spool.batches > 20 and len(self.incoming) < BATCH_ITEMS

    def put(self, item: T, weight: int) -> None:
        """Take an item; `weight` of the outbox says how much waits in `incoming`, in the unit of
        `take`."""
        with self._weighing:
            self.weight += weight
        self.incoming.append(item)

    def ask(self) -> threading.Event:
        """An event that is set when everything that is here now is delivered."""
        asked = threading.Event()
        self._asked.append(asked)
        return asked

    def form(self) -> None:
        """Make batches of what was logged before this call, and put them into the spool.

        Stops where the spool is full; the rest stays in `incoming`.
        """
        with self._forming:
            asked = [self._asked.popleft() for _ in range(len(self._asked))]
            left = len(self.incoming)
            while left > 0 and self.spool.has_room:
                items, weight = self._take(self.incoming, min(left, BATCH_ITEMS))
                left -= len(items)
                self._in_forming = len(items)
                for batch in self._encode(self._writer_id, self._next_seq, items):
                    self.spool.append(batch)
                    self._next_seq = batch.seq + 1
                self._in_forming = 0
                with self._weighing:
                    self.weight -= weight
            if left > 0:
                self._asked.extendleft(reversed(asked))
            else:
                self._due.extend(Asked(one, self._next_seq) for one in asked)
        self._answer_asked()

    def send_in_background(self) -> bool:
        """See that a thread sends what is in the spool; false when none can be started, since the
        interpreter is ending."""
        with self._starting:
            self._ended = False
            if self._thread is None or not self._thread.is_alive():
                thread = threading.Thread(target=self._run, name="runhistory-sender", daemon=True)
                try:
                    thread.start()
                except RuntimeError:
                    return False
                self._thread = thread
        self._arrived.set()
        return True

    def end(self) -> None:
        """Let the thread end; it may be started again."""
        self._ended = True
        self._arrived.set()

    def _run(self) -> None:
        while not self._ended:
            self._arrived.wait()
            self._arrived.clear()
            self.deliver()

    def deliver(self, deadline: float | None = None) -> None:
        """Send what is in the spool, in order, until nothing is or the deadline (monotonic) has
        passed.

        Blocks as long as the gateway is away. One thread at a time delivers; others wait.
        """
        with self._delivering:
            while (batch := self.spool.first()) is not None:
                if not self._deliver_one(batch, deadline):
                    return
                self.spool.done(batch)
                self._done_seq = batch.seq + 1
                self._answer_asked()
        self._answer_asked()

    def _answer_asked(self) -> None:
        with self._answering:
            while self._due and (self._due[0].before <= self._done_seq or not self.spool.batches):
                self._due.popleft().delivered.set()

    def _deliver_one(self, batch: Batch, deadline: float | None) -> bool:
        """Send one batch until it is answered for; false when the deadline came first."""
        pause = 0.05
        while not self._try(batch):
            pause = min(pause * 2, LONGEST_PAUSE) * random.uniform(0.75, 1.0)
            if deadline is not None and time.monotonic() + pause > deadline:
                return False
            time.sleep(pause)
        return True

    def _try(self, batch: Batch) -> bool:
        """Send once; true when the batch is done with: taken, or refused for good."""
        try:
            self._send(batch)
        except RunHistoryError as error:
            if not self._is_final(error):
                self._note(str(error))
                return False
            logger.error(
                "runhistory: %s %s (writer %s, seq %d) were REFUSED and are lost: %s",
                f"{batch.items:,}",
                self._label,
                self._writer_id,
                batch.seq,
                error,
            )
            return True
        except Exception as error:  # a defect must not end the thread and lose what waits
            self._note(repr(error))
            return False
        self._settle()
        return True

    def _is_final(self, error: RunHistoryError) -> bool:
        """Whether the same batch would be refused again, whatever happens. A token may be
        renewed, and a 404 of the first moments goes away."""
        if isinstance(error, Unavailable | Unauthorized):
            return False
        if error.status != 404:
            return True
        if self._doubt_began is None:
            self._doubt_began = time.monotonic()
        return time.monotonic() - self._doubt_began >= DOUBT

    def _note(self, trouble: str) -> None:
        self._outage.trouble(self._label, trouble)
        self.trouble = trouble

    def _settle(self) -> None:
        self._outage.taken()
        self.trouble, self._doubt_began = "", None
