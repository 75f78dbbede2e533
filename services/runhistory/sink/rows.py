"""From a Kafka record to a row of its landing table: spliced, not parsed.

A batch of points is read once, by ClickHouse. Here its place in the log is put before its first
field and nothing else is touched. What ClickHouse would misread without a word is screened by
searching bytes: JSON's null, or an empty string, as a number reads as 0 whatever the settings.
Where a search finds something the record is decoded strictly, so a key such as "null/loss" passes.

Events are few and their row holds the data as a string, which ClickHouse never refuses; so
they are decoded here. A type that this version does not know only has to name its run. Records
are decoded too: their values may be any JSON, and ClickHouse is given each as the text of it.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, Protocol

import msgspec
from msgspec import Meta, Struct

from runhistory.domain.events import EVENTS
from runhistory.domain.values import RunId, Version, Workspace
from runhistory.events.cloudevents import MalformedRecord, attribute
from runhistory.events.codec import decode_event_data
from runhistory.events.log_batch import LOG_LINES_WRITTEN, LogLinesWritten
from runhistory.events.metric_batch import METRICS_LOGGED, MetricsLogged
from runhistory.events.node_events import NODE_EVENTS, NodeEvent
from runhistory.events.record_batch import RECORDS_LOGGED, RecordsLogged

ROW_BYTES: Final = 256
"""What a stored row takes at most in memory, apart from its text."""


class Message(Protocol):
    """What the sink uses of a Kafka record; `timestamp` is in ms since 1970."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


class Row(Struct, frozen=True):
    """A line of JSONEachRow without its end, and what ClickHouse makes of it.

    `rows` are stored for it (points, log lines), and they take about `memory` bytes in an INSERT.
    """

    json: bytes
    rows: int
    memory: int


class Unreadable(Exception):
    """ClickHouse cannot store this record, now or ever; the message says why."""


class Landing(Struct, frozen=True):
    """Where a topic's records go, and how they become rows."""

    table: str
    row: Callable[[Message], Row]


class _EventEnvelope(Struct, frozen=True):
    """What an event of any type has to say."""

    workspace: Workspace
    run_id: RunId
    version: Version
    command_id: Annotated[str, Meta(min_length=1)]


_envelope: Final = msgspec.json.Decoder(_EventEnvelope)
_metrics: Final = msgspec.json.Decoder(MetricsLogged)
_logs: Final = msgspec.json.Decoder(LogLinesWritten)
_records: Final = msgspec.json.Decoder(RecordsLogged)


def metric_row(message: Message) -> Row:
    """The row of one batch of points.

    Raises:
        Unreadable: no batch of points, or one that ClickHouse would misread.
    """
    value = _data(message, METRICS_LOGGED)
    _decode_suspicious(_metrics, value)
    points = _elements(value, b'"key_index":[')
    return Row(_splice(message, value), points, points * (ROW_BYTES + _longest_key(value)))


def log_row(message: Message) -> Row:
    """The row of one batch of log lines.

    Raises:
        Unreadable: no batch of lines, or one that ClickHouse would misread.
    """
    value = _data(message, LOG_LINES_WRITTEN)
    _decode_suspicious(_logs, value)
    lines = _elements(value, b'"times":[')
    return Row(_splice(message, value), lines, lines * ROW_BYTES + len(value))


def record_row(message: Message) -> Row:
    """The row of one batch of records, by columns; each value is its JSON as a string.

    Raises:
        Unreadable: no batch of records.
    """
    value = _data(message, RECORDS_LOGGED)
    try:
        batch = _records.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(str(error)) from error
    records = batch.records
    row = {
        "_p": message.partition,
        "_o": message.offset,
        "_t": message.timestamp,
        "workspace": batch.workspace,
        "run_id": batch.run_id,
        "attempt": batch.attempt,
        "writer": batch.writer,
        "seq": batch.seq,
        "keys": [record.key for record in records],
        "kinds": [record.kind for record in records],
        "steps": [record.step for record in records],
        "times": [record.time for record in records],
        "values": [msgspec.json.encode(record.value).decode() for record in records],
        "files": [record.file or "" for record in records],
    }
    return Row(msgspec.json.encode(row), len(records), len(records) * ROW_BYTES + 2 * len(value))


