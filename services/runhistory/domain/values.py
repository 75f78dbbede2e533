"""The values that commands and events are made of, with the limits that every door enforces."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from runhistory.domain.ids import END_OF_TEXT, RUN_ID_PATTERN

MAX_TEXT: Final = 16_384
MAX_PAIRS: Final = 1_000
MAX_INT64: Final = 2**63 - 1

RunId = Annotated[str, Meta(pattern=RUN_ID_PATTERN, description="32 hex digits")]
Sha256 = Annotated[
    str, Meta(pattern=r"^[0-9a-f]{64}" + END_OF_TEXT, description="SHA-256 as 64 hex digits")
]
Workspace = Annotated[
    str,
    Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}" + END_OF_TEXT, description="tenant boundary"),
]
CommandId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:-]{1,128}" + END_OF_TEXT)]
Name = Annotated[
    str, Meta(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+" + END_OF_TEXT)
]
Text = Annotated[str, Meta(max_length=MAX_TEXT)]
Argument = Annotated[
    str,
    Meta(
        max_length=MAX_TEXT,
        pattern=r"^[^\x00]*" + END_OF_TEXT,
        description="what a process can be given: no NUL",
    ),
]
VariableName = Annotated[
    str, Meta(max_length=256, pattern=r"^[A-Za-z_][A-Za-z0-9_]*" + END_OF_TEXT)
]
Attempt = Annotated[int, Meta(ge=0, le=2**31 - 1, description="0 before the first attempt")]
StartedAttempt = Annotated[int, Meta(ge=1, le=2**31 - 1, description="1, 2, 3, …")]
ExitCode = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Version = Annotated[int, Meta(ge=1, le=2**53, description="1, 2, 3, … within one run")]
Size = Annotated[int, Meta(ge=0, le=2**53, description="bytes")]
Pairs = Annotated[dict[Name, Text], Meta(max_length=MAX_PAIRS)]
FileName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=1_024,
        # relative, forward slashes, no empty part, no part that is `.` or `..`, no controls;
        # `[^\n]*` and not `.*`, which stops at U+2028 in JavaScript and lets `..` follow it
        pattern=r"^(?!/)(?![^\n]*//)(?![^\n]*/$)(?!([^\n]*/)?\.{1,2}(/|$))[^\x00-\x1f\x7f\\]+"
        + END_OF_TEXT,
        description="relative POSIX path that climbs nowhere",
    ),
]
RunType = Literal["script", "interactive"]
Names = Annotated[tuple[Name, ...], Meta(min_length=1, max_length=1_000)]
TargetName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}" + END_OF_TEXT,
        description="a compute target's name",
    ),
]
Nodes = Annotated[int, Meta(ge=0, le=10_000, description="nodes of a compute target")]
Seconds = Annotated[int, Meta(ge=1, le=10 * 366 * 86_400, description="seconds")]


class Resources(Struct, frozen=True, forbid_unknown_fields=True):
    """What one attempt needs of its node."""

    slots: Annotated[int, Meta(ge=1, le=1_024)] = 1
    gpus: Annotated[int, Meta(ge=0, le=1_024)] = 0


class Environment(Struct, frozen=True, forbid_unknown_fields=True):
    """The Python environment a script runs in.

    `requirements` are the lines of a pip requirements file; None means: the snapshot's own
    requirements.txt, and without that the worker's interpreter. `lock_sha256` is the blob with an
    earlier run's packages; where it is given they are what is installed, and nothing else is.
    """

    name: Text = ""
    requirements: tuple[Text, ...] | None = None
    python_version: Text | None = None
    lock_sha256: Sha256 | None = None
    variables: Annotated[dict[VariableName, Argument], Meta(max_length=1_000)] = {}


class ScriptSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """What a submitted run executes at the root of its snapshot.

    Usually `python SCRIPT ARGUMENTS…`. Where there is a `command`, that is called as it is, with
    the environment's programs first on its PATH; `script` is then its program's name, for readers,
    and there are no arguments. `max_duration_seconds` counts from Running.
    """

    script: FileName
    snapshot_id: Sha256
    arguments: tuple[Argument, ...] = ()
    command: tuple[Argument, ...] = ()
    max_duration_seconds: Seconds | None = None
    compute_target: Name = "local"
    environment: Environment = Environment()
    resources: Resources = Resources()


class ResolvedEnvironment(Struct, frozen=True, forbid_unknown_fields=True):
    """What a script really ran in, after everything was resolved.

    `packages_sha256` names the blob with a pip requirements file: each package at its exact
    version, with the hashes of its distributions where those are known.
    """

    python_version: Text
    implementation: Text = ""
    platform: Text = ""
    machine: Text = ""
    packages_sha256: Sha256 | None = None
    packages_count: Annotated[int, Meta(ge=0, le=1_000_000)] = 0


class NodePool(Struct, frozen=True, forbid_unknown_fields=True):
    """How many nodes a compute target has: between `min_nodes` and `max_nodes`, as runs need.

    A node above `min_nodes` that had nothing to do for `idle_seconds` is released. Each node
    runs attempts for `slots` slots at once.
    """

    min_nodes: Nodes = 0
    max_nodes: Annotated[int, Meta(ge=1, le=10_000, description="nodes")] = 1
    idle_seconds: Annotated[int, Meta(ge=0, le=366 * 86_400, description="seconds")] = 120
    slots: Annotated[int, Meta(ge=1, le=1_024, description="slots of each node")] = 1


class FileEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """A file that a run kept: its name within the run and the blob that holds its bytes."""

    name: FileName
    sha256: Sha256
    size: Size
    content_type: Text = "application/octet-stream"


class RunError(Struct, frozen=True, forbid_unknown_fields=True):
    """Why a run failed. `code` is for programs (ExitCode, Signal, WorkerLost, …)."""

    code: Name
    message: Text
    details: Text = ""


class RunContent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that a client says when it creates a run: the same content is the same run.

    `reproduces` names the run whose code, environment and arguments this one repeats.
    """

    type: RunType
    experiment: Name
    display_name: Name | None = None
    description: Text = ""
    created_by: Text = ""
    parent_run_id: RunId | None = None
    reproduces: RunId | None = None
    tags: Pairs = {}
    properties: Pairs = {}
    params: Pairs = {}
    spec: ScriptSpec | None = None


def canonical_json(value: object) -> bytes:
    """The one byte string for a value: sorted keys, no blanks; what digests are taken of."""
    return msgspec.json.encode(value, order="deterministic")
