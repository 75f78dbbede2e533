"""A table of runs: any window of it, in any order, with chosen columns.

A table is a list of runs in an order, made once, and windows of that list with what the runs are
now. So nothing moves while somebody looks at it, and a window costs what its rows cost.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from clickhouse_connect.driver.client import Client
from msgspec import Struct

from runhistory.query.rows import THESE_RUNS, read
from runhistory.query.run_columns import Cell, Column, load_cells
from runhistory.query.run_filter import RunFilter
from runhistory.query.run_order import NEWEST_FIRST, make_order
from runhistory.query.runs import SUMMARY_COLUMNS, RunSummary, summary_fields
from runhistory.query.tags import load_tags

_CLOCKS_APART: Final = timedelta(minutes=10)
_ID_BYTES: Final = 16
_NEVER: Final = datetime(2200, 1, 1, tzinfo=UTC)


class RunRow(RunSummary, frozen=True, kw_only=True):
    """A run in a table; `values` has one for each column that was asked for, in that order."""

    values: list[Cell]


class RunTable(Struct, frozen=True, kw_only=True):
    """The rows from `offset` on. `total` counts the runs until `as_of`, `newer` those since."""

    total: int
    newer: int
    as_of: datetime
    offset: int
    rows: list[RunRow]


class RunOrdering(Struct, frozen=True):
    """All runs of a table in order, 16 bytes each, and until when they were created."""

    as_of: datetime
    ids: bytes

    @property
    def total(self) -> int:
        """How many there are."""
        return len(self.ids) // _ID_BYTES

    def window(self, offset: int, limit: int) -> list[str]:
        """The ids of at most `limit` runs from place `offset` on."""
        found = self.ids[offset * _ID_BYTES : (offset + limit) * _ID_BYTES].hex()
        return [found[at : at + 2 * _ID_BYTES] for at in range(0, len(found), 2 * _ID_BYTES)]


def load_run_ordering(
    client: Client,
    *,
    workspace: str,
    asked: RunFilter | None = None,
    sort: str = NEWEST_FIRST,
    as_of: datetime | None = None,
) -> RunOrdering:
    """The runs that `asked` admits, sorted; those with the same value by their ids.

    Only those that were created until `as_of`; without it, all that there are.

    Raises:
        InvalidOrder: `sort` is none.
        EngineUnavailable
    """
    asked, order = asked or RunFilter(), make_order(sort)
    join = f"LEFT ANY JOIN ({order.source}) AS sorted ON sorted.run_uuid = run.run_uuid"
    found = read(
        client,
        f"""
        SELECT arrayStringConcat(groupArray(hex(run_uuid))), maxOrNull(created) FROM (
            SELECT run.run_uuid AS run_uuid, created
            FROM runhistory.runs AS run {join if order.source else ""}
            WHERE {_where(asked)} AND created <= {{as_of:DateTime64(6, 'UTC')}}
            ORDER BY {", ".join(order.by)}, run.run_uuid DESC
        )
        SETTINGS join_use_nulls = 1
        """,  # noqa: S608 - this package's words
        **_parameters(workspace, asked),
        **order.parameters,
        as_of=as_of or _NEVER,
    )
    ids, newest = found[0]
    return RunOrdering(as_of or newest or datetime.now(UTC), bytes.fromhex(ids))


def load_run_table(
    client: Client,
    *,
    workspace: str,
    ordering: RunOrdering,
    asked: RunFilter | None = None,
    columns: Sequence[Column] = (),
    may_have_newer: bool = True,
    offset: int = 0,
    limit: int = 100,
) -> RunTable:
    """At most `limit` rows from place `offset` on; a run that is deleted since has none.

    Newer ones are looked for unless the ordering was made just now.

    Raises:
        EngineUnavailable
    """
    newer = 0
    if may_have_newer:
        newer = _count_newer(client, workspace, asked or RunFilter(), ordering.as_of)
    return RunTable(
        total=ordering.total,
        newer=newer,
        as_of=ordering.as_of,
        offset=offset,
        rows=_load_rows(client, workspace, ordering.window(offset, limit), columns),
    )


def _count_newer(client: Client, workspace: str, asked: RunFilter, as_of: datetime) -> int:
    """How many were created since. A run's id begins with the time: earlier ones are not read."""
    milliseconds = max(0, int((as_of - _CLOCKS_APART).timestamp() * 1_000))
    found = read(
        client,
        f"""
        SELECT count() FROM runhistory.runs WHERE {_where(asked)}
            AND run_uuid >= toFixedString(unhex({{first:String}}), 16)
            AND created > {{as_of:DateTime64(6, 'UTC')}}
        """,  # noqa: S608 - this package's words
        **_parameters(workspace, asked),
        first=f"{milliseconds:012x}{'0' * 20}",
        as_of=as_of,
    )
    return int(found[0][0])


def _parameters(workspace: str, asked: RunFilter) -> dict[str, Any]:
    return {"workspace": workspace, **asked.parameters()}


def _where(asked: RunFilter) -> str:
    return " AND ".join(["workspace = {workspace:String}", *asked.conditions()])


def _load_rows(
    client: Client, workspace: str, ids: Sequence[str], columns: Sequence[Column]
) -> list[RunRow]:
    if not ids:
        return []
    found = read(
        client,
        f"SELECT {SUMMARY_COLUMNS} FROM runhistory.runs "  # noqa: S608 - this package's words
        f"WHERE workspace = {{workspace:String}} AND run_uuid IN {THESE_RUNS}",
        workspace=workspace,
        run_ids=list(ids),
    )
    summaries = {str(row[0]): summary_fields(row) for row in found}
    tags = load_tags(client, workspace, ids)
    again = any(summary["attempt"] > 1 for summary in summaries.values())
    cells = load_cells(
        client, workspace=workspace, run_ids=ids, columns=columns, have_attempts=again
    )
    return [
        RunRow(
            **summaries[run_id],
            tags=tags[run_id],
            values=[cells.get((run_id, column)) for column in columns],
        )
        for run_id in ids
        if run_id in summaries
    ]