def event_row(message: Message) -> Row:
    """The row of one event: its attributes, and its data as a string.

    Raises:
        Unreadable: an attribute is missing, or the data is not what its type says.
    """
    value = _data(message, None)
    try:
        type = attribute(message.headers, "type")
        row = {
            "_p": message.partition,
            "_o": message.offset,
            "_t": message.timestamp,
            "id": attribute(message.headers, "id"),
            "type": type,
            "source": attribute(message.headers, "source"),
            "subject": attribute(message.headers, "subject"),
            "time": attribute(message.headers, "time"),
            "data": value.decode(),
        }
        decode_event_data(type, value) if type in EVENTS else _envelope.decode(value)
    except (MalformedRecord, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(str(error)) from error
    return Row(msgspec.json.encode(row), 1, 4 * len(value))


def node_row(message: Message) -> Row:
    """The row of one event of a node. One of a later version only has to name its node.

    Raises:
        Unreadable: an attribute is missing, or the data is not what its type says.
    """
    value = _data(message, None)
    try:
        type = attribute(message.headers, "type")
        event = msgspec.json.decode(value, type=NODE_EVENTS.get(type, NodeEvent))
    except (MalformedRecord, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(str(error)) from error
    place = {"_p": message.partition, "_o": message.offset, "_t": message.timestamp}
    row = {**place, "type": type, "message": "", **msgspec.to_builtins(event)}
    return Row(msgspec.json.encode(row), 1, 4 * len(value))


LANDINGS: Final = {
    "run.metrics": Landing("metrics_landing", metric_row),
    "run.logs": Landing("logs_landing", log_row),
    "run.records": Landing("records_landing", record_row),
    "run.events": Landing("events_landing", event_row),
    "compute.events": Landing("nodes_landing", node_row),
}
"""Every topic that the sink reads."""


def _data(message: Message, due_type: str | None) -> bytes:
    value = message.value
    if not value:
        raise Unreadable("the record has no value")
    if value[:1] != b"{" or value[-1:] != b"}":
        raise Unreadable("the value is no JSON object")
    if due_type is not None:
        try:
            type = attribute(message.headers, "type")
        except MalformedRecord as error:
            raise Unreadable(str(error)) from error
        if type != due_type:
            raise Unreadable(f"unknown type {type!r}; this topic carries {due_type}")
    return value


def _decode_suspicious(decoder: "msgspec.json.Decoder[Any]", value: bytes) -> None:
    if not _is_suspicious(value):
        return
    try:
        decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(str(error)) from error


def _is_suspicious(value: bytes) -> bool:
    return (
        b'"seq":' not in value
        or _has_null(value)
        or b"" in value.split(b'"')
        or value.find(b"}") != len(value) - 1
    )


def _has_null(value: bytes) -> bool:
    """Whether there is a `null`, in a string or outside.

    Looking for one byte takes a twentieth of the time that looking for four takes, and numbers
    have no `u`. In text there are many.
    """
    if value.count(b"u") > len(value) // 256:
        return b"null" in value
    at = value.find(b"u")
    while at >= 0:
        if value[at - 1 : at + 3] == b"null":
            return True
        at = value.find(b"u", at + 1)
    return False


def _splice(message: Message, value: bytes) -> bytes:
    place = (message.partition, message.offset, message.timestamp)
    return b'{"_p":%d,"_o":%d,"_t":%d,' % place + value[1:]


def _elements(value: bytes, opening: bytes) -> int:
    """How many elements the array of numbers has; too many rather than too few.

    A name with its quotes and colon is never found inside a string, where quotes are escaped.
    """
    start = value.find(opening)
    if start < 0:
        return len(value) // 8 + 1  # an element in each of four arrays, and its comma
    return value.count(b",", start, value.find(b"]", start)) + 1


def _longest_key(value: bytes) -> int:
    start = value.find(b'"keys":[')
    if start < 0:
        return len(value)
    return max(map(len, value[start : value.find(b'],"', start)].split(b'","')))
