"""What is remembered of a run to decide about it, and how an event changes it (`evolve`).

State holds no more than decisions need: everything a reader wants to know (files, timeline,
texts) is a projection's business.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from runhistory.domain.events import (
    Event,
    ExperimentCreated,
    ParamsAdded,
    PropertiesAdded,
    RunClaimed,
    RunCreated,
    RunEvent,
    TagsSet,
)
from runhistory.domain.status import TERMINAL, RunStatus
from runhistory.domain.values import RunType

REMEMBERED_COMMANDS: Final = 1_000
"""So many of a run's latest commands get their old reply again when they are retried."""


class Applied(Struct, frozen=True):
    """What a command brought about: the run right after the command's last event."""

    version: int
    status: RunStatus | None
    attempt: int


class Aggregate(Struct, frozen=True, kw_only=True):
    """What runs and experiments have in common: a version, and the commands already applied."""

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
    attempt: int = 0
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


class Experiment(Aggregate, frozen=True, kw_only=True):
    """An experiment that was created by name."""

    name: str
    description: str = ""
    tags: dict[str, str] = {}


State = Run | Experiment


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
        case _:
            raise OutOfOrder(f"{event.TYPE} cannot be the first event of {event.run_id}")


def _change(state: State, event: Event) -> State:
    if not isinstance(state, Run) or not isinstance(event, RunEvent):
        raise OutOfOrder(f"{event.TYPE} does not belong to {type(state).__name__}")
    run = replace(state, status=event.status, attempt=event.attempt)
    match event:
        case RunClaimed():
            return replace(run, claim_id=event.claim_id, worker_id=event.worker_id)
        case TagsSet():
            return replace(run, tags={**run.tags, **event.tags})
        case PropertiesAdded():
            return replace(run, properties={**run.properties, **event.properties})
        case ParamsAdded():
            return replace(run, params={**run.params, **event.params})
        case _:
            return run
