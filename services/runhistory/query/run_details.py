"""One run, with all that is known of it."""

from datetime import datetime
from typing import Final

import msgspec
import msgspec.inspect
from clickhouse_connect.driver.client import Client
from msgspec import Struct

from runhistory.domain.values import ResolvedEnvironment, RunError, ScriptSpec
from runhistory.events import tolerance
from runhistory.query.deleted_runs import refuse_deleted
from runhistory.query.pairs import load_pairs
from runhistory.query.rows import read
from runhistory.query.runs import SUMMARY_COLUMNS, RunSummary, ShownStatus, summary_fields

_SPEC_TYPE: Final = msgspec.inspect.type_info(ScriptSpec)
_ENVIRONMENT_TYPE: Final = msgspec.inspect.type_info(ResolvedEnvironment)


class StatusChange(Struct, frozen=True):
    """The run took this status at that time."""

    status: ShownStatus
    time: datetime


class RunWarning(Struct, frozen=True):
    """Something about the attempt deserves attention; `code` is for programs (GpuIdle, …)."""

    time: datetime
    code: str
    message: str
    attempt: int


class RunDetails(RunSummary, frozen=True, kw_only=True):
    """All that is known of a run. `children` counts its own, not theirs.

    `exit_code`, `signal` and `error` are the current attempt's; `environment` is the one that was
    recorded last.
    """

    children: int
    timeline: list[StatusChange]
    warnings: list[RunWarning]
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
    environment: ResolvedEnvironment | None


_DETAILS: Final = (
    "spec, snapshot_id, worker_id, node, gpus, exit_code, signal, error_code, error_message, "
    "error_details, cancel_reason, environment"
)


def get_run(client: Client, *, workspace: str, run_id: str) -> RunDetails | None:
    """All that is known of a run; None: there is no such run (or it is not visible yet).

    Raises:
        RunDeleted
        EngineUnavailable
    """
    found = read(
        client,
        f"SELECT {SUMMARY_COLUMNS}, {_DETAILS} FROM runhistory.runs "  # noqa: S608
        "WHERE workspace = {workspace:String} AND run_uuid = unhex({run_id:String})",
        workspace=workspace,
        run_id=run_id,
    )
    if not found:
        refuse_deleted(client, workspace=workspace, run_id=run_id)
        return None
    row = found[0]
    rest = row[len(SUMMARY_COLUMNS.split(", ")) :]
    spec, snapshot_id, worker_id, node, gpus, exit_code, signal, *failed = rest
    code, message, details, cancel_reason, environment = failed
    return RunDetails(
        **summary_fields(row),
        tags=load_pairs(client, "tags", workspace, [run_id])[run_id],
        properties=load_pairs(client, "properties", workspace, [run_id])[run_id],
        params=load_pairs(client, "params", workspace, [run_id])[run_id],
        children=_count_children(client, workspace, run_id),
        timeline=_timeline(client, workspace, run_id),
        warnings=_warnings(client, workspace, run_id),
        spec=_spec(spec) if spec else None,
        snapshot_id=snapshot_id,
        worker_id=worker_id,
        node=node,
        gpus=list(gpus),
        exit_code=exit_code,
        signal=signal,
        error=RunError(code, message, details) if code else None,
        cancel_reason=cancel_reason,
        environment=_environment(environment) if environment else None,
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


def _spec(text: str) -> ScriptSpec:
    """The spec, without what a newer writer added to it."""
    known = tolerance.prune(msgspec.json.decode(text), _SPEC_TYPE)
    return msgspec.convert(known, ScriptSpec)


def _environment(text: str) -> ResolvedEnvironment:
    """What it ran in, without what a newer writer added to it."""
    known = tolerance.prune(msgspec.json.decode(text), _ENVIRONMENT_TYPE)
    return msgspec.convert(known, ResolvedEnvironment)


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


def _warnings(client: Client, workspace: str, run_id: str) -> list[RunWarning]:
    found = read(
        client,
        "SELECT time, code, message, attempt FROM runhistory.warnings "
        "WHERE workspace = {workspace:String} AND run_uuid = unhex({run_id:String}) "
        "ORDER BY version",
        workspace=workspace,
        run_id=run_id,
    )
    return [RunWarning(*row) for row in found]


def _count_children(client: Client, workspace: str, run_id: str) -> int:
    found = read(
        client,
        "SELECT count() FROM runhistory.runs "
        "WHERE workspace = {workspace:String} AND parent_run_id = {run_id:String}",
        workspace=workspace,
        run_id=run_id,
    )
    return int(found[0][0])
