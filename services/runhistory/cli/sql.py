"""`runhistory sql`: one SELECT over the views, as a table, JSON or CSV."""

import csv
import math
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runhistory.cli import console, terminal, words
from runhistory.cli.reading import AsJson, open_workspace
from runhistory.cli.table import Column, table

if TYPE_CHECKING:
    from runhistory.sdk.sql import SqlResult

SHOWN = 1_000
_EXAMPLE = '"SELECT status, count() FROM runs GROUP BY status"'


def sql(
    query: Annotated[
        str | None,
        typer.Argument(metavar="QUERY", help="One SELECT. - or a pipe: from standard input."),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="Read the SELECT from this file.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Rows at most.")] = SHOWN,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV with a header.")] = False,
    views: Annotated[
        bool, typer.Option("--views", help="List the views and their columns instead.")
    ] = False,
) -> None:
    """Ask the workspace's history in SQL.

    One SELECT, in ClickHouse's dialect.

    Views: runs, experiments, points, series, rollup, params, tags, properties, files, log_lines,
    run_statuses, events, batches and more; --views lists them with their columns, and docs/sql.md
    answers ten questions with them. The answer holds this workspace's rows alone.

    \b
    Examples:
      runhistory sql "SELECT display_name, status FROM runs ORDER BY created DESC LIMIT 5"
      runhistory sql --csv "SELECT run_id, key, last FROM series WHERE key = 'loss'" > loss.csv
      runhistory sql --file best.sql --json
      runhistory sql --views
    """
    if as_json and as_csv:
        raise typer.BadParameter("choose one of --json and --csv", param_hint="--csv")
    if views:
        _print_views(as_json)
        return
    from runhistory.sdk.sql import run_sql

    result = run_sql(open_workspace().connection, _text(query, file), limit)
    if as_json:
        console.say_json([_sayable(row) for row in result.to_dicts()])
    elif as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(result.columns)
        writer.writerows([_cell(value) for value in row] for row in result)
    else:
        _print_table(result)
    if result.truncated:
        console.note(f"Only the first {limit:,} rows. More: --limit")


def _text(query: str | None, file: Path | None) -> str:
    """The query, wherever it is."""
    if file is not None:
        if query is not None:
            raise typer.BadParameter("give a QUERY or a --file, not both", param_hint="--file")
        return file.read_text("utf-8")
    if query == "-" or (query is None and not terminal.is_terminal(sys.stdin)):
        return sys.stdin.read()
    if query is None:
        raise typer.BadParameter(
            f"give one, such as: {console.program()} sql {_EXAMPLE}",
            param_hint="QUERY",
        )
    return query


def _print_table(result: "SqlResult") -> None:
    columns = [
        Column(name, right=_is_number(type))
        for name, type in zip(result.columns, result.types, strict=True)
    ]
    rows = [[_shown(value) for value in row] for row in result]
    if columns:
        table(columns, rows)
    counted = f"{len(rows):,} row" + ("s" if len(rows) != 1 else "")
    read = f", {result.rows_read:,} rows read" if result.rows_read is not None else ""
    console.note(f"{counted} in {result.elapsed_ms:,.0f} ms{read}")


def _print_views(as_json: bool) -> None:
    found = open_workspace().connection.get("/sql/views")["views"]
    if as_json:
        console.say_json(found)
        return
    columns = (
        Column("view", style="bold"),
        Column("column"),
        Column("type"),
    )
    rows = [
        (view["name"] if number == 0 else "", column["name"], column["type"])
        for view in found
        for number, column in enumerate(view["columns"])
    ]
    table(columns, rows)


def _is_number(type: str) -> bool:
    from runhistory.sdk.sql_types import split_type

    return split_type(type)[0].startswith(("Int", "UInt", "Float", "Decimal"))


def _shown(value: Any) -> str:
    """A value in a table."""
    if isinstance(value, float):
        return words.number(value) if math.isfinite(value) else str(value)
    return _cell(value)


def _cell(value: Any) -> str:
    """A value in a line of text, in full."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case datetime():
            return value.isoformat(timespec="microseconds").replace("+00:00", "Z")
        case bytes():
            return value.hex()
        case dict() | list() | tuple():
            import json

            return json.dumps(_sayable(value), ensure_ascii=False)
        case _:
            return str(value)


def _sayable(value: Any) -> Any:
    """A value for JSON; NaN and the like, times, ids and bytes as text."""
    match value:
        case float() if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        case None | bool() | int() | float() | str():
            return value
        case dict():
            return {str(_sayable(key)): _sayable(one) for key, one in value.items()}
        case Sequence() if not isinstance(value, bytes):
            return [_sayable(one) for one in value]
        case _:
            return _cell(value)
