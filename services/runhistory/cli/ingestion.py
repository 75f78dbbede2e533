"""`runhistory show RUN --ingestion`: what arrived of a run, as a table."""

from collections.abc import Sequence
from typing import Final

from runhistory.cli import console, words
from runhistory.cli.table import Column, table
from runhistory.domain.ingestion import Ingestion, WriterIngestion

MOST_NAMED: Final = 5
"""Ranges and changed batches that a cell names."""

_COLUMNS = (
    Column("attempt", right=True),
    Column("writer", whole=True),
    Column("topic", whole=True),
    Column("batches", right=True),
    Column("points", right=True),
    Column("last", right=True),
    Column("received", optional=True),
    Column("missing", style="red"),
    Column("changed", style="yellow"),
)


def print_ingestion(found: Ingestion) -> None:
    """The table, and a word about what it says."""
    if not found.writers:
        console.note("Nothing was logged to the run.")
        return
    table(_COLUMNS, [_row(writer) for writer in found.writers])
    console.say(_verdict(found), "green" if found.is_whole else "red")


def _row(writer: WriterIngestion) -> tuple[str, ...]:
    return (
        str(writer.attempt),
        writer.writer,
        writer.topic,
        f"{writer.batches:,}",
        f"{writer.points:,}",
        str(writer.last_seq),
        words.moment(writer.last_received.isoformat()),
        _named(list(map(str, writer.missing)), writer.missing_batches, len(writer.missing)),
        _named([str(one.seq) for one in writer.changed], writer.changed_batches, 0),
    )


def _named(names: Sequence[str], count: int, ranges: int) -> str:
    """`0, 4-9 and more (17)`: some of the names, and how many batches they all stand for."""
    if not count:
        return ""
    more = " …" if len(names) > MOST_NAMED else ""
    total = f" ({count:,})" if ranges or more else ""
    return ", ".join(names[:MOST_NAMED]) + more + total


def _verdict(found: Ingestion) -> str:
    if found.is_whole:
        return "Every batch up to each writer's last one arrived."
    missing = sum(writer.missing_batches for writer in found.writers)
    changed = sum(writer.changed_batches for writer in found.writers)
    said = []
    if missing:
        said.append(
            f"{_batches(missing, 'is', 'are')} missing: on the way, kept on the writer's machine "
            "(`runhistory sync` there sends them), or lost."
        )
    if changed:
        said.append(
            f"{_batches(changed, 'came', 'came')} with several contents under one number: the "
            "first counts."
        )
    return " ".join(said)


def _batches(count: int, one: str, several: str) -> str:
    return f"1 batch {one}" if count == 1 else f"{count:,} batches {several}"
