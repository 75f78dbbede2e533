"""Commands as they come over HTTP: what a user may ask of a run or an experiment.

A wish becomes the domain's command of the same fields: `WISHES` names it for each.
"""

from typing import Annotated, Final

from msgspec import Meta, Struct
from msgspec.structs import asdict

from runhistory.domain import commands
from runhistory.domain.commands import Command, Instant
from runhistory.domain.ids import experiment_id, new_command_id
from runhistory.domain.values import (
    Attempt,
    CommandId,
    Name,
    Names,
    Pairs,
    ResolvedEnvironment,
    RunError,
    Sha256,
    Text,
)

WishId = Annotated[
    CommandId | None,
    Meta(description="made once by the client and kept over retries; left out, one is made here"),
]


WishedAt = Annotated[
    Instant | None,
    Meta(
        description="when it was wished, of what was recorded without a gateway; counts for "
        "interactive runs alone"
    ),
]


class Wish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """A command to a run over HTTP: `type`, and the command's own fields."""

    command_id: WishId = None
    at: WishedAt = None


class Start(Wish, frozen=True, kw_only=True, tag="start"):
    """Begin an interactive run (or, with its claim, a script run)."""

    claim_id: CommandId | None = None


class Complete(Wish, frozen=True, kw_only=True, tag="complete"):
    """The run did what it was for."""

    claim_id: CommandId | None = None


class Fail(Wish, frozen=True, kw_only=True, tag="fail"):
    """The run could not do what it was for."""

    error: RunError
    claim_id: CommandId | None = None


class Cancel(Wish, frozen=True, kw_only=True, tag="cancel"):
    """Stop the run."""

    reason: Text = ""


class Pause(Wish, frozen=True, kw_only=True, tag="pause"):
    """Suspend a running run, with its place kept."""


class Resume(Wish, frozen=True, kw_only=True, tag="resume"):
    """Let a paused run go on."""


class Warn(Wish, frozen=True, kw_only=True, tag="warn"):
    """Say that something about the run deserves attention; `code` is for programs."""

    code: Name
    message: Text
    attempt: Attempt = 0


class SetTags(Wish, frozen=True, kw_only=True, tag="set_tags"):
    """Set tags; the same name again takes the new value."""

    tags: Pairs


class RemoveTags(Wish, frozen=True, kw_only=True, tag="remove_tags"):
    """Remove tags; names that are not set are passed over."""

    names: Names


class AddProperties(Wish, frozen=True, kw_only=True, tag="add_properties"):
    """Add properties, which are written once."""

    properties: Pairs


class AddParams(Wish, frozen=True, kw_only=True, tag="add_params"):
    """Add params, which are written once."""

    params: Pairs


class Describe(Wish, frozen=True, kw_only=True, tag="describe"):
    """Give another display name or description; what is left out stays."""

    display_name: Name | None = None
    description: Text | None = None


class Archive(Wish, frozen=True, kw_only=True, tag="archive"):
    """Put the run out of sight: lists leave it out unless they are asked for it."""


class Reactivate(Wish, frozen=True, kw_only=True, tag="reactivate"):
    """Bring an archived run back into sight."""


class Delete(Wish, frozen=True, kw_only=True, tag="delete"):
    """Delete a run that is over or never began: its rows and files go, its id stays taken."""


class TakeSnapshot(Wish, frozen=True, kw_only=True, tag="take_snapshot"):
    """Keep the run's code, whose manifest and blobs are here already. A run has one snapshot."""

    snapshot_id: Sha256


class RecordEnvironment(Wish, frozen=True, kw_only=True, tag="record_environment"):
    """Tell what an interactive run really runs in; its list of packages is a blob here already."""

    environment: ResolvedEnvironment
    claim_id: CommandId | None = None


RunCommand = (
    Start
    | Complete
    | Fail
    | Cancel
    | Pause
    | Resume
    | Warn
    | SetTags
    | RemoveTags
    | AddProperties
    | AddParams
    | Describe
    | Archive
    | Reactivate
    | Delete
    | TakeSnapshot
    | RecordEnvironment
)


class ExperimentWish(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"
):
    """A command to an experiment over HTTP: its `name`, `type`, and the command's own fields."""

    name: Name
    command_id: WishId = None


class SetExperimentTags(ExperimentWish, frozen=True, kw_only=True, tag="set_tags"):
    """Set tags; the same name again takes the new value."""

    tags: Pairs


class RemoveExperimentTags(ExperimentWish, frozen=True, kw_only=True, tag="remove_tags"):
    """Remove tags; names that are not set are passed over."""

    names: Names


class DescribeExperiment(ExperimentWish, frozen=True, kw_only=True, tag="describe"):
    """Give the experiment another description."""

    description: Text


class ArchiveExperiment(ExperimentWish, frozen=True, kw_only=True, tag="archive"):
    """Put the experiment out of sight; its runs stay as they are."""


class ReactivateExperiment(ExperimentWish, frozen=True, kw_only=True, tag="reactivate"):
    """Bring an archived experiment back into sight."""


class DeleteExperiment(ExperimentWish, frozen=True, kw_only=True, tag="delete"):
    """Delete an experiment that has no runs left. A run may create it anew."""


ExperimentCommand = (
    SetExperimentTags
    | RemoveExperimentTags
    | DescribeExperiment
    | ArchiveExperiment
    | ReactivateExperiment
    | DeleteExperiment
)

WISHES: Final[dict[type[Struct], type[Command]]] = {
    Start: commands.StartRun,
    Complete: commands.CompleteRun,
    Fail: commands.FailRun,
    Cancel: commands.CancelRun,
    Pause: commands.PauseRun,
    Resume: commands.ResumeRun,
    Warn: commands.WarnRun,
    SetTags: commands.SetTags,
    RemoveTags: commands.RemoveTags,
    AddProperties: commands.AddProperties,
    AddParams: commands.AddParams,
    Describe: commands.DescribeRun,
    Archive: commands.ArchiveRun,
    Reactivate: commands.ReactivateRun,
    Delete: commands.DeleteRun,
    TakeSnapshot: commands.TakeSnapshot,
    RecordEnvironment: commands.RecordEnvironment,
    SetExperimentTags: commands.SetExperimentTags,
    RemoveExperimentTags: commands.RemoveExperimentTags,
    DescribeExperiment: commands.DescribeExperiment,
    ArchiveExperiment: commands.ArchiveExperiment,
    ReactivateExperiment: commands.ReactivateExperiment,
    DeleteExperiment: commands.DeleteExperiment,
}


def to_command(wish: RunCommand, *, workspace: str, run_id: str) -> Command:
    """The domain's command for a wish; it gets an id if the client gave none."""
    return _command(wish, workspace, run_id)


def to_experiment_command(wish: ExperimentCommand, *, workspace: str) -> Command:
    """The domain's command for a wish to an experiment, whose id follows from its name."""
    return _command(wish, workspace, experiment_id(workspace, wish.name))


def _command(wish: RunCommand | ExperimentCommand, workspace: str, aggregate_id: str) -> Command:
    fields = {**asdict(wish), "command_id": wish.command_id or new_command_id()}
    return WISHES[type(wish)](workspace=workspace, run_id=aggregate_id, **fields)
