"""Runs: a page of them, newest first."""

import base64
import binascii
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from clickhouse_connect.driver.client import Client
from msgspec import Meta, Struct

from runhistory.domain.ids import is_run_id
from runhistory.domain.status import RunStatus
from runhistory.query.rows import Row, read
from runhistory.query.run_filter import RunFilter
from runhistory.query.tags import load_tags

MAX_PAGE: Final = 1_000


class InvalidCursor(Exception):
    """A cursor that no page gave out."""


ShownStatus = Annotated[
    str,
    Meta(
        description="a run's status; a newer version may have others than these",
        extra_json_schema={"examples": [str(status) for status in RunStatus]},
    ),
]


class RunSummary(Struct, frozen=True, kw_only=True):
    """A run in a list. Times are UTC; None: not yet."""

    run_id: str
    display_name: str
    experiment: str
    experiment_id: str
    type: Literal["script", "interactive"]
    status: ShownStatus
    attempt: int
    version: int
    created: datetime
    started: datetime | None
    ended: datetime | None
    updated: datetime
    description: str
    created_by: str
    parent_run_id: str | None
    reproduces: str | None
    archived: bool
    compute_target: str | None
    tags: dict[str, str]


class RunPage(Struct, frozen=True):
    """Some runs, newest first; `next_cursor` is None behind the last one."""

    runs: list[RunSummary]
    next_cursor: str | None


SUMMARY_COLUMNS: Final = (
    "run_id, display_name, experiment, experiment_id, type, status, attempt, version, created, "
    "started, ended, updated, description, created_by, parent_run_id, reproduces, archived, "
    "compute_target"
)
_BEHIND_CURSOR: Final = (
    "(toUnixTimestamp64Micro(created), run_uuid) "
    "< ({created:Int64}, toFixedString(unhex({run_id:String}), 16))"
)


def list_runs(
    client: Client,
    *,
    workspace: str,
    asked: RunFilter | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> RunPage:
    """A page of at most `limit` runs, newest first; a cursor begins behind the page it came with.

    Runs that are created meanwhile never move a page: the cursor names a run, not a number.

    Raises:
        InvalidCursor: `cursor` is none.
        EngineUnavailable
    """
    limit, asked = max(1, min(limit, MAX_PAGE)), asked or RunFilter()
    created, run_id = _parse_cursor(cursor) if cursor is not None else (0, "")
    conditions = asked.conditions() + ([_BEHIND_CURSOR] if cursor is not None else [])
    # First which runs, by as few columns as that takes; then all about those few.
    found = read(
        client,
        f"""
        SELECT {SUMMARY_COLUMNS} FROM runhistory.runs
        WHERE workspace = {{workspace:String}} AND run_uuid IN (
            SELECT run_uuid FROM runhistory.runs
            WHERE {" AND ".join(["workspace = {workspace:String}", *conditions])}
            ORDER BY created DESC, run_uuid DESC LIMIT {{limit:UInt32}}
        )
        ORDER BY created DESC, run_uuid DESC
        """,  # noqa: S608 - this module's words
        workspace=workspace,
        created=created,
        run_id=run_id,
        limit=limit + 1,
        **asked.parameters(),
    )
    page = found[:limit]
    tags = load_tags(client, workspace, [str(row[0]) for row in page])
    runs = [RunSummary(**summary_fields(row), tags=tags[row[0]]) for row in page]
    more = len(found) > limit
    return RunPage(runs, _cursor(runs[-1].created, runs[-1].run_id) if more else None)


def summary_fields(row: Row) -> dict[str, Any]:
    """The fields of a RunSummary, but its tags, from a row that begins with SUMMARY_COLUMNS."""
    fields = dict(zip(SUMMARY_COLUMNS.split(", "), row, strict=False))
    return {**fields, "archived": bool(fields["archived"])}  # ClickHouse has 0 and 1


def _cursor(created: datetime, run_id: str) -> str:
    microseconds = int(created.timestamp()) * 1_000_000 + created.microsecond
    return base64.urlsafe_b64encode(f"{microseconds} {run_id}".encode()).decode()


def _parse_cursor(cursor: str) -> tuple[int, str]:
    try:
        created, run_id = base64.urlsafe_b64decode(cursor).decode().split(" ")
        if not (is_run_id(run_id) and -(2**63) <= int(created) < 2**63):
            raise ValueError(cursor)
        return int(created), run_id
    except (ValueError, binascii.Error) as error:
        raise InvalidCursor(f"{cursor!r} is no cursor. Use a page's next_cursor.") from error
