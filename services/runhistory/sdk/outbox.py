"""The sending half of a writer: what was logged to batches, batches to the gateway, in order.

A batch is formed once: from then on its `seq` and its bytes are what they are, and it is sent until
the gateway has answered for it. What the gateway refuses for good is dropped with an error in the
log, and the hole in the numbers shows the loss. Delivery: every batch at least once, in order.

A writer has one outbox for points and one for records; each numbers its own batches.
"""

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Generic, NamedTuple, TypeVar

from runhistory.sdk.errors import RunHistoryError, Unavailable

BATCH_ITEMS: Final = 10_000
LONGEST_PAUSE: Final = 3.0
DOUBT: Final = 60.0
"""Seconds for which a 401, 403 or 404 is not believed: right after a start they may be early."""
_DOUBTFUL: Final = frozenset({401, 403, 404})

logger: Final = logging.getLogger("runhistory")

T = TypeVar("T")


class Attachment(NamedTuple):
    """A file that a record names, kept by the run before the record is sent."""

    name: str
    content: bytes
    command_id: str


class Batch(NamedTuple):
    """A batch as it is sent, however often that takes: `items` points or records."""

    seq: int
    items: int
    body: bytes
    attachments: tuple[Attachment, ...] = ()
    weight: int = 0


Send = Callable[[Batch], object]
"""Send one batch. Raises Unavailable when it should be sent again."""
Marker = threading.Event
"""Stands among what was logged; set when everything before it is delivered."""


class Outbox(Generic[T]):
    """What one writer has still to deliver. `incoming` may be appended to by any thread."""

    def __init__(
        self,
        send: Send,
        encode: Callable[[str, int, list[T]], list[Batch]],
        label: str,
        writer_id: str,
    ) -> None:
        """`encode(writer, seq, items)` makes batches numbered from `seq`; `label` is for people:
        "points of run …"."""
        self.incoming: deque[T | Marker] = deque()
        self.trouble = ""
        self._send, self._encode = send, encode
        self._label, self._writer_id = label, writer_id
        self._batches: deque[Batch | Marker] = deque()
        self._batched_items = 0
        self._markers: set[Marker] = set()  # those among `incoming`
        self._next_seq = 0
        self._delivering = threading.Lock()
        self._doubt_began: float | None = None
        self._weighing = threading.RLock()  # a signal handler may log while its thread holds it
        self._forming = threading.RLock()
        self.weight = 0

    @property
    def waiting(self) -> int:
        """How many points or records the gateway has not answered for yet."""
        return max(0, len(self.incoming) - len(self._markers)) + self._batched_items

    def has_room(self, most: int) -> bool:
        """Whether fewer than `most` wait; `waiting` counts too few while a batch is formed."""
        if self.waiting < most - BATCH_ITEMS:
            return True
        with self._forming:
            return self.waiting < most

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to do, markers included."""
        return not self.incoming and not self._batches

    def put(self, item: T, weight: int) -> None:
        """Take an item of so many bytes; `weight` of the outbox says how many wait."""
        with self._weighing:
            self.weight += weight
        self.incoming.append(item)

    def mark(self) -> Marker:
        """A marker behind everything that is here now."""
        marker = Marker()
        self._markers.add(marker)
        self.incoming.append(marker)
        return marker

    def deliver(self, deadline: float | None = None) -> None:
        """Send what waits, in order, until nothing does or the deadline (monotonic) has passed.

        Blocks as long as the gateway is away. One thread at a time delivers; others wait.
        """
        with self._delivering:
            while self.incoming or self._batches:
                self._form_batches(everything=not self._batches)
                if not self._deliver_one(self._batches[0], deadline):
                    return
                delivered = self._batches.popleft()
                if isinstance(delivered, Batch):
                    self._batched_items -= delivered.items
                    with self._weighing:
                        self.weight -= delivered.weight

    def _form_batches(self, *, everything: bool) -> None:
        """Make batches of items: full ones, and a last one that is not, if `everything`."""
        while self.incoming and (everything or len(self.incoming) >= BATCH_ITEMS):
            items, marker = self._take()
            for batch in self._encode(self._writer_id, self._next_seq, items):
                self._batches.append(batch)
                self._next_seq = batch.seq + 1
            if marker is not None:
                self._markers.discard(marker)
                self._batches.append(marker)

    def _take(self) -> tuple[list[T], Marker | None]:
        """The items of one batch, and the marker that ended it early."""
        items: list[T] = []
        with self._forming:
            while self.incoming and len(items) < BATCH_ITEMS:
                item = self.incoming.popleft()
                if isinstance(item, Marker):
                    return items, item
                items.append(item)
                self._batched_items += 1
        return items, None

    def _deliver_one(self, item: Batch | Marker, deadline: float | None) -> bool:
        """Send one batch until it is answered for; false when the deadline came first."""
        if isinstance(item, Marker):
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
            self._send(batch)
        except Unavailable as error:
            self._note(str(error))
            return False
        except RunHistoryError as error:
            if self._is_doubtful(error):
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

    def _is_doubtful(self, error: RunHistoryError) -> bool:
        """Whether the refusal may be one of the first moments, and goes away."""
        if error.status not in _DOUBTFUL:
            return False
        if self._doubt_began is None:
            self._doubt_began = time.monotonic()
        return time.monotonic() - self._doubt_began < DOUBT

    def _note(self, trouble: str) -> None:
        if not self.trouble:
            logger.warning("runhistory: %s wait and are sent again: %s", self._label, trouble)
        self.trouble = trouble

    def _settle(self) -> None:
        if self.trouble:
            logger.warning("runhistory: the gateway takes %s again.", self._label)
        self.trouble, self._doubt_began = "", None
