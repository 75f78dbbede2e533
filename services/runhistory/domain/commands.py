"""Commands: what somebody wishes to happen to a run. Nothing has happened yet.

`TYPE` is the name on the wire. Whoever wishes makes `command_id` once and keeps it over every
retry, so a command that is sent twice is applied once.
"""

from datetime import datetime
from typing import Annotated, ClassVar

from msgspec import Meta, Struct

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
    StartedAttempt,
    TargetName,
    Text,
    Workspace,
)

Instant = Annotated[datetime, Meta(tz=True, description="UTC")]


class Command(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every command carries. `run_id` names the aggregate (an experiment's id, for one).

    `at` is when it was wished, of what was recorded without a gateway and is sent later. It counts
    for interactive runs alone.
    """

    TYPE: ClassVar[str]

    workspace: Workspace
    run_id: RunId
    command_id: CommandId
    at: Instant | None = None


class CreateRun(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Take the id and keep the content; a script run is queued on its compute target too.

    With `start` an interactive run begins at once. For a script run, which a worker starts, it
    means nothing.
    """

    TYPE = "run.create.v1"
    content: RunContent
    start: bool = False


class ClaimRun(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A worker offers to run it. The first claim wins; `claim_id` fences all later reports."""

    TYPE = "run.claim.v1"
    claim_id: CommandId
    worker_id: Name
    node: Text = ""
    gpus: tuple[Text, ...] = ()


class StartRun(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The script was called (by the claim's holder), or an interactive run begins."""

    TYPE = "run.start.v1"
    claim_id: CommandId | None = None


class ReportExit(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The script's process ended: with an exit code, or by a signal (its name)."""

    TYPE = "run.report_exit.v1"
    claim_id: CommandId
    exit_code: ExitCode | None = None
    signal: Name | None = None


class CompleteRun(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The run did what it was for."""

    TYPE = "run.complete.v1"
    claim_id: CommandId | None = None


class FailRun(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The run could not do what it was for."""

    TYPE = "run.fail.v1"
    error: RunError
    claim_id: CommandId | None = None


class CancelRun(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody wants the run to stop. One that no worker holds is cancelled at once."""

    TYPE = "run.cancel.v1"
    reason: Text = ""


class ConfirmCancel(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The worker says that nothing of the cancelled run is left running."""

    TYPE = "run.confirm_cancel.v1"
    claim_id: CommandId


class ProvisionRun(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A node is being started for the run, which waits in the queue."""

    TYPE = "run.provision.v1"
    node: Text = ""


class PauseRun(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Suspend a running run, with its place kept."""

    TYPE = "run.pause.v1"


class ResumeRun(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Let a paused run go on."""

    TYPE = "run.resume.v1"


class ReportSilence(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing was heard of the attempt since `last_seen`."""

    TYPE = "run.report_silence.v1"
    attempt: StartedAttempt
    last_seen: Instant


class ReportLife(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The attempt that was silent was heard of again."""

    TYPE = "run.report_life.v1"
    attempt: StartedAttempt


class ReportLost(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The attempt was silent for so long that nobody waits for it any more."""

    TYPE = "run.report_lost.v1"
    attempt: StartedAttempt
    last_seen: Instant
    message: Text = ""


class WarnRun(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something about the run deserves attention. `code` is for programs (GpuIdle, NoWorker, …)."""

    TYPE = "run.warn.v1"
    code: Name
    message: Text
    attempt: Attempt = 0


class RecordEnvironment(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tell what the attempt really runs in; only its holder may for a script run."""

    TYPE = "run.record_environment.v1"
    environment: ResolvedEnvironment
    claim_id: CommandId | None = None


class TakeSnapshot(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keep a run's code that was not submitted with it. A run has one snapshot."""

    TYPE = "run.take_snapshot.v1"
    snapshot_id: Sha256


class SetTags(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Set tags; the same name again takes the new value. Allowed in every status."""

    TYPE = "run.set_tags.v1"
    tags: Pairs


class AddProperties(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Add properties. They are written once: another value for a name is refused."""

    TYPE = "run.add_properties.v1"
    properties: Pairs


class AddParams(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Add params. They are written once: another value for a name is refused."""

    TYPE = "run.add_params.v1"
    params: Pairs


class AddFiles(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The manifest of files whose bytes are already in the object store."""

    TYPE = "run.add_files.v1"
    attempt: Attempt
    files: Annotated[tuple[FileEntry, ...], Meta(min_length=1, max_length=10_000)]


class RemoveTags(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Remove tags; names that are not set are passed over."""

    TYPE = "run.remove_tags.v1"
    names: Names


class DescribeRun(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Give it another display name or description; None leaves what is."""

    TYPE = "run.describe.v1"
    display_name: Name | None = None
    description: Text | None = None


class ArchiveRun(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Put the run out of sight: lists leave it out unless they are asked for it."""

    TYPE = "run.archive.v1"


class ReactivateRun(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bring an archived run back into sight."""

    TYPE = "run.reactivate.v1"


class DeleteRun(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Delete a run that is over or never began: its rows and files go, its id stays taken."""

    TYPE = "run.delete.v1"


class CreateExperiment(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Create an experiment before its first run; `run_id` is the experiment's id."""

    TYPE = "experiment.create.v1"
    name: Name
    description: Text = ""
    tags: Pairs = {}


class SetExperimentTags(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Set tags of an experiment; the same name again takes the new value."""

    TYPE = "experiment.set_tags.v1"
    name: Name
    tags: Pairs


class RemoveExperimentTags(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Remove tags of an experiment; names that are not set are passed over."""

    TYPE = "experiment.remove_tags.v1"
    name: Name
    names: Names


class DescribeExperiment(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Give an experiment another description."""

    TYPE = "experiment.describe.v1"
    name: Name
    description: Text


class ArchiveExperiment(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Put an experiment out of sight; its runs stay as they are."""

    TYPE = "experiment.archive.v1"
    name: Name


class ReactivateExperiment(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bring an archived experiment back into sight."""

    TYPE = "experiment.reactivate.v1"
    name: Name


class DeleteExperiment(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Delete an experiment that has no runs left. A run may create it anew."""

    TYPE = "experiment.delete.v1"
    name: Name


class CreateComputeTarget(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Declare a compute target; `run_id` is the target's id."""

    TYPE = "compute_target.create.v1"
    name: TargetName
    pool: NodePool = NodePool()


class UpdateComputeTarget(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Give a compute target another pool."""

    TYPE = "compute_target.update.v1"
    name: TargetName
    pool: NodePool


class DeleteComputeTarget(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Withdraw a compute target: no new run may name it."""

    TYPE = "compute_target.delete.v1"
    name: TargetName


COMMANDS: dict[str, type[Command]] = {
    command.TYPE: command
    for command in (
        CreateRun,
        ClaimRun,
        StartRun,
        ReportExit,
        CompleteRun,
        FailRun,
        CancelRun,
        ConfirmCancel,
        ProvisionRun,
        PauseRun,
        ResumeRun,
        ReportSilence,
        ReportLife,
        ReportLost,
        WarnRun,
        RecordEnvironment,
        TakeSnapshot,
        SetTags,
        RemoveTags,
        AddProperties,
        AddParams,
        AddFiles,
        DescribeRun,
        ArchiveRun,
        ReactivateRun,
        DeleteRun,
        CreateExperiment,
        SetExperimentTags,
        RemoveExperimentTags,
        DescribeExperiment,
        ArchiveExperiment,
        ReactivateExperiment,
        DeleteExperiment,
        CreateComputeTarget,
        UpdateComputeTarget,
        DeleteComputeTarget,
    )
}
"""Every command by its name on the wire."""
