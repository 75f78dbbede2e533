"""Tables that somebody looks at: their runs in order, kept so that windows of them cost little.

One that is not here any more is made anew, up to the same time: what changed since then may have
moved, and nothing else is different. Memory is bounded; the one that was used longest ago goes.
"""

from collections import OrderedDict
from datetime import datetime
from typing import Final

from runhistory.query.run_table import RunOrdering

MAX_BYTES: Final = 32 << 20
"""Twenty tables of 100,000 runs."""

ENTRY_BYTES: Final = 1_000
"""What one takes beside its ids, about."""


class Orderings:
    """`keep` what was made, `find` it by the question that it answers and its `as_of`."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes, self._bytes = max_bytes, 0
        self._kept: OrderedDict[tuple[bytes, datetime], RunOrdering] = OrderedDict()

    def find(self, question: bytes, as_of: datetime) -> RunOrdering | None:
        """The answer that was kept, if it is still here."""
        found = self._kept.get((question, as_of))
        if found is not None:
            self._kept.move_to_end((question, as_of))
        return found

    def keep(self, question: bytes, ordering: RunOrdering) -> None:
        """Keep it, unless it is greater than all that may be kept."""
        name = (question, ordering.as_of)
        if (before := self._kept.pop(name, None)) is not None:
            self._bytes -= _size(before)
        self._kept[name] = ordering
        self._bytes += _size(ordering)
        while self._bytes > self._max_bytes:
            self._bytes -= _size(self._kept.popitem(last=False)[1])


def _size(ordering: RunOrdering) -> int:
    return ENTRY_BYTES + len(ordering.ids)
