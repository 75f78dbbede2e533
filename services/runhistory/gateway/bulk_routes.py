"""One command to many runs, and a run made of another."""

import asyncio
from http import HTTPStatus
from typing import Annotated, Final, Literal

import msgspec
from litestar import Response, post
from litestar.params import JSONBody
from msgspec import Meta, Struct, structs

from runhistory.domain.commands import CreateRun
from runhistory.domain.ids import new_command_id
from runhistory.domain.reproduction import NotReproducible, reproduction_of
from runhistory.domain.status import RunStatus
from runhistory.domain.values import Name, RunId, Text
from runhistory.gateway.bodies import CommandResult
from runhistory.gateway.checks import check_run_content
from runhistory.gateway.context import GatewayRequest
from runhistory.gateway.errors import ApiError
from runhistory.gateway.run_routes import require_run
from runhistory.gateway.sending import created_status, outcome_of, result_of, send
from runhistory.gateway.wire import (
    RunIdParameter,
    WatermarkQuery,
    WorkspaceParameter,
    fails,
    strict_body,
)
from runhistory.gateway.wishes import (
    Archive,
    Cancel,
    Delete,
    Reactivate,
    RemoveTags,
    SetTags,
    WishId,
    to_command,
)
from runhistory.kafka.commands import ReplyTimeout

MAX_RUNS: Final = 1_000
_AT_ONCE: Final = 100

BulkWish = Cancel | SetTags | RemoveTags | Archive | Reactivate | Delete


class BulkCommand(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same command to each of these runs, under one `command_id` if it has one."""

    run_ids: Annotated[tuple[RunId, ...], Meta(min_length=1, max_length=MAX_RUNS)]
    command: BulkWish


class BulkOutcome(Struct, frozen=True, kw_only=True):
    """What came of the command to one run.

    `refused`: `code` and `message` say why. `unknown`: no reply came in time; the same command
    may be sent again under the same id.
    """

    run_id: RunId
    outcome: Literal["accepted", "unchanged", "refused", "unknown"]
    status: RunStatus | None = None
    watermark: str | None = None
    code: str | None = None
    message: str | None = None


class BulkResult(Struct, frozen=True):
    """What came of it for each run, in the order in which they were named."""

    command_id: str
    results: list[BulkOutcome]


class Reproduction(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The run that shall repeat another: its id, which the client makes, and what it is called."""

    run_id: RunId
    display_name: Name | None = None
    created_by: Text = ""
    command_id: WishId = None


@post(
    "/commands",
    status_code=HTTPStatus.OK,
    operation_id="send_command_to_runs",
    dto=strict_body(BulkCommand),
    return_dto=None,
    responses=fails(),
)
async def send_command_to_runs(
    request: GatewayRequest, workspace: WorkspaceParameter, data: JSONBody[BulkCommand]
) -> BulkResult:
    """Send a command to many runs. Each is answered for itself; a repetition changes nothing."""
    wish = structs.replace(data.command, command_id=data.command.command_id or new_command_id())
    turns = asyncio.Semaphore(_AT_ONCE)

    async def send_to(run_id: str) -> BulkOutcome:
        async with turns:
            try:
                reply = await send(
                    request.gateway, to_command(wish, workspace=workspace, run_id=run_id)
                )
            except ApiError as error:
                return BulkOutcome(
                    run_id=run_id,
                    outcome="refused",
                    status=error.details.get("status"),
                    code=error.code,
                    message=error.message,
                )
            except ReplyTimeout as error:
                return BulkOutcome(
                    run_id=run_id, outcome="unknown", code="reply_timeout", message=str(error)
                )
        return BulkOutcome(
            run_id=run_id,
            outcome=outcome_of(reply),
            status=reply.status,
            watermark=reply.watermark,
        )

    results = await asyncio.gather(*map(send_to, data.run_ids))
    return BulkResult(str(wish.command_id), results)


@post(
    "/runs/{run_id:str}/reproduce",
    operation_id="reproduce_run",
    dto=strict_body(Reproduction),
    return_dto=None,
    responses=fails(404, 409, 410),
)
async def reproduce_run(
    request: GatewayRequest,
    workspace: WorkspaceParameter,
    run_id: RunIdParameter,
    data: JSONBody[Reproduction],
    watermarks: WatermarkQuery = None,
) -> Response[CommandResult]:
    """Create a run of the same code, call, packages and Python as this one had.

    The git facts, which belong to the code, come along; tags, the description and the parent do
    not.
    """
    await request.wait_for_watermarks()
    details = msgspec.json.decode(await require_run(request, workspace, run_id))
    try:
        content = reproduction_of(
            details, created_by=data.created_by, display_name=data.display_name
        )
    except NotReproducible as error:
        raise ApiError(409, "not_reproducible", str(error)) from error
    await check_run_content(request.gateway, workspace, data.run_id, content)
    command = CreateRun(
        workspace=workspace,
        run_id=data.run_id,
        command_id=data.command_id or new_command_id(),
        content=content,
    )
    reply = await send(request.gateway, command)
    return Response(result_of(reply), status_code=created_status(reply))


HANDLERS: Final = (send_command_to_runs, reproduce_run)
