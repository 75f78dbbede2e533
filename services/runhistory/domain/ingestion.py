"""Did everything arrive? What is known of each writer's batches, and where they have holes.

A writer numbers its batches 0, 1, 2, … for each topic, so a number that is missing below one that
arrived is a batch that is not there: on its way, waiting in a client's spool, or lost. Behind the
last one nobody but the writer itself can tell.
"""

from datetime import datetime
from typing import Final

from msgspec import Struct

MOST_LISTED: Final = 1_000
"""So many ranges and changed batches of one writer are listed; the counts are of all."""


class SeqRange(Struct, frozen=True):
    """The batches from `first` to `last`, both included."""

    first: int
    last: int

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


class ChangedBatch(Struct, frozen=True):
    """A batch that came with several contents under one number; readers see the first."""

    seq: int
    contents: int


class WriterIngestion(Struct, frozen=True, kw_only=True):
    """One writer's batches in one topic, within one attempt.

    `topic` is run.metrics (points), run.records or run.logs (lines), and `points` says how many of
    them the stored batches hold. Times are Kafka's. `missing` and `changed` begin with the lowest
    numbers and list at most MOST_LISTED; `missing_batches` and `changed_batches` count all.
    """

    topic: str
    attempt: int
    writer: str
    batches: int
    points: int
    last_seq: int
    first_received: datetime
    last_received: datetime
    missing_batches: int
    missing: list[SeqRange]
    changed_batches: int
    changed: list[ChangedBatch]

    @property
    def is_whole(self) -> bool:
        """Whether every batch up to the last one arrived, each with one content."""
        return not self.missing_batches and not self.changed_batches


class Ingestion(Struct, frozen=True):
    """What arrived of a run, by attempt, writer and topic.

    `is_whole` says that all writers are; it is True of a run that nobody has logged to.
    """

    writers: list[WriterIngestion]
    is_whole: bool
