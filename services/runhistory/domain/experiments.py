"""The rules for experiments.

One that only its runs know of is created by the first word about it.
"""

from collections.abc import Callable
from typing import Any, Final

from runhistory.domain.commands import (
    ArchiveExperiment,
    Command,
    CreateExperiment,
    DeleteExperiment,
    DescribeExperiment,
    ReactivateExperiment,
    RemoveExperimentTags,
    SetExperimentTags,
)
from runhistory.domain.decision import Accepted, Context, Decision, Refused, Unchanged
from runhistory.domain.events import (
    ExperimentArchived,
    ExperimentCreated,
    ExperimentDeleted,
    ExperimentDescribed,
    ExperimentEvent,
    ExperimentReactivated,
    ExperimentTagsRemoved,
    ExperimentTagsSet,
)
from runhistory.domain.ids import experiment_id
from runhistory.domain.state import Experiment, State

Change = tuple[type[ExperimentEvent], dict[str, Any]]
"""An event to be made, and its own fields."""


def decide_experiment(state: State | None, command: Command, context: Context) -> Decision:
    """Decide about a command to an experiment."""
    name = getattr(command, "name", "")
    if command.run_id != experiment_id(command.workspace, name):
        return Refused(
            "wrong_experiment_id",
            "An experiment's id is UUIDv5 of its workspace and name; leave it to the server.",
        )
    if state is not None and not isinstance(state, Experiment):
        return Refused("id_taken", "Something that is no experiment has this experiment's id.")
    known = state if state is not None and not state.is_deleted else None
    if isinstance(command, DeleteExperiment) and state is not None and known is None:
        return Unchanged()
    changes = RULES[type(command)](known, command)
    if not changes:
        return Unchanged()
    if known is None and changes[0][0] is not ExperimentCreated:
        changes = [(ExperimentCreated, {}), *changes]
    version = state.version if state is not None else 0
    events = [
        event(
            workspace=command.workspace,
            run_id=command.run_id,
            version=version + number,
            command_id=command.command_id,
            time=context.now,
            name=name,
            **fields,
        )
        for number, (event, fields) in enumerate(changes, start=1)
    ]
    return Accepted(tuple(events))


def create(known: Experiment | None, command: CreateExperiment) -> list[Change]:
    """An experiment exists once; creating it again changes nothing."""
    if known is not None:
        return []
    return [(ExperimentCreated, {"description": command.description, "tags": command.tags})]


def set_tags(known: Experiment | None, command: SetExperimentTags) -> list[Change]:
    old = known.tags if known else {}
    tags = {name: value for name, value in command.tags.items() if old.get(name) != value}
    return [(ExperimentTagsSet, {"tags": tags})] if tags else []


def remove_tags(known: Experiment | None, command: RemoveExperimentTags) -> list[Change]:
    old = known.tags if known else {}
    names = tuple(name for name in dict.fromkeys(command.names) if name in old)
    return [(ExperimentTagsRemoved, {"names": names})] if names else []


def describe(known: Experiment | None, command: DescribeExperiment) -> list[Change]:
    if command.description == (known.description if known else ""):
        return []
    return [(ExperimentDescribed, {"description": command.description})]


def archive(known: Experiment | None, command: ArchiveExperiment) -> list[Change]:
    return [] if known and known.is_archived else [(ExperimentArchived, {})]


def reactivate(known: Experiment | None, command: ReactivateExperiment) -> list[Change]:
    return [(ExperimentReactivated, {})] if known and known.is_archived else []


def delete(known: Experiment | None, command: DeleteExperiment) -> list[Change]:
    return [(ExperimentDeleted, {})]


RULES: Final[dict[type[Command], Callable[..., list[Change]]]] = {
    CreateExperiment: create,
    SetExperimentTags: set_tags,
    RemoveExperimentTags: remove_tags,
    DescribeExperiment: describe,
    ArchiveExperiment: archive,
    ReactivateExperiment: reactivate,
    DeleteExperiment: delete,
}
"""What each command changes; `known` is None for one that was never spoken of, or is deleted."""
