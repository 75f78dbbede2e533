"""Events: what happened to a run. Facts, numbered 1, 2, 3, … within their run.

`TYPE` is the CloudEvents type. `status` is the run's status after the event, so a subscriber
needs no knowledge of the life-cycle to follow it.
"""

from datetime import datetime
from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from runhistory.domain.status import RunStatus
from runhistory.domain.values import (
    Attempt,
    CommandId,
    ExitCode,
    FileEntry,
    Name,
    Names,
    NodePool,
    Pairs,
    ResolvedEnvironment,
    RunContent,
    RunError,
    RunId,
    Sha256,
    TargetName,
    Text,
    Version,
    Workspace,
)

Instant = Annotated[datetime, Meta(tz=True, description="UTC")]


class Event(Struct, frozen=True, kw_only=True):
    """What every event carries. `command_id` names the command that it was decided for.

    `run_id` names the aggregate: an experiment's id in `experiment.*` events, a compute target's
    in `compute_target.*`.
    """

    TYPE: ClassVar[str]

    workspace: Workspace
    run_id: RunId
    version: Version
    command_id: CommandId
    time: Annotated[datetime, Meta(tz=True, description="when it happened (UTC)")]

    @property
    def event_id(self) -> str:
        """`<run id>:<version>`: the same fact always has the same id."""
        return f"{self.run_id}:{self.version}"


class RunEvent(Event, frozen=True, kw_only=True):
    """An event of a run: with the status and the attempt that hold after it.

    Of a run that was recorded without a gateway and sent later, `time` is when it happened, as the
    record says, and `decided` when it was decided. Else `decided` is left out.
    """

    status: RunStatus
    attempt: Attempt
    experiment_id: RunId
    decided: Instant | None = None


class RunCreated(RunEvent, frozen=True, kw_only=True):
    """The id is taken. `content_sha256` tells a repetition from another run under this id."""

    TYPE = "run.created.v1"
    content: RunContent
    display_name: Name
    content_sha256: Sha256


class RunSubmitted(RunEvent, frozen=True, kw_only=True):
    """A script run was handed to its compute target; its spec is being checked."""

    TYPE = "run.submitted.v1"
    compute_target: Name


class RunQueued(RunEvent, frozen=True, kw_only=True):
    """The run waits for a free slot."""

    TYPE = "run.queued.v1"
    compute_target: Name


class RunClaimed(RunEvent, frozen=True, kw_only=True):
    """A worker took the run: a new attempt begins, and its node is being prepared."""

    TYPE = "run.claimed.v1"
    claim_id: CommandId
    worker_id: Name
    node: Text = ""
    gpus: tuple[Text, ...] = ()


class RunStarted(RunEvent, frozen=True, kw_only=True):
    """The script was called, or an interactive run began."""

    TYPE = "run.started.v1"


class RunExited(RunEvent, frozen=True, kw_only=True):
    """The script's process ended; outputs are being kept."""

    TYPE = "run.exited.v1"
    exit_code: ExitCode | None = None
    signal: Name | None = None


class RunCompleted(RunEvent, frozen=True, kw_only=True):
    """The run is over and did what it was for."""

    TYPE = "run.completed.v1"


class RunFailed(RunEvent, frozen=True, kw_only=True):
    """The run is over and failed."""

    TYPE = "run.failed.v1"
    error: RunError


class RunCancelRequested(RunEvent, frozen=True, kw_only=True):
    """Somebody wants the run stopped; a worker that holds it stops it now."""

    TYPE = "run.cancel_requested.v1"
    reason: Text = ""


class RunCanceled(RunEvent, frozen=True, kw_only=True):
    """The run is over because it was cancelled; nothing of it runs any more."""

    TYPE = "run.canceled.v1"


class RunProvisioning(RunEvent, frozen=True, kw_only=True):
    """A node is being started for the run."""

    TYPE = "run.provisioning.v1"
    node: Text = ""


class RunPaused(RunEvent, frozen=True, kw_only=True):
    """The run is suspended, with its place kept."""

    TYPE = "run.paused.v1"


class RunResumed(RunEvent, frozen=True, kw_only=True):
    """The run goes on after a pause."""

    TYPE = "run.resumed.v1"


class RunNotResponding(RunEvent, frozen=True, kw_only=True):
    """Nothing was heard of the attempt since `last_seen`; it may still be at work."""

    TYPE = "run.not_responding.v1"
    last_seen: Instant


class RunResponded(RunEvent, frozen=True, kw_only=True):
    """The attempt was heard of again; the status is what it was before the silence."""

    TYPE = "run.responded.v1"


class RunWarned(RunEvent, frozen=True, kw_only=True):
    """Something about the run deserves attention; its status is as before."""

    TYPE = "run.warned.v1"
    code: Name
    message: Text


class EnvironmentRecorded(RunEvent, frozen=True, kw_only=True):
    """This is what the attempt really runs in."""

    TYPE = "run.environment_recorded.v1"
    environment: ResolvedEnvironment


