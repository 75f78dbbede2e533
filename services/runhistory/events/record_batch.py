"""A batch of records: what a run logs beside points, such as texts, rows, tables and images.

A record is one value of a key at a step, as a point is; its value is JSON, or lies in a file that
the run kept. Texts and points of one key share their steps, so both together have one order.
"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from runhistory.domain.values import FileName, RunId, StartedAttempt, Workspace
from runhistory.events import strict_json
from runhistory.events.metric_batch import (
    Int64,
    InvalidBatch,
    Key,
    Sequence,
    Time,
    TooLarge,
    Writer,
)

MAX_RECORDS: Final = 1_000
MAX_RECORD_BYTES: Final = 65_536
MAX_BATCH_BYTES: Final = 1_048_576
RECORDS_LOGGED: Final = "records.logged.v1"

RecordKind = Literal[
    "value",
    "row",
    "table",
    "image",
    "confusion_matrix",
    "accuracy_table",
    "residuals",
    "predictions",
]


class NotFinite(Struct, frozen=True):
    """A number that JSON cannot say; the text "NaN" is another value."""

    float: Literal["NaN", "Infinity", "-Infinity"]


Cell = None | bool | int | float | str | NotFinite
Table = dict[Key, Cell | list[Cell]]


class LoggedRecord(Struct, frozen=True):
    """One record. `time` is in µs since 1970, UTC; `file` names a file that the run kept.

    kind value: a text or null. row: a cell for each column. table: cells for each column, or a
    file with the same as JSON. The others: a file, and null as value.
    """

    key: Key
    kind: RecordKind
    step: Int64
    time: Time
    value: str | Table | None = None
    file: FileName | None = None


class Record(LoggedRecord, frozen=True, forbid_unknown_fields=True):
    """A record as a client sends it."""


class RecordBatch(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a client sends: records in the order in which they were logged."""

    writer: Writer
    seq: Sequence
    records: Annotated[list[Record], Meta(min_length=1, max_length=MAX_RECORDS)]


class RecordsLogged(Struct, frozen=True, kw_only=True):
    """A batch of what a run logged beside points, in the order in which it was logged."""

    workspace: Workspace
    run_id: RunId
    attempt: StartedAttempt
    writer: Writer
    seq: Sequence
    records: Annotated[list[LoggedRecord], Meta(min_length=1, max_length=MAX_RECORDS)]


_decoder: Final = msgspec.json.Decoder(RecordBatch)


def check(body: bytes) -> RecordBatch:
    """The batch in `body`, when all of it is right.

    Raises:
        TooLarge: more than MAX_BATCH_BYTES, or a record of more than MAX_RECORD_BYTES.
        InvalidBatch: anything else; the message names the place and what is wrong there.
    """
    if len(body) > MAX_BATCH_BYTES:
        raise TooLarge(f"A batch may have {MAX_BATCH_BYTES} bytes, this one has {len(body)}.")
    try:
        batch = strict_json.decode(body, _decoder)
    except strict_json.NotStrictJson as error:
        raise InvalidBatch(str(error)) from error
    for number, record in enumerate(batch.records):
        size = len(msgspec.json.encode(record))
        if size > MAX_RECORD_BYTES:
            raise TooLarge(
                f"A record may have {MAX_RECORD_BYTES} bytes, this one has {size}: keep its "
                f"value as a file of the run - at `$.records[{number}]`"
            )
        if trouble := _trouble(record):
            raise InvalidBatch(f"{trouble} - at `$.records[{number}]`")
    return batch


def _trouble(record: LoggedRecord) -> str | None:
    """What is wrong between a record's kind, value and file."""
    value, has_file = record.value, record.file is not None
    match record.kind:
        case "value":
            if isinstance(value, dict) or has_file:
                return "A record of kind value is a text or null, without a file"
        case "row":
            if not isinstance(value, dict) or not value or has_file:
                return "A row is an object with a cell for each column, without a file"
            if any(isinstance(cell, list) for cell in value.values()):
                return "A row has one cell in each column; several make a table"
        case "table":
            if isinstance(value, str) or isinstance(value, dict) == has_file:
                return "A table is an object with cells for each column, or a file, and not both"
        case kind:
            if value is not None or not has_file:
                return f"A record of kind {kind} names its file and has no value"
    return None
