"""A batch as it is sent: points or records of one writer, and the files that records name."""

from collections.abc import Callable
from typing import NamedTuple


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


Send = Callable[[Batch], object]
"""Send one batch. Raises Unavailable when it should be sent again."""
