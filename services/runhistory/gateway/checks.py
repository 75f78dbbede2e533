"""What the lifecycle cannot know of a command: whether what it names is here.

Snapshots and blobs lie in the object store; a parent is another aggregate. What is said here
was true a moment ago, which is enough: these things do not vanish while somebody uses them, but
for a run that is deleted just now.
"""

import contextlib

from runhistory.domain.values import RunContent, ScriptSpec
from runhistory.gateway.attempts import RunNotFound
from runhistory.gateway.context import Gateway
from runhistory.gateway.errors import ApiError
from runhistory.gateway.targets import UnknownComputeTarget
from runhistory.gateway.wishes import RecordEnvironment, RunCommand, TakeSnapshot
from runhistory.objects.store import ObjectNotFound
from runhistory.query.deleted_runs import RunDeleted
from runhistory.snapshots.manifest import Manifest


async def check_run_content(
    gateway: Gateway, workspace: str, run_id: str, content: RunContent
) -> None:
    """Refuse now what nobody could make use of later.

    Raises:
        ApiError: 400, the snapshot, the script, the parent or the run to reproduce is not here.
    """
    if content.spec is not None:
        await _check_spec(gateway, workspace, content.spec)
    if gateway.attempts.knows(workspace, run_id):
        return  # a repetition: it was checked before it was created
    if content.spec is not None:
        await _check_target(gateway, workspace, run_id, content.spec.compute_target)
    await _check_relative(gateway, workspace, run_id, content.parent_run_id, "parent")
    await _check_relative(gateway, workspace, run_id, content.reproduces, "reproduced")


async def check_wish(gateway: Gateway, workspace: str, wish: RunCommand) -> None:
    """Refuse a command that names an object which is not here.

    Raises:
        ApiError: 400.
    """
    match wish:
        case TakeSnapshot():
            await _manifest(gateway, workspace, wish.snapshot_id)
        case RecordEnvironment():
            digest = wish.environment.packages_sha256
            if digest and await gateway.objects.missing(workspace, [digest]):
                raise ApiError(
                    400,
                    "invalid_environment",
                    f"The list of packages, blob {digest}, is not here. Send it first.",
                )
        case _:
            pass


async def _check_spec(gateway: Gateway, workspace: str, spec: ScriptSpec) -> None:
    data = await _manifest(gateway, workspace, spec.snapshot_id)
    if spec.command:
        return
    if not any(file.path == spec.script for file in Manifest.decode(data).files):
        raise ApiError(
            400,
            "invalid_script",
            f"The snapshot has no file {spec.script!r}. Name the script relative to the folder "
            "that was submitted, and look whether .amlignore leaves it out.",
        )


async def _manifest(gateway: Gateway, workspace: str, snapshot_id: str) -> bytes:
    try:
        return await gateway.objects.get_manifest(workspace, snapshot_id)
    except ObjectNotFound as error:
        raise ApiError(
            400, "invalid_snapshot", f"{error} Send its blobs and its manifest first."
        ) from error


async def _check_target(gateway: Gateway, workspace: str, run_id: str, name: str) -> None:
    try:
        await gateway.targets.require(workspace, name)
    except UnknownComputeTarget as error:
        with contextlib.suppress(RunNotFound):  # the target may have been deleted since
            return await gateway.attempts.require_run(workspace, run_id)
        details = {"compute_targets": error.known}
        raise ApiError(409, "unknown_compute_target", str(error), details) from error


async def _check_relative(
    gateway: Gateway, workspace: str, run_id: str, relative: str | None, noun: str
) -> None:
    if relative is None:
        return
    code = f"invalid_{noun}"
    if relative == run_id:
        raise ApiError(400, code, f"A run is not its own {noun} run. Name another one.")
    try:
        await gateway.attempts.require_run(workspace, relative)
    except (RunNotFound, RunDeleted) as error:
        raise ApiError(400, code, f"The {noun} run is not here: {error}") from error
