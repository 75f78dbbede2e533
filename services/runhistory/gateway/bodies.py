"""What comes in and goes out over HTTP beside the domain's own values. Schemas follow from it."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from runhistory.domain.status import RunStatus
from runhistory.domain.values import (
    CommandId,
    FileEntry,
    Name,
    Pairs,
    RunContent,
    RunId,
    Sha256,
    Text,
)
from runhistory.gateway.wishes import WishedAt, WishId
from runhistory.query.experiments import ExperimentSummary
from runhistory.query.files import KeptFile
from runhistory.query.metrics import Series, SeriesSummary
from runhistory.query.overview import ExperimentOverview


class RunCreation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Create a run under an id that the client made; with `start` an interactive one begins."""

    run_id: RunId
    content: RunContent
    start: bool = False
    command_id: WishId = None
    at: WishedAt = None


class ExperimentCreation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Create an experiment before its first run."""

    name: Name
    description: Text = ""
    tags: Pairs = {}
    command_id: WishId = None


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
    """What came of a command to an experiment."""

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


class Overview(Struct, frozen=True):
    """The workspace's experiments, the last active first, each with its main metric."""

    experiments: list[ExperimentOverview]


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


class ServerSentEvent(Struct, frozen=True):
    """One message of a stream. `data` is a CloudEvent as JSON; with the event `end`, which a
    stream that does not follow ends with, it is an empty object. `id` is where to go on."""

    id: str
    data: str
    event: str = "message"
