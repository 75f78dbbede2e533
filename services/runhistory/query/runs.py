"""Runs: a page of them newest first, one with all that is known of it, what a reference means."""

import base64
import binascii
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec
import msgspec.inspect
from clickhouse_connect.driver.client import Client
from msgspec import Meta, Struct

from runhistory.domain.status import RunStatus
from runhistory.domain.values import RunError, ScriptSpec
from runhistory.events import tolerance
from runhistory.query.deleted_runs import refuse_deleted
from runhistory.query.rows import Row, read

MAX_PAGE: Final = 1_000
MAX_CANDIDATES: Final = 10
MIN_PREFIX: Final = 4
LATEST: Final = "@latest"

_SPEC_TYPE: Final = msgspec.inspect.type_info(ScriptSpec)
_HEX: Final = re.compile(rf"[0-9a-f]{{{MIN_PREFIX},32}}")


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
    compute_target: str | None
    tags: dict[str, str]


class StatusChange(Struct, frozen=True):
    """The run took this status at that time."""

    status: ShownStatus
    time: datetime


class RunDetails(RunSummary, frozen=True, kw_only=True):
    """All that is known of a run. `exit_code`, `signal` and `error` are the current attempt's."""

    timeline: list[StatusChange]
    properties: dict[str, str]
    params: dict[str, str]
    spec: ScriptSpec | None
    snapshot_id: str | None
    worker_id: str | None
    node: str
    gpus: list[str]
    exit_code: int | None
    signal: str | None
    error: RunError | None
    cancel_reason: str


class RunPage(Struct, frozen=True):
    """Some runs, newest first; `next_cursor` is None behind the last one."""

    runs: list[RunSummary]
    next_cursor: str | None


class RunCandidate(Struct, frozen=True):
    """A run that a reference may mean."""

    run_id: str
    display_name: str
    experiment: str
    status: ShownStatus
    created: datetime


_SUMMARY: Final = (
    "run_id, display_name, experiment, experiment_id, type, status, attempt, version, created, "
    "started, ended, updated, description, created_by, parent_run_id, compute_target"
)
_DETAILS: Final = (
    "spec, snapshot_id, worker_id, node, gpus, exit_code, signal, error_code, error_message, "
    "error_details, cancel_reason"
)


_BEHIND_CURSOR: Final = (
    "(toUnixTimestamp64Micro(created), run_uuid) "
    "< ({created:Int64}, toFixedString(unhex({run_id:String}), 16))"
)
_WITH_TAGS: Final = """run_uuid IN (
    SELECT run_uuid FROM runhistory.tags
    WHERE workspace = {workspace:String} AND (name, value) IN (
        SELECT arrayJoin(arrayZip({tag_names:Array(String)}, {tag_values:Array(String)})))
    GROUP BY run_uuid HAVING count() = length({tag_names:Array(String)}))
"""


