"""A run's console lines in the order in which they arrived, page by page."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from clickhouse_connect.driver.client import Client
from msgspec import Struct

from runhistory.query.rows import read
from runhistory.query.runs import InvalidCursor

MAX_LINES: Final = 10_000
_CURSOR: Final = re.compile(r"(\d{1,19})-(\d{1,9})")


class LogLine(Struct, frozen=True):
    """One line, without its end; `stream` is stdout, stderr or system (the worker's word)."""

    attempt: int
    stream: str
    time: datetime
    line: str


class LogPage(Struct, frozen=True):
    """Lines, and where the next page begins: the same again as long as nothing has come."""

    lines: list[LogLine]
    cursor: str | None


def load_log_page(
    client: Client,
    *,
    workspace: str,
    run_id: str,
    after: str | None = None,
    streams: Sequence[str] = (),
    attempt: int | None = None,
    limit: int = 1_000,
    is_tail: bool = False,
) -> LogPage:
    """At most `limit` lines behind the cursor `after` (None: from the first line).

    With `is_tail` the last ones instead of the first; in the order of arrival all the same.
    All lines of a run are in one partition, so an arrival's place is its offset there.

    Raises:
        InvalidCursor: `after` is none.
        EngineUnavailable
    """
    offset, index = _parse(after)
    order = "DESC" if is_tail else "ASC"
    found = read(
        client,
        f"""
        SELECT attempt, stream, time, line, offset, index FROM runhistory.log_lines
        WHERE workspace = {{workspace:String}} AND run_uuid = unhex({{run_id:String}})
            AND offset >= {{offset:Int64}} AND (offset, index) > ({{offset:Int64}}, {{index:Int64}})
            AND (empty({{streams:Array(String)}}) OR has({{streams:Array(String)}}, stream))
            AND ({{attempt:UInt32}} = 0 OR attempt = {{attempt:UInt32}})
        ORDER BY offset {order}, index {order} LIMIT {{limit:UInt32}}
        """,  # noqa: S608 - this module's words
        workspace=workspace,
        run_id=run_id,
        offset=offset,
        index=index,
        streams=list(streams),
        attempt=attempt or 0,
        limit=max(1, min(limit, MAX_LINES)),
    )
    if is_tail:
        found = found[::-1]
    lines = [LogLine(attempt, stream, time, line) for attempt, stream, time, line, _, _ in found]
    return LogPage(lines, f"{found[-1][4]}-{found[-1][5]}" if found else after)


def _parse(cursor: str | None) -> tuple[int, int]:
    if cursor is None:
        return -1, -1
    found = _CURSOR.fullmatch(cursor)
    if not found or int(found[1]) >= 2**63:
        raise InvalidCursor(f"{cursor!r} is no cursor. Use the cursor that a page of lines gave.")
    return int(found[1]), int(found[2])
