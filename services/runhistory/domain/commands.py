"""Commands: what somebody wishes to happen to a run. Nothing has happened yet.

`TYPE` is the name on the wire. Whoever wishes makes `command_id` once and keeps it over every
retry, so a command that is sent twice is applied once.
"""

from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from runhistory.domain.values import (
    Attempt,
    CommandId,
    ExitCode,
    FileEntry,
    Name,
    Pairs,
    RunContent,
    RunError,
    RunId,
    Text,
    Workspace,
)


class Command(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every command carries. `run_id` names the aggregate (an experiment's id, for one)."""

    TYPE: ClassVar[str]

    workspace: Workspace
    run_id: RunId
    command_id: CommandId


class CreateRun(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Take the id and keep the content; a script run is queued on its compute target too."""

    TYPE = "run.create.v1"
    content: RunContent


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


class CreateExperiment(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Create an experiment before its first run; `run_id` is the experiment's id."""

    TYPE = "experiment.create.v1"
    name: Name
    description: Text = ""
    tags: Pairs = {}


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
        SetTags,
        AddProperties,
        AddParams,
        AddFiles,
        CreateExperiment,
    )
}
"""Every command by its name on the wire."""