class SnapshotTaken(RunEvent, frozen=True, kw_only=True):
    """The run got its snapshot after it was created."""

    TYPE = "run.snapshot_taken.v1"
    snapshot_id: Sha256


class TagsSet(RunEvent, frozen=True, kw_only=True):
    """Tags took these values."""

    TYPE = "run.tags_set.v1"
    tags: Pairs


class PropertiesAdded(RunEvent, frozen=True, kw_only=True):
    """Properties were written, once and for all."""

    TYPE = "run.properties_added.v1"
    properties: Pairs


class ParamsAdded(RunEvent, frozen=True, kw_only=True):
    """Params were written, once and for all."""

    TYPE = "run.params_added.v1"
    params: Pairs


class FilesAdded(RunEvent, frozen=True, kw_only=True):
    """The run kept these files; a name again is the newer file.

    `attempt` is the run's current one, `files_attempt` the one that wrote the files.
    """

    TYPE = "run.files_added.v1"
    files_attempt: Attempt
    files: tuple[FileEntry, ...]


class TagsRemoved(RunEvent, frozen=True, kw_only=True):
    """These tags are gone."""

    TYPE = "run.tags_removed.v1"
    names: Names


class RunDescribed(RunEvent, frozen=True, kw_only=True):
    """The run has another display name or description; None: as before."""

    TYPE = "run.described.v1"
    display_name: Name | None = None
    description: Text | None = None


class RunArchived(RunEvent, frozen=True, kw_only=True):
    """The run is out of sight."""

    TYPE = "run.archived.v1"


class RunReactivated(RunEvent, frozen=True, kw_only=True):
    """The run is in sight again."""

    TYPE = "run.reactivated.v1"


class RunDeleted(RunEvent, frozen=True, kw_only=True):
    """The run is deleted: its rows and files go, its id stays taken."""

    TYPE = "run.deleted.v1"


class ExperimentEvent(Event, frozen=True, kw_only=True):
    """An event of an experiment."""

    name: Name


class ExperimentCreated(ExperimentEvent, frozen=True, kw_only=True):
    """An experiment was created by name, before or after its first run."""

    TYPE = "experiment.created.v1"
    description: Text = ""
    tags: Pairs = {}


class ExperimentTagsSet(ExperimentEvent, frozen=True, kw_only=True):
    """Tags of the experiment took these values."""

    TYPE = "experiment.tags_set.v1"
    tags: Pairs


class ExperimentTagsRemoved(ExperimentEvent, frozen=True, kw_only=True):
    """These tags of the experiment are gone."""

    TYPE = "experiment.tags_removed.v1"
    names: Names


class ExperimentDescribed(ExperimentEvent, frozen=True, kw_only=True):
    """The experiment has another description."""

    TYPE = "experiment.described.v1"
    description: Text


class ExperimentArchived(ExperimentEvent, frozen=True, kw_only=True):
    """The experiment is out of sight."""

    TYPE = "experiment.archived.v1"


class ExperimentReactivated(ExperimentEvent, frozen=True, kw_only=True):
    """The experiment is in sight again."""

    TYPE = "experiment.reactivated.v1"


class ExperimentDeleted(ExperimentEvent, frozen=True, kw_only=True):
    """The experiment is deleted; a later run of this name creates it anew."""

    TYPE = "experiment.deleted.v1"


class ComputeTargetEvent(Event, frozen=True, kw_only=True):
    """An event of a compute target."""

    name: TargetName


class ComputeTargetCreated(ComputeTargetEvent, frozen=True, kw_only=True):
    """A compute target was declared."""

    TYPE = "compute_target.created.v1"
    pool: NodePool


class ComputeTargetUpdated(ComputeTargetEvent, frozen=True, kw_only=True):
    """The compute target has another pool."""

    TYPE = "compute_target.updated.v1"
    pool: NodePool


class ComputeTargetDeleted(ComputeTargetEvent, frozen=True, kw_only=True):
    """The compute target is withdrawn."""

    TYPE = "compute_target.deleted.v1"


EVENTS: dict[str, type[Event]] = {
    event.TYPE: event
    for event in (
        RunCreated,
        RunSubmitted,
        RunQueued,
        RunClaimed,
        RunStarted,
        RunExited,
        RunCompleted,
        RunFailed,
        RunCancelRequested,
        RunCanceled,
        RunProvisioning,
        RunPaused,
        RunResumed,
        RunNotResponding,
        RunResponded,
        RunWarned,
        EnvironmentRecorded,
        SnapshotTaken,
        TagsSet,
        TagsRemoved,
        PropertiesAdded,
        ParamsAdded,
        FilesAdded,
        RunDescribed,
        RunArchived,
        RunReactivated,
        RunDeleted,
        ExperimentCreated,
        ExperimentTagsSet,
        ExperimentTagsRemoved,
        ExperimentDescribed,
        ExperimentArchived,
        ExperimentReactivated,
        ExperimentDeleted,
        ComputeTargetCreated,
        ComputeTargetUpdated,
        ComputeTargetDeleted,
    )
}
"""Every event by its CloudEvents type."""
