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
    Pairs,
    RunContent,
    RunError,
    RunId,
    Sha256,
    Text,
    Version,
    Workspace,
)


class Event(Struct, frozen=True, kw_only=True):
    """What every event carries. `command_id` names the command that it was decided for.

    `run_id` names the aggregate: for `experiment.*` events it is the experiment's id.
    """

    TYPE: ClassVar[str]

    workspace: Workspace
    run_id: RunId
    version: Version
    command_id: CommandId
    time: Annotated[datetime, Meta(tz=True, description="when it was decided (UTC)")]

    @property
    def event_id(self) -> str:
        """`<run id>:<version>`: the same fact always has the same id."""
        return f"{self.run_id}:{self.version}"


class RunEvent(Event, frozen=True, kw_only=True):
    """An event of a run: with the status and the attempt that hold after it."""

    status: RunStatus
    attempt: Attempt
    experiment_id: RunId


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


class ExperimentCreated(Event, frozen=True, kw_only=True):
    """An experiment was created by name, before or after its first run."""

    TYPE = "experiment.created.v1"
    name: Name
    description: Text = ""
    tags: Pairs = {}


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
        TagsSet,
        PropertiesAdded,
        ParamsAdded,
        FilesAdded,
        ExperimentCreated,
    )
}
"""Every event by its CloudEvents type."""
