"""What is remembered of a run to decide about it, and how an event changes it (`evolve`).

State holds no more than decisions need: everything a reader wants to know (files, timeline,
texts) is a projection's business.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from runhistory.domain.events import (
    ComputeTargetCreated,
    ComputeTargetDeleted,
    ComputeTargetEvent,
    ComputeTargetUpdated,
    Event,
    ExperimentArchived,
    ExperimentCreated,
    ExperimentDeleted,
    ExperimentDescribed,
    ExperimentEvent,
    ExperimentReactivated,
    ExperimentTagsRemoved,
    ExperimentTagsSet,
    ParamsAdded,
    PropertiesAdded,
    RunArchived,
    RunClaimed,
    RunCreated,
    RunDeleted,
    RunDescribed,
    RunEvent,
    RunNotResponding,
    RunReactivated,
    SnapshotTaken,
    TagsRemoved,
    TagsSet,
)
from runhistory.domain.status import TERMINAL, RunStatus
from runhistory.domain.values import NodePool, RunType

REMEMBERED_COMMANDS: Final = 1_000
"""So many of a run's latest commands get their old reply again when they are retried."""


class Applied(Struct, frozen=True):
    """What a command brought about: the run right after the command's last event."""

    version: int
    status: RunStatus | None
    attempt: int


class Aggregate(Struct, frozen=True, kw_only=True):
    """What all aggregates have in common: a version, and the commands already applied."""

    workspace: str
    run_id: str
    version: int
    applied: dict[str, Applied] = {}


class Run(Aggregate, frozen=True, kw_only=True):
    """A run as the lifecycle knows it."""

    type: RunType
    experiment_id: str
    content_sha256: str
    status: RunStatus = RunStatus.NOT_STARTED
    status_before_silence: RunStatus | None = None
    silent_since: datetime | None = None
    attempt: int = 0
    display_name: str = ""
    description: str = ""
    snapshot_id: str | None = None
    is_archived: bool = False
    is_deleted: bool = False
    compute_target: str | None = None
    claim_id: str | None = None
    worker_id: str | None = None
    tags: dict[str, str] = {}
    properties: dict[str, str] = {}
    params: dict[str, str] = {}

    @property
    def is_terminal(self) -> bool:
        """Whether the run is over for good."""
        return self.status in TERMINAL

    @property
    def known_status(self) -> RunStatus:
        """The status, or the last one known of a run that is not responding."""
        return self.status_before_silence or self.status


class Experiment(Aggregate, frozen=True, kw_only=True):
    """An experiment that something was said about by name."""

    name: str
    description: str = ""
    tags: dict[str, str] = {}
    is_archived: bool = False
    is_deleted: bool = False


class ComputeTarget(Aggregate, frozen=True, kw_only=True):
    """A compute target that was declared."""

    name: str
    pool: NodePool
    is_deleted: bool = False


State = Run | Experiment | ComputeTarget


class OutOfOrder(Exception):
    """An event does not continue its aggregate: the log was read with a hole or twice."""


def evolve(state: State | None, event: Event) -> State:
    """The state after `event`.

    Raises:
        OutOfOrder: the event's version is not the next one.
    """
    expected = 1 if state is None else state.version + 1
    if event.version != expected:
        raise OutOfOrder(f"{event.event_id} came where version {expected} was due")
    changed = _begin(event) if state is None else _change(state, event)
    status = event.status if isinstance(event, RunEvent) else None
    attempt = event.attempt if isinstance(event, RunEvent) else 0
    applied = dict(changed.applied)
    applied.pop(event.command_id, None)  # re-inserted at the end: the dict is ordered by age
    applied[event.command_id] = Applied(event.version, status, attempt)
    if len(applied) > REMEMBERED_COMMANDS:
        del applied[next(iter(applied))]
    return replace(changed, version=event.version, applied=applied)


def fold(events: Iterable[Event], state: State | None = None) -> State | None:
    """The state after all of `events`, one after the other."""
    for event in events:
        state = evolve(state, event)
    return state


