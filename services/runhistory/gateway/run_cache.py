"""The runs that were read last, each kept until a reply tells that it has changed. Pure.

What is told of a run follows from its events alone, and no event comes unannounced: the lifecycle
appends the events of a command and the reply to it in one transaction, whoever sent the command,
and every reply names the place of the run's newest event, those to retries and refusals too.
The gateway follows all replies. So of each run that a reply was about it knows a place, up to which
an answer of ClickHouse must have come: one that is older is not kept, for ClickHouse follows the
log, and one that is kept is dropped when a reply names a later place.

So what is kept is as new as every reply that has passed. An answer that was given counts like
a reply, so that none which began earlier and ended later takes its place. Nothing is kept of
runs that no reply was about: what happened before the following began is not known.
"""

from collections import OrderedDict
from typing import Final

from msgspec import Struct

from runhistory.events.codec import Reply, Watermark
from runhistory.gateway.event_log import RunKey

MAX_BYTES: Final = 16 << 20
ENTRY_BYTES: Final = 600
"""What a run takes beside its body, about."""


class Answer(Struct, frozen=True):
    """A run's newest event, by its offset in run.events, and the run as it is told from there on:
    encoded, or empty where nobody has asked yet."""

    offset: int
    body: bytes = b""


GONE: Final = Answer(2**63)
"""A deleted run's: nothing is newer."""


class RunCache:
    """`hear` all replies, `find` what is kept or else `learn` what ClickHouse answered.

    `clear` where replies may have been missed, before the next is heard.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes, self._bytes = max_bytes, 0
        self._known: OrderedDict[RunKey, Answer] = OrderedDict()

    def clear(self) -> None:
        """Know nothing."""
        self._known.clear()
        self._bytes = 0

    def hear(self, reply: Reply) -> None:
        """A reply passes by, about whatever."""
        if reply.watermark is not None and reply.status is not None:  # else it is about no run
            place = Watermark.parse(reply.watermark)
            self._take((reply.workspace, reply.run_id), Answer(place.offset))

    def learn(self, run: RunKey, answer: Answer) -> None:
        """ClickHouse has answered."""
        if run in self._known:
            self._take(run, answer)

    def find(self, run: RunKey) -> bytes | None:
        """The run as it is kept, if it is."""
        known = self._known.get(run)
        if known is None or not known.body:
            return None
        self._known.move_to_end(run)
        return known.body

    def _take(self, run: RunKey, answer: Answer) -> None:
        """The newer one stays; of two that are as new, the one that tells something."""
        known = self._known.pop(run, None)
        if known is not None:
            self._bytes -= _size(known)
            answer = max(known, answer, key=lambda one: (one.offset, bool(one.body)))
        self._known[run] = answer
        self._bytes += _size(answer)
        while self._bytes > self._max_bytes:
            self._bytes -= _size(self._known.popitem(last=False)[1])


def _size(answer: Answer) -> int:
    return ENTRY_BYTES + len(answer.body)
