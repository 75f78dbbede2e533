"""Compute targets: declare, change, withdraw, and see how they stand."""

from typing import Annotated, Final, get_args

from litestar import Response, delete, get, patch, post
from litestar.params import JSONBody, PathParameter
from msgspec import Meta, Struct
from msgspec.structs import replace

from runhistory.domain.commands import (
    CreateComputeTarget,
    DeleteComputeTarget,
    UpdateComputeTarget,
)
from runhistory.domain.compute import BUILT_IN_TARGET, ComputeCommand, built_in_pool
from runhistory.domain.ids import compute_target_id, new_command_id
from runhistory.domain.values import CommandId, NodePool, RunId, TargetName
from runhistory.events.codec import Reply
from runhistory.gateway.bodies import Outcome
from runhistory.gateway.context import Gateway, GatewayRequest
from runhistory.gateway.errors import ApiError
from runhistory.gateway.sending import created_status, outcome_of, send
from runhistory.gateway.watermarks import WAIT_SECONDS
from runhistory.gateway.wire import (
    CommandIdQuery,
    WatermarkQuery,
    WorkspaceParameter,
    command_id_of,
    fails,
    strict_body,
)
from runhistory.gateway.wishes import WishId
from runhistory.query import compute
from runhistory.query.compute import ComputeTargetSummary

TargetParameter = Annotated[
    str,
    PathParameter(pattern=get_args(TargetName)[1].pattern, description="a compute target's name"),
]
_Least = Annotated[int, Meta(ge=0, le=10_000, description="nodes that are always there")]
_Most = Annotated[int, Meta(ge=1, le=10_000, description="nodes at most")]
_Idle = Annotated[
    int,
    Meta(ge=0, le=366 * 86_400, description="seconds after which an idle node is released"),
]
_Slots = Annotated[int, Meta(ge=1, le=1_024, description="slots of each node")]


class ComputeTargetCreation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Declare a compute target."""

    name: TargetName
    min_nodes: _Least = 0
    max_nodes: _Most = 1
    idle_seconds: _Idle = 120
    slots: _Slots = 1
    command_id: WishId = None


class ComputeTargetChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Give a compute target another pool; what is left out stays as it is."""

    min_nodes: _Least | None = None
    max_nodes: _Most | None = None
    idle_seconds: _Idle | None = None
    slots: _Slots | None = None
    command_id: WishId = None


class ComputeTargetList(Struct, frozen=True):
    """The workspace's compute targets by name."""

    compute_targets: list[ComputeTargetSummary]


class ComputeTargetResult(Struct, frozen=True, kw_only=True):
    """What came of a command to a compute target."""

    target_id: RunId
    name: TargetName
    command_id: CommandId
    outcome: Outcome
    watermark: str | None


@get("/compute", operation_id="list_compute_targets", responses=fails())
async def list_compute_targets(
    request: GatewayRequest, workspace: WorkspaceParameter, watermarks: WatermarkQuery = None
) -> ComputeTargetList:
    """The workspace's compute targets: pools, nodes now, and runs that wait and run there."""
    await request.wait_for_watermarks()
    return ComputeTargetList(await _read(request.gateway, workspace))


@get("/compute/{name:str}", operation_id="get_compute_target", responses=fails(404))
async def get_compute_target(
    request: GatewayRequest,
    workspace: WorkspaceParameter,
    name: TargetParameter,
    watermarks: WatermarkQuery = None,
) -> ComputeTargetSummary:
    """One compute target."""
    await request.wait_for_watermarks()
    return await _find(request.gateway, workspace, name)


@post(
    "/compute",
    operation_id="create_compute_target",
    dto=strict_body(ComputeTargetCreation),
    return_dto=None,
    responses=fails(409),
)
async def create_compute_target(
    request: GatewayRequest, workspace: WorkspaceParameter, data: JSONBody[ComputeTargetCreation]
) -> Response[ComputeTargetResult]:
    """Declare a compute target. The same pool again is the same target (200)."""
    command = CreateComputeTarget(
        workspace=workspace,
        run_id=compute_target_id(workspace, data.name),
        command_id=data.command_id or new_command_id(),
        name=data.name,
        pool=NodePool(data.min_nodes, data.max_nodes, data.idle_seconds, data.slots),
    )
    reply = await _send(request.gateway, command)
    return Response(_result(data.name, reply), status_code=created_status(reply))


@patch(
    "/compute/{name:str}",
    operation_id="update_compute_target",
    dto=strict_body(ComputeTargetChange),
    return_dto=None,
    responses=fails(404, 409),
)
async def update_compute_target(
    request: GatewayRequest,
    workspace: WorkspaceParameter,
    name: TargetParameter,
    data: JSONBody[ComputeTargetChange],
) -> ComputeTargetResult:
    """Give a compute target another pool. `local`, which is there by itself, takes one too."""
    target_id = compute_target_id(workspace, name)
    await request.gateway.watermarks.catch_up(target_id, WAIT_SECONDS)
    pool = (await _find(request.gateway, workspace, name)).pool
    changed = {
        field: value
        for field in NodePool.__struct_fields__
        if (value := getattr(data, field)) is not None
    }
    command = UpdateComputeTarget(
        workspace=workspace,
        run_id=target_id,
        command_id=data.command_id or new_command_id(),
        name=name,
        pool=replace(pool, **changed),
    )
    return _result(name, await _send(request.gateway, command))


@delete(
    "/compute/{name:str}",
    status_code=200,
    operation_id="delete_compute_target",
    responses=fails(404, 409),
)
async def delete_compute_target(
    request: GatewayRequest,
    workspace: WorkspaceParameter,
    name: TargetParameter,
    command_id: CommandIdQuery = None,
) -> ComputeTargetResult:
    """Withdraw a compute target. Runs that are there come to their end; no other is taken.

    `local` cannot be withdrawn: it has its own pool again.
    """
    command = DeleteComputeTarget(
        workspace=workspace,
        run_id=compute_target_id(workspace, name),
        command_id=command_id_of(command_id),
        name=name,
    )
    return _result(name, await _send(request.gateway, command))


async def _read(gateway: Gateway, workspace: str) -> list[ComputeTargetSummary]:
    local = built_in_pool(gateway.local_slots)
    return await gateway.reader.read(compute.list_compute_targets, workspace=workspace, local=local)


async def _find(gateway: Gateway, workspace: str, name: str) -> ComputeTargetSummary:
    for target in await _read(gateway, workspace):
        if target.name == name:
            return target
    raise _not_found(workspace, name)


async def _send(gateway: Gateway, command: ComputeCommand) -> Reply:
    try:
        return await send(gateway, command)
    except ApiError as error:
        if error.code == "compute_target_not_found":
            raise _not_found(command.workspace, command.name) from error
        raise


def _not_found(workspace: str, name: str) -> ApiError:
    if name == BUILT_IN_TARGET:
        text = "`local` has the pool that it has by itself, and cannot be deleted."
    else:
        text = (
            f"There is no compute target {name!r} in workspace {workspace}. "
            "`runhistory compute list` shows those that there are."
        )
    return ApiError(404, "compute_target_not_found", text)


def _result(name: str, reply: Reply) -> ComputeTargetResult:
    return ComputeTargetResult(
        target_id=reply.run_id,
        name=name,
        command_id=reply.command_id,
        outcome=outcome_of(reply),
        watermark=reply.watermark,
    )


HANDLERS: Final = (
    list_compute_targets,
    get_compute_target,
    create_compute_target,
    update_compute_target,
    delete_compute_target,
)
