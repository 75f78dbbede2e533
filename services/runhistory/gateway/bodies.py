"""What comes in and goes out over HTTP beside the domain's own values. Schemas follow from it."""

from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import asdict

from runhistory.domain import commands
from runhistory.domain.commands import Command
from runhistory.domain.ids import new_command_id
from runhistory.domain.status import RunStatus
from runhistory.domain.values import (
    CommandId,
    FileEntry,
    Name,
    Pairs,
    RunContent,
    RunError,
    RunId,
    Sha256,
    Text,
)
from runhistory.query.experiments import ExperimentSummary
from runhistory.query.files import KeptFile
from runhistory.query.metrics import Series, SeriesSummary

WishId = Annotated[
    CommandId | None,
    Meta(description="made once by the client and kept over retries; left out, one is made here"),
]


class RunCreation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Create a run under an id that the client made."""

    run_id: RunId
    content: RunContent
    command_id: WishId = None


class ExperimentCreation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Create an experiment before its first run."""

    name: Name
    description: Text = ""
    tags: Pairs = {}
    command_id: WishId = None


class Wish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """A command over HTTP: `type`, and the command's own fields."""

    command_id: WishId = None


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


class SetTags(Wish, frozen=True, kw_only=True, tag="set_tags"):
    """Set tags; the same name again takes the new value."""

    tags: Pairs


class AddProperties(Wish, frozen=True, kw_only=True, tag="add_properties"):
    """Add properties, which are written once."""

    properties: Pairs


class AddParams(Wish, frozen=True, kw_only=True, tag="add_params"):
    """Add params, which are written once."""

    params: Pairs


RunCommand = Start | Complete | Fail | Cancel | SetTags | AddProperties | AddParams

_COMMANDS: dict[type[Wish], type[Command]] = {
    Start: commands.StartRun,
    Complete: commands.CompleteRun,
    Fail: commands.FailRun,
    Cancel: commands.CancelRun,
    SetTags: commands.SetTags,
    AddProperties: commands.AddProperties,
    AddParams: commands.AddParams,
}


def to_command(wish: RunCommand, *, workspace: str, run_id: str) -> Command:
    """The domain's command for a wish; it gets an id if the client gave none."""
    fields = {**asdict(wish), "command_id": wish.command_id or new_command_id()}
    return _COMMANDS[type(wish)](workspace=workspace, run_id=run_id, **fields)


Outcome = Literal["accepted", "unchanged"]


class CommandResult(Struct, frozen=True, kw_only=True):
    """What came of a command; `version`, `status` and `attempt` are the run's after it."""

    run_id: RunId
    command_id: CommandId
    outcome: Outcome
    status: RunStatus | None
    version: int
    attempt: int
    watermark: str | None


class ExperimentResult(Struct, frozen=True, kw_only=True):
    """What came of creating an experiment."""

    experiment_id: RunId
    name: Name
    command_id: CommandId
    outcome: Outcome
    watermark: str | None


class Written(Struct, frozen=True):
    """The batch is in the log. A read that carries `watermark` sees it."""

    watermark: str


class FileKept(Struct, frozen=True):
    """The file is kept. A read that carries `watermark` sees it."""

    file: FileEntry
    watermark: str | None


class Digests(Struct, frozen=True, forbid_unknown_fields=True):
    """Blobs that a client would like to send."""

    sha256: Annotated[tuple[Sha256, ...], Meta(max_length=10_000)]


class MissingDigests(Struct, frozen=True):
    """Those of them that are not here yet, each once."""

    missing: list[Sha256]


class BlobKept(Struct, frozen=True):
    """A blob that is here now."""

    sha256: Sha256
    size: int


class SnapshotKept(Struct, frozen=True):
    """A snapshot that is here now, with all its blobs."""

    snapshot_id: Sha256


class ExperimentList(Struct, frozen=True):
    """The workspace's experiments, the last active first."""

    experiments: list[ExperimentSummary]


class ResolvedRun(Struct, frozen=True):
    """The run that a reference means."""

    run_id: RunId


class MetricList(Struct, frozen=True):
    """Curves, sorted by key."""

    series: list[Series]


class SeriesList(Struct, frozen=True):
    """Summaries of curves, sorted by key."""

    series: list[SeriesSummary]


class FileList(Struct, frozen=True):
    """Files, sorted by name."""

    files: list[KeptFile]
