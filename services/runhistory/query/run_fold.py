"""A run's details as its events tell them. Pure.

What holds for every event (status, attempt, version, time) is taken from its columns, so an
event of a type or content that a newer version wrote still counts.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct

from runhistory.domain.events import (
    EnvironmentRecorded,
    Event,
    ParamsAdded,
    PropertiesAdded,
    RunArchived,
    RunCanceled,
    RunCancelRequested,
    RunClaimed,
    RunCompleted,
    RunCreated,
    RunDescribed,
    RunExited,
    RunFailed,
    RunProvisioning,
    RunReactivated,
    RunStarted,
    RunWarned,
    SnapshotTaken,
    TagsRemoved,
    TagsSet,
)
from runhistory.domain.values import ResolvedEnvironment, RunError, ScriptSpec
from runhistory.events.cloudevents import MalformedRecord
from runhistory.events.codec import decode_event_data
from runhistory.query.runs import RunSummary, ShownStatus


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
    """All that is known of a run.

    `exit_code`, `signal` and `error` are the current attempt's; `environment` is the one that was
    recorded last.
    """

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


Facts = dict[str, Any]
"""Fields of RunDetails."""

_UNTOLD: Final[Facts] = {
    "started": None,
    "ended": None,
    "archived": False,
    "warnings": [],
    "worker_id": None,
    "node": "",
    "gpus": [],
    "exit_code": None,
    "signal": None,
    "error": None,
    "cancel_reason": "",
    "environment": None,
}


class ToldEvent(Struct, frozen=True):
    """An event as the projection keeps it; `data` is its JSON, or empty where nothing is told."""

    version: int
    type: str
    time: datetime
    status: str
    attempt: int
    data: str


def details_of(run_id: str, events: Sequence[ToldEvent]) -> RunDetails | None:
    """All that a run's events tell, in the order of their versions; None: it is no run."""
    if events[0].type != RunCreated.TYPE:
        return None
    facts: Facts = {**_UNTOLD, "run_id": run_id}
    for event in events:
        decoded = _decode(event)
        if decoded is not None:
            facts |= _told_by(decoded, facts, event)
    last = events[-1]
    facts |= {name: dict(sorted(facts[name].items())) for name in ("tags", "properties", "params")}
    return RunDetails(
        **facts,
        status=last.status,
        attempt=last.attempt,
        version=last.version,
        updated=last.time,
        timeline=_timeline(events),
    )


def _decode(event: ToldEvent) -> Event | None:
    try:
        return decode_event_data(event.type, event.data) if event.data else None
    except MalformedRecord:
        return None


def _timeline(events: Sequence[ToldEvent]) -> list[StatusChange]:
    """The events that brought another status."""
    before = ["", *(event.status for event in events)]
    return [
        StatusChange(event.status, event.time)
        for event, earlier in zip(events, before, strict=False)
        if event.status != earlier
    ]


def _told_by(event: Event, facts: Facts, at: ToldEvent) -> Facts:
    """The facts that the event changes."""
    match event:
        case RunCreated():
            return _created(event, at.time)
        case RunDescribed():
            said = {"display_name": event.display_name, "description": event.description}
            return {name: text for name, text in said.items() if text is not None}
        case RunProvisioning():
            return {"worker_id": None, "node": event.node, "gpus": []}
        case RunClaimed():  # a new attempt: what the one before it came to is over
            return {
                "worker_id": event.worker_id,
                "node": event.node,
                "gpus": list(event.gpus),
                **dict.fromkeys(("started", "exit_code", "signal", "error")),
            }
        case RunStarted():
            return {"started": at.time}
        case RunExited():
            return {"exit_code": event.exit_code, "signal": event.signal}
        case RunCompleted() | RunCanceled():
            return {"ended": at.time}
        case RunFailed():
            return {"ended": at.time, "error": event.error}
        case RunCancelRequested():
            return {"cancel_reason": event.reason}
        case RunWarned():
            warning = RunWarning(at.time, event.code, event.message, at.attempt)
            return {"warnings": [*facts["warnings"], warning]}
        case RunArchived() | RunReactivated():
            return {"archived": isinstance(event, RunArchived)}
        case EnvironmentRecorded():
            return {"environment": event.environment}
        case SnapshotTaken():
            return {"snapshot_id": event.snapshot_id}
        case _:
            return _told_in_pairs(event, facts)


def _created(event: RunCreated, time: datetime) -> Facts:
    content, spec = event.content, event.content.spec
    return {
        "display_name": event.display_name,
        "experiment": content.experiment,
        "experiment_id": event.experiment_id,
        "type": content.type,
        "created": time,
        "description": content.description,
        "created_by": content.created_by,
        "parent_run_id": content.parent_run_id,
        "reproduces": content.reproduces,
        "spec": spec,
        "compute_target": spec.compute_target if spec else None,
        "snapshot_id": spec.snapshot_id if spec else None,
        "tags": content.tags,
        "properties": content.properties,
        "params": content.params,
    }


def _told_in_pairs(event: Event, facts: Facts) -> Facts:
    match event:
        case TagsSet():
            return {"tags": {**facts["tags"], **event.tags}}
        case TagsRemoved():
            gone = set(event.names)
            return {"tags": {n: value for n, value in facts["tags"].items() if n not in gone}}
        case PropertiesAdded():
            return {"properties": {**facts["properties"], **event.properties}}
        case ParamsAdded():
            return {"params": {**facts["params"], **event.params}}
        case _:
            return {}
