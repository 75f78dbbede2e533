"""Writes: runs, commands to them, and their batches of points and log lines."""

from http import HTTPStatus
from typing import Final

from litestar import Response, post
from litestar.middleware import DefineMiddleware
from litestar.params import JSONBody

from runhistory.domain.commands import CreateRun
from runhistory.domain.ids import new_command_id
from runhistory.events.log_batch import LogBatch
from runhistory.events.metric_batch import MetricBatch
from runhistory.gateway.admission import Admission
from runhistory.gateway.batches import LINES, POINTS, Envelope, take_batch
from runhistory.gateway.bodies import CommandResult, RunCreation, Written
from runhistory.gateway.checks import check_run_content, check_wish
from runhistory.gateway.context import GatewayRequest
from runhistory.gateway.sending import created_status, result_of, send
from runhistory.gateway.wire import (
    AttemptParameter,
    RunIdParameter,
    WorkspaceParameter,
    fails,
    raw_body,
    strict_body,
)
from runhistory.gateway.wishes import RunCommand, to_command


@post(
    "/runs",
    operation_id="create_run",
    dto=strict_body(RunCreation),
    return_dto=None,
    responses=fails(409, 410),
)
async def create_run(
    request: GatewayRequest, workspace: WorkspaceParameter, data: JSONBody[RunCreation]
) -> Response[CommandResult]:
    """Create a run under the client's id. The same content again is the same run (200)."""
    await check_run_content(request.gateway, workspace, data.run_id, data.content)
    command = CreateRun(
        workspace=workspace,
        run_id=data.run_id,
        command_id=data.command_id or new_command_id(),
        content=data.content,
        start=data.start,
        at=data.at,
    )
    reply = await send(request.gateway, command)
    return Response(result_of(reply), status_code=created_status(reply))


@post(
    "/runs/{run_id:str}/commands",
    status_code=HTTPStatus.OK,
    operation_id="send_command",
    dto=strict_body(RunCommand),
    return_dto=None,
    responses=fails(404, 409, 410),
)
async def send_command(
    request: GatewayRequest,
    workspace: WorkspaceParameter,
    run_id: RunIdParameter,
    data: JSONBody[RunCommand],
) -> CommandResult:
    """Send a command to a run. One that is not allowed is 409 and names the run's status."""
    await check_wish(request.gateway, workspace, data)
    command = to_command(data, workspace=workspace, run_id=run_id)
    return result_of(await send(request.gateway, command))


@post(
    "/runs/{run_id:str}/attempts/{attempt:int}/metrics",
    status_code=HTTPStatus.ACCEPTED,
    operation_id="log_metrics",
    dto=raw_body(MetricBatch),
    return_dto=None,
    request_max_body_size=POINTS.max_bytes,
    middleware=[DefineMiddleware(Admission, limit=POINTS.max_bytes)],
    responses=fails(404, 410, 413),
)
async def log_metrics(
    request: GatewayRequest,
    workspace: WorkspaceParameter,
    run_id: RunIdParameter,
    attempt: AttemptParameter,
    data: JSONBody[bytes],
) -> Written:
    """Log a batch of metric points, however late: the run's status does not matter.

    The same batch (writer and seq) again counts once.
    """
    watermark = await take_batch(
        request.gateway, POINTS, Envelope(workspace, run_id, attempt), data
    )
    return Written(str(watermark))


@post(
    "/runs/{run_id:str}/attempts/{attempt:int}/logs",
    status_code=HTTPStatus.ACCEPTED,
    operation_id="write_logs",
    dto=raw_body(LogBatch),
    return_dto=None,
    middleware=[DefineMiddleware(Admission, limit=LINES.max_bytes)],
    responses=fails(404, 410, 413),
)
async def write_logs(
    request: GatewayRequest,
    workspace: WorkspaceParameter,
    run_id: RunIdParameter,
    attempt: AttemptParameter,
    data: JSONBody[bytes],
) -> Written:
    """Write a batch of console lines. The same batch (writer and seq) again counts once."""
    watermark = await take_batch(request.gateway, LINES, Envelope(workspace, run_id, attempt), data)
    return Written(str(watermark))


HANDLERS: Final = (create_run, send_command, log_metrics, write_logs)
