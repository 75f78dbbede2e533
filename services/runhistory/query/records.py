"""Records, what a run logs beside points, page by page, over a run's attempts.

`latest` is the rule of curves: an attempt hides earlier attempts of the same key from its own
first record on. A page ends by its number of records or by the bytes of their values.
"""

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final

import msgspec
from clickhouse_connect.driver.client import Client
from msgspec import Meta, Raw, Struct

from runhistory.query.metrics import AttemptChoice
from runhistory.query.rows import Row, read
from runhistory.query.runs import InvalidCursor

MAX_RECORDS: Final = 10_000
MAX_PAGE_BYTES: Final = 16 * 1024 * 1024


class Place(Struct, frozen=True, array_like=True):
    """What a record is known by within its run."""

    key: str = ""
    step: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] = 0
    attempt: Annotated[int, Meta(ge=0, le=2**32 - 1)] = 0
    writer: str = ""
    seq: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0
    index: Annotated[int, Meta(ge=0, le=2**32 - 1)] = 0


class RunRecord(Struct, frozen=True, kw_only=True):
    """One record. `value` is JSON; a number that JSON cannot say is `{"float": "NaN"}`."""

    key: str
    kind: str
    step: int
    time: datetime
    value: Raw
    file: str | None
    attempt: int
    writer: str


class RecordPage(Struct, frozen=True):
    """Some records, by key and step; `next_cursor` is None behind the last one."""

    records: list[RunRecord]
    next_cursor: str | None


def load_records(
    client: Client,
    *,
    workspace: str,
    run_id: str,
    keys: Sequence[str] = (),
    kinds: Sequence[str] = (),
    attempt: AttemptChoice = "latest",
    limit: int = MAX_RECORDS,
    cursor: str | None = None,
) -> RecordPage:
    """At most `limit` records of the run's `keys` and `kinds` (all without), behind `cursor`.

    Raises:
        InvalidCursor: `cursor` is none.
        EngineUnavailable
    """
    behind = _parse(cursor)
    limit = max(1, min(limit, MAX_RECORDS))
    found = read(
        client,
        """
        SELECT key, step, attempt, writer, seq, index, kind, time, value, file, total
        FROM (
            SELECT record.key AS key, record.step AS step, record.attempt AS attempt,
                record.writer AS writer, record.seq AS seq, record.index AS index,
                record.kind AS kind, record.time AS time, record.value AS value,
                record.file AS file,
                sum(length(record.value)) OVER (
                    ORDER BY key, step, attempt, writer, seq, index
                    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
                ) AS total
            FROM runhistory.records AS record
            LEFT JOIN (
                SELECT key, attempt,
                    min(toNullable(min(step))) OVER (PARTITION BY key ORDER BY attempt DESC
                        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS hidden_from
                FROM runhistory.records
                WHERE {latest:Bool} AND workspace = {workspace:String}
                    AND run_uuid = unhex({run_id:String})
                GROUP BY key, attempt
            ) AS later ON later.key = record.key AND later.attempt = record.attempt
            WHERE record.workspace = {workspace:String} AND record.run_uuid = unhex({run_id:String})
                AND (empty({keys:Array(String)}) OR record.key IN {keys:Array(String)})
                AND (empty({kinds:Array(String)}) OR record.kind IN {kinds:Array(String)})
                AND ({attempt:UInt32} = 0 OR record.attempt = {attempt:UInt32})
                AND (isNull(later.hidden_from) OR record.step < later.hidden_from)
                AND ({begin:Bool} OR (record.key, record.step, record.attempt, record.writer,
                    record.seq, record.index) > ({key:String}, {step:Int64},
                    {behind_attempt:UInt32}, {writer:String}, {seq:UInt64}, {index:UInt32}))
            ORDER BY key, step, attempt, writer, seq, index
            LIMIT {limit:UInt32}
        )
        WHERE total - length(value) < {bytes:UInt64}
        ORDER BY key, step, attempt, writer, seq, index
        """,
        workspace=workspace,
        run_id=run_id,
        keys=list(keys),
        kinds=list(kinds),
        attempt=attempt if isinstance(attempt, int) else 0,
        latest=attempt == "latest",
        begin=cursor is None,
        key=behind.key,
        step=behind.step,
        behind_attempt=behind.attempt,
        writer=behind.writer,
        seq=behind.seq,
        index=behind.index,
        limit=limit + 1,
        bytes=MAX_PAGE_BYTES,
    )
    page = found[:limit]
    more = bool(page) and (len(found) > limit or int(page[-1][10]) >= MAX_PAGE_BYTES)
    return RecordPage([_record(row) for row in page], _cursor(page[-1][:6]) if more else None)


def _record(row: Row) -> RunRecord:
    key, step, attempt, writer, _, _, kind, time, value, file, _ = row
    return RunRecord(
        key=key,
        kind=kind,
        step=step,
        time=time,
        value=Raw(value.encode()),
        file=file,
        attempt=attempt,
        writer=writer,
    )


def _cursor(place: Row) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(list(place))).decode()


def _parse(cursor: str | None) -> Place:
    if cursor is None:
        return Place()
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(cursor), type=Place)
    except (ValueError, msgspec.DecodeError) as error:
        raise InvalidCursor(f"{cursor!r} is no cursor. Use a page's next_cursor.") from error
