"""Records to bodies of record batches (`events/record_batch.py`), as few as the limits allow."""

from collections import deque
from typing import Final, NamedTuple

import msgspec

from runhistory.events.record_batch import MAX_BATCH_BYTES, MAX_RECORDS
from runhistory.sdk.batch import Attachment, Batch

_ROOM: Final = MAX_BATCH_BYTES - 1_000
"""For records and the commas between them; the rest is for the batch around them."""


class Item(NamedTuple):
    """A record's JSON as it was when it was logged, and the file that it names."""

    json: bytes
    attachment: Attachment | None = None

    @property
    def weight(self) -> int:
        """Bytes that wait with it."""
        return len(self.json) + (len(self.attachment.content) if self.attachment else 0)


def take(incoming: deque[Item], most: int) -> tuple[list[Item], int]:
    """Pop `most` records; and their bytes."""
    items = [incoming.popleft() for _ in range(most)]
    return items, sum(item.weight for item in items)


def encode(writer: str, seq: int, items: list[Item]) -> list[Batch]:
    """The records as batches numbered from `seq`, in order; none for no records."""
    batches: list[Batch] = []
    chunk: list[Item] = []
    size = 0
    for item in items:
        if chunk and (len(chunk) == MAX_RECORDS or size + len(item.json) + 1 > _ROOM):
            batches.append(_batch(writer, seq + len(batches), chunk))
            chunk, size = [], 0
        chunk.append(item)
        size += len(item.json) + 1
    if chunk:
        batches.append(_batch(writer, seq + len(batches), chunk))
    return batches


def _batch(writer: str, seq: int, items: list[Item]) -> Batch:
    records = [msgspec.Raw(item.json) for item in items]
    body = msgspec.json.encode({"writer": writer, "seq": seq, "records": records})
    attachments = tuple(item.attachment for item in items if item.attachment)
    return Batch(seq, len(items), body, attachments)