def list_runs(
    client: Client,
    *,
    workspace: str,
    experiment: str | None = None,
    statuses: Sequence[RunStatus] = (),
    type: str | None = None,
    tags: Mapping[str, str] | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> RunPage:
    """A page of at most `limit` runs, newest first; a cursor begins behind the page it came with.

    Runs that are created meanwhile never move a page: the cursor names a run, not a number.

    Raises:
        InvalidCursor: `cursor` is none.
        EngineUnavailable
    """
    limit = max(1, min(limit, MAX_PAGE))
    tags = tags or {}
    created, run_id = _parse_cursor(cursor) if cursor is not None else (0, "")
    asked = {
        "experiment = {experiment:String}": experiment is not None,
        "has({statuses:Array(String)}, status)": bool(statuses),
        "type = {type:String}": type is not None,
        _BEHIND_CURSOR: cursor is not None,
        _WITH_TAGS: bool(tags),
    }
    conditions = [condition for condition, is_asked in asked.items() if is_asked]
    # First which runs, by as few columns as that takes; then all about those few.
    found = read(
        client,
        f"""
        SELECT {_SUMMARY} FROM runhistory.runs
        WHERE workspace = {{workspace:String}} AND run_uuid IN (
            SELECT run_uuid FROM runhistory.runs
            WHERE {" AND ".join(["workspace = {workspace:String}", *conditions])}
            ORDER BY created DESC, run_uuid DESC LIMIT {{limit:UInt32}}
        )
        ORDER BY created DESC, run_uuid DESC
        """,  # noqa: S608 - this module's words
        workspace=workspace,
        experiment=experiment or "",
        statuses=[str(status) for status in statuses],
        type=type or "",
        created=created,
        run_id=run_id,
        tag_names=list(tags),
        tag_values=list(tags.values()),
        limit=limit + 1,
    )
    page = found[:limit]
    pairs = _pairs(client, "tags", workspace, [str(row[0]) for row in page])
    runs = [RunSummary(**_summary_fields(row), tags=pairs[row[0]]) for row in page]
    more = len(found) > limit
    return RunPage(runs, _cursor(runs[-1].created, runs[-1].run_id) if more else None)


def get_run(client: Client, *, workspace: str, run_id: str) -> RunDetails | None:
    """All that is known of a run; None: there is no such run (or it is not visible yet).

    Raises:
        RunDeleted
        EngineUnavailable
    """
    found = read(
        client,
        f"SELECT {_SUMMARY}, {_DETAILS} FROM runhistory.runs "  # noqa: S608
        "WHERE workspace = {workspace:String} AND run_uuid = unhex({run_id:String})",
        workspace=workspace,
        run_id=run_id,
    )
    if not found:
        refuse_deleted(client, workspace=workspace, run_id=run_id)
        return None
    row = found[0]
    spec, snapshot_id, worker_id, node, gpus, exit_code, signal, *failed, cancel_reason = row[16:]
    code, message, details = failed
    return RunDetails(
        **_summary_fields(row),
        tags=_pairs(client, "tags", workspace, [run_id])[run_id],
        properties=_pairs(client, "properties", workspace, [run_id])[run_id],
        params=_pairs(client, "params", workspace, [run_id])[run_id],
        timeline=_timeline(client, workspace, run_id),
        spec=_spec(spec) if spec else None,
        snapshot_id=snapshot_id,
        worker_id=worker_id,
        node=node,
        gpus=list(gpus),
        exit_code=exit_code,
        signal=signal,
        error=RunError(code, message, details) if code else None,
        cancel_reason=cancel_reason,
    )


def latest_attempt(client: Client, *, workspace: str, run_id: str) -> int | None:
    """The run's newest attempt, 0 before the first; None: there is no such run.

    Raises:
        RunDeleted
        EngineUnavailable
    """
    found = read(
        client,
        "SELECT attempt FROM runhistory.runs "
        "WHERE workspace = {workspace:String} AND run_uuid = unhex({run_id:String})",
        workspace=workspace,
        run_id=run_id,
    )
    if not found:
        refuse_deleted(client, workspace=workspace, run_id=run_id)
        return None
    return int(found[0][0])


def resolve_run(
    client: Client, *, workspace: str, ref: str, experiment: str | None = None
) -> list[RunCandidate]:
    """The runs that `ref` may mean, newest first: none, the one, or the first few of several.

    `@latest` is the newest; then an id, a display name, and a prefix of an id with at least
    four digits, in this order: a name that looks like a prefix is the name. `experiment`
    narrows all but a whole id.

    Raises:
        EngineUnavailable
    """
    if ref == LATEST:
        return _candidates(client, workspace, experiment, "1", "", limit=1)
    is_hex = _HEX.fullmatch(ref) is not None
    if is_hex and len(ref) == 32:
        return _candidates(client, workspace, None, "run_uuid = unhex({ref:String})", ref)
    named = _candidates(client, workspace, experiment, "display_name = {ref:String}", ref)
    if named or not is_hex:
        return named
    # A range of the primary key: from ref000… to refFFF….
    within = (
        "run_uuid BETWEEN toFixedString(unhex(rightPad({ref:String}, 32, '0')), 16) "
        "AND toFixedString(unhex(rightPad({ref:String}, 32, 'f')), 16)"
    )
    return _candidates(client, workspace, experiment, within, ref)


def _candidates(
    client: Client,
    workspace: str,
    experiment: str | None,
    condition: str,
    ref: str,
    limit: int = MAX_CANDIDATES,
) -> list[RunCandidate]:
    found = read(
        client,
        "SELECT run_id, display_name, experiment, status, created FROM runhistory.runs "  # noqa: S608
        "WHERE workspace = {workspace:String} "
        "AND ({experiment:String} = '' OR experiment = {experiment:String}) "
        f"AND {condition} ORDER BY created DESC, run_uuid DESC LIMIT {{limit:UInt32}}",
        workspace=workspace,
        experiment=experiment or "",
        ref=ref,
        limit=limit,
    )
    return [
        RunCandidate(run_id, name, experiment, status, created)
        for run_id, name, experiment, status, created in found
    ]


def _summary_fields(row: Row) -> dict[str, Any]:
    return dict(zip(_SUMMARY.split(", "), row, strict=False))


def _spec(text: str) -> ScriptSpec:
    """The spec, without what a newer writer added to it."""
    known = tolerance.prune(msgspec.json.decode(text), _SPEC_TYPE)
    return msgspec.convert(known, ScriptSpec)


def _pairs(
    client: Client,
    view: Literal["tags", "properties", "params"],
    workspace: str,
    run_ids: Iterable[str],
) -> dict[str, dict[str, str]]:
    """{run id: {name: value}} of each of the runs, sorted by name."""
    pairs: dict[str, dict[str, str]] = defaultdict(dict)
    found = read(
        client,
        f"SELECT run_id, name, value FROM runhistory.{view} "  # noqa: S608
        "WHERE workspace = {workspace:String} "
        "AND run_uuid IN (SELECT unhex(arrayJoin({run_ids:Array(String)}))) "
        "ORDER BY run_id, name",
        workspace=workspace,
        run_ids=list(run_ids),
    )
    for run_id, name, value in found:
        pairs[run_id][name] = value
    return pairs


def _timeline(client: Client, workspace: str, run_id: str) -> list[StatusChange]:
    found = read(
        client,
        "SELECT status, since FROM runhistory.run_statuses "
        "WHERE workspace = {workspace:String} AND run_uuid = unhex({run_id:String}) "
        "ORDER BY version",
        workspace=workspace,
        run_id=run_id,
    )
    return [StatusChange(status, since) for status, since in found]


def _cursor(created: datetime, run_id: str) -> str:
    microseconds = int(created.timestamp()) * 1_000_000 + created.microsecond
    return base64.urlsafe_b64encode(f"{microseconds} {run_id}".encode()).decode()


def _parse_cursor(cursor: str) -> tuple[int, str]:
    try:
        created, run_id = base64.urlsafe_b64decode(cursor).decode().split(" ")
        if not (_HEX.fullmatch(run_id) and len(run_id) == 32 and -(2**63) <= int(created) < 2**63):
            raise ValueError(cursor)
        return int(created), run_id
    except (ValueError, binascii.Error) as error:
        raise InvalidCursor(f"{cursor!r} is no cursor. Use a page's next_cursor.") from error
