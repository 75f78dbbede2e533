"""A run's console by line numbers: any window of it, and where a text stands.

All lines of a run are in one partition, so their order of arrival is that of their offsets, and
a line that arrived keeps its number: 1, 2, 3, … over all attempts and streams.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from clickhouse_connect.driver.client import Client
from msgspec import Struct

from runhistory.query.rows import read

MAX_WINDOW: Final = 5_000
MAX_MATCHES: Final = 10_000


class ConsoleLine(Struct, frozen=True):
    """A line as it was written, ANSI sequences too; `stream` is stdout, stderr or system.

    `number` counts over the whole run, `place` over the lines that were asked for.
    """

    number: int
    place: int
    attempt: int
    stream: str
    time: datetime
    line: str


class ConsoleWindow(Struct, frozen=True):
    """Lines in the order of their numbers.

    `total` counts all of the run, `admitted` those of the streams and the attempt that were asked
    for. `cursor` says where the last line is, as pages of log lines have it; None without a line.
    """

    total: int
    admitted: int
    lines: list[ConsoleLine]
    cursor: str | None


class ConsoleMatches(Struct, frozen=True):
    """How many lines have the text, and the numbers of the first of them."""

    total: int
    numbers: list[int]


class LineFilter(Struct, frozen=True, kw_only=True):
    """Lines of any of these streams (all without one), of one attempt (all for None)."""

    streams: Sequence[str] = ()
    attempt: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether every line passes."""
        return not self.streams and self.attempt is None

    def parameters(self) -> dict[str, Any]:
        """What _ADMITTED names."""
        return {"streams": list(self.streams), "attempt": self.attempt or 0}


_ADMITTED: Final = """
    (empty({streams:Array(String)}) OR has({streams:Array(String)}, stream))
    AND ({attempt:UInt32} = 0 OR attempt = {attempt:UInt32})
"""
_OF_THE_RUN: Final = "workspace = {workspace:String} AND run_uuid = unhex({run_id:String})"

_NUMBERED: Final = f"""
    SELECT row_number() OVER (ORDER BY offset, index) AS number, offset, index, COLUMNS
    FROM runhistory.log_lines WHERE {_OF_THE_RUN}
"""  # noqa: S608 - this module's words


def load_console(
    client: Client,
    *,
    workspace: str,
    run_id: str,
    first: int = 1,
    first_place: int = 1,
    limit: int = 500,
    is_tail: bool = False,
    asked: LineFilter | None = None,
) -> ConsoleWindow:
    """At most `limit` lines that `asked` admits, from `first` on, or the last ones.

    `first` is a number, `first_place` a place among the lines that `asked` admits.

    Raises:
        EngineUnavailable
    """
    asked, run = asked or LineFilter(), {"workspace": workspace, "run_id": run_id}
    order = "DESC" if is_tail else "ASC"
    numbered = _NUMBERED.replace("COLUMNS", "attempt, stream, time, line")
    # Without a filter the two are the same, and it is sorted once.
    place = "number" if asked.is_open else "row_number() OVER (ORDER BY offset, index)"
    found = read(
        client,
        f"""
        SELECT number, place, attempt, stream, time, line, offset, index FROM (
            SELECT *, {place} AS place FROM ({numbered}) WHERE {_ADMITTED}
        )
        WHERE number >= {{first:UInt64}} AND place >= {{first_place:UInt64}}
        ORDER BY number {order} LIMIT {{limit:UInt32}}
        """,  # noqa: S608 - this module's words
        **run,
        **asked.parameters(),
        first=first,
        first_place=first_place,
        limit=max(1, min(limit, MAX_WINDOW)),
    )
    rows = found[::-1] if is_tail else found
    counting = f"""
        SELECT count(), countIf({_ADMITTED}) FROM runhistory.log_lines WHERE {_OF_THE_RUN}
    """  # noqa: S608 - this module's words
    total, admitted = read(client, counting, **run, **asked.parameters())[0]
    return ConsoleWindow(
        total=int(total),
        admitted=int(admitted),
        lines=[ConsoleLine(*row[:6]) for row in rows],
        cursor=f"{rows[-1][6]}-{rows[-1][7]}" if rows else None,
    )


def find_lines(
    client: Client,
    *,
    workspace: str,
    run_id: str,
    text: str,
    limit: int = MAX_MATCHES,
    asked: LineFilter | None = None,
) -> ConsoleMatches:
    """The lines that have `text` somewhere in them, in upper or lower case.

    Raises:
        EngineUnavailable
    """
    numbered = _NUMBERED.replace("COLUMNS", "attempt, stream, line")
    found = read(
        client,
        f"""
        SELECT number, count() OVER () FROM ({numbered})
        WHERE positionCaseInsensitiveUTF8(line, {{text:String}}) > 0 AND {_ADMITTED}
        ORDER BY number LIMIT {{limit:UInt32}}
        """,  # noqa: S608 - this module's words
        workspace=workspace,
        run_id=run_id,
        text=text,
        limit=max(1, min(limit, MAX_MATCHES)),
        **(asked or LineFilter()).parameters(),
    )
    return ConsoleMatches(found[0][1] if found else 0, [number for number, _ in found])