def _begin(event: Event) -> State:
    match event:
        case RunCreated(content=content):
            return Run(
                workspace=event.workspace,
                run_id=event.run_id,
                version=0,
                type=content.type,
                experiment_id=event.experiment_id,
                content_sha256=event.content_sha256,
                display_name=event.display_name,
                description=content.description,
                snapshot_id=content.spec.snapshot_id if content.spec else None,
                compute_target=content.spec.compute_target if content.spec else None,
                tags=content.tags,
                properties=content.properties,
                params=content.params,
            )
        case ExperimentCreated():
            return Experiment(
                workspace=event.workspace,
                run_id=event.run_id,
                version=0,
                name=event.name,
                description=event.description,
                tags=event.tags,
            )
        case ComputeTargetCreated():
            return ComputeTarget(
                workspace=event.workspace,
                run_id=event.run_id,
                version=0,
                name=event.name,
                pool=event.pool,
            )
        case _:
            raise OutOfOrder(f"{event.TYPE} cannot be the first event of {event.run_id}")


def _change(state: State, event: Event) -> State:
    match state, event:
        case Run(), RunEvent():
            return _change_run(state, event)
        case Experiment(), ExperimentEvent():
            return _change_experiment(state, event)
        case ComputeTarget(), ComputeTargetEvent():
            return _change_compute_target(state, event)
        case _:
            raise OutOfOrder(f"{event.TYPE} does not belong to {type(state).__name__}")


def _change_run(run: Run, event: RunEvent) -> Run:
    silent = event.status is RunStatus.NOT_RESPONDING
    before = run.known_status if silent else None
    run = replace(run, status=event.status, attempt=event.attempt, status_before_silence=before)
    match event:
        case RunNotResponding():
            return replace(run, silent_since=event.last_seen)
        case RunClaimed():
            return replace(run, claim_id=event.claim_id, worker_id=event.worker_id)
        case SnapshotTaken():
            return replace(run, snapshot_id=event.snapshot_id)
        case TagsSet():
            return replace(run, tags={**run.tags, **event.tags})
        case TagsRemoved():
            return replace(run, tags=_without(run.tags, event.names))
        case PropertiesAdded():
            return replace(run, properties={**run.properties, **event.properties})
        case ParamsAdded():
            return replace(run, params={**run.params, **event.params})
        case RunDescribed():
            return replace(
                run,
                display_name=event.display_name or run.display_name,
                description=run.description if event.description is None else event.description,
            )
        case RunArchived() | RunReactivated():
            return replace(run, is_archived=isinstance(event, RunArchived))
        case RunDeleted():
            return replace(run, is_deleted=True)
        case _:
            return run


def _change_experiment(experiment: Experiment, event: ExperimentEvent) -> Experiment:
    match event:
        case ExperimentCreated():  # anew, after it was deleted
            return replace(
                experiment,
                description=event.description,
                tags=event.tags,
                is_archived=False,
                is_deleted=False,
            )
        case ExperimentTagsSet():
            return replace(experiment, tags={**experiment.tags, **event.tags})
        case ExperimentTagsRemoved():
            return replace(experiment, tags=_without(experiment.tags, event.names))
        case ExperimentDescribed():
            return replace(experiment, description=event.description)
        case ExperimentArchived() | ExperimentReactivated():
            return replace(experiment, is_archived=isinstance(event, ExperimentArchived))
        case ExperimentDeleted():
            return replace(experiment, is_deleted=True)
        case _:
            raise OutOfOrder(f"{event.TYPE} is no event of an experiment")


def _change_compute_target(target: ComputeTarget, event: ComputeTargetEvent) -> ComputeTarget:
    match event:
        case ComputeTargetCreated() | ComputeTargetUpdated():
            return replace(target, pool=event.pool, is_deleted=False)
        case ComputeTargetDeleted():
            return replace(target, is_deleted=True)
        case _:
            raise OutOfOrder(f"{event.TYPE} is no event of a compute target")


def _without(pairs: dict[str, str], names: Iterable[str]) -> dict[str, str]:
    gone = set(names)
    return {name: value for name, value in pairs.items() if name not in gone}
