"""Writes: experiments, runs and commands, and batches of points and log lines."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

from litestar import Response, post
from litestar.middleware import DefineMiddleware
from litestar.params import JSONBody

from runhistory.domain.commands import Command, CreateExperiment, CreateRun
from runhistory.domain.ids import experiment_id, new_command_id
from runhistory.domain.values import ScriptSpec
from runhistory.events import cloudevents, log_batch, metric_batch
from runhistory.events.codec import Reply, Watermark
from runhistory.events.log_batch import LOG_LINES_WRITTEN, LogBatch
from runhistory.events.metric_batch import METRICS_LOGGED, MetricBatch
from runhistory.gateway.admission import Admission
from runhistory.gateway.bodies import (
    CommandResult,
    ExperimentCreation,
    ExperimentResult,
    Outcome,
    RunCommand,
    RunCreation,
    Written,
    to_command,
)
from runhistory.gateway.context import MAX_JSON_BYTES, Gateway, GatewayRequest
from runhistory.gateway.errors import ApiError
from runhistory.gateway.wire import (
    AttemptParameter,
    RunIdParameter,
    WorkspaceParameter,
    fails,
    raw_body,
    strict_body,
)
from runhistory.objects.store import ObjectNotFound
from runhistory.runtime import metrics
from runhistory.snapshots.manifest import Manifest

SOURCE: Final = "runhistory/gateway"
METRICS_TOPIC: Final = "run.metrics"
LOGS_TOPIC: Final = "run.logs"


@post(
    "/experiments",
    operation_id="create_experiment",
    dto=strict_body(ExperimentCreation),
    return_dto=None,
    responses=fails(409),
)
async def create_experiment(
    request: GatewayRequest, workspace: WorkspaceParameter, data: JSONBody[ExperimentCreation]
) -> Response[ExperimentResult]:
    """Create an experiment by name. Its first run creates it too, so this is seldom needed."""
    command = CreateExperiment(
        workspace=workspace,
        run_id=experiment_id(workspace, data.name),
        command_id=data.command_id or new_command_id(),
        name=data.name,
        description=data.description,
        tags=data.tags,
    )
    reply = await send(request.gateway, command)
    result = ExperimentResult(
        experiment_id=reply.run_id,
        name=data.name,
        command_id=reply.command_id,
        outcome=_outcome(reply),
        watermark=reply.watermark,
    )
    return Response(result, status_code=_created(reply))


@post(
    "/runs",
    operation_id="create_run",
    dto=strict_body(RunCreation),
    return_dto=None,
    responses=fails(409),
)
async def create_run(
    request: GatewayRequest, workspace: WorkspaceParameter, data: JSONBody[RunCreation]
) -> Response[CommandResult]:
    """Create a run under the client's id. The same content again is the same run (200)."""
    if data.content.spec is not None:
        await _check_snapshot(request.gateway, workspace, data.content.spec)
    command = CreateRun(
        workspace=workspace,
        run_id=data.run_id,
        command_id=data.command_id or new_command_id(),
        content=data.content,
    )
    reply = await send(request.gateway, command)
    return Response(_result(reply), status_code=_created(reply))


@post(
    "/runs/{run_id:str}/commands",
    status_code=HTTPStatus.OK,
    operation_id="send_command",
    dto=strict_body(RunCommand),
    return_dto=None,
    responses=fails(404, 409),
)
async def send_command(
    request: GatewayRequest,
    workspace: WorkspaceParameter,
    run_id: RunIdParameter,
    data: JSONBody[RunCommand],
) -> CommandResult:
    """Send a command to a run. One that is not allowed is 409 and names the run's status."""
    command = to_command(data, workspace=workspace, run_id=run_id)
    return _result(await send(request.gateway, command))


@post(
    "/runs/{run_id:str}/attempts/{attempt:int}/metrics",
    status_code=HTTPStatus.ACCEPTED,
    operation_id="log_metrics",
    dto=raw_body(MetricBatch),
    return_dto=None,
    request_max_body_size=metric_batch.MAX_BATCH_BYTES,
    middleware=[DefineMiddleware(Admission, limit=metric_batch.MAX_BATCH_BYTES)],
    responses=fails(404, 413),
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
    batch = metric_batch.check(data)
    await request.gateway.attempts.require(workspace, run_id, attempt)
    watermark = await _append(
        request.gateway,
        topic=METRICS_TOPIC,
        type=METRICS_LOGGED,
        run_id=run_id,
        batch_id=f"{batch.writer}:{attempt}:{batch.seq}",
        value=metric_batch.splice(data, workspace=workspace, run_id=run_id, attempt=attempt),
    )
    metrics.GATEWAY_POINTS.inc(len(batch.steps))
    return Written(str(watermark))


@post(
    "/runs/{run_id:str}/attempts/{attempt:int}/logs",
    status_code=HTTPStatus.ACCEPTED,
    operation_id="write_logs",
    dto=raw_body(LogBatch),
    return_dto=None,
    middleware=[DefineMiddleware(Admission, limit=MAX_JSON_BYTES)],
    responses=fails(404, 413),
)
async def write_logs(
    request: GatewayRequest,
    workspace: WorkspaceParameter,
    run_id: RunIdParameter,
    attempt: AttemptParameter,
    data: JSONBody[bytes],
) -> Written:
    """Write a batch of console lines. The same batch (writer and seq) again counts once."""
    batch = log_batch.check(data)
    await request.gateway.attempts.require(workspace, run_id, attempt)
    watermark = await _append(
        request.gateway,
        topic=LOGS_TOPIC,
        type=LOG_LINES_WRITTEN,
        run_id=run_id,
        batch_id=f"{batch.writer}:{attempt}:{batch.seq}",
        value=log_batch.encode(batch, workspace=workspace, run_id=run_id, attempt=attempt),
    )
    return Written(str(watermark))


async def send(gateway: Gateway, command: Command) -> Reply:
    """The lifecycle's reply to a command that it accepted, or that was fulfilled already.

    Raises:
        ApiError: it was refused.
        ReplyTimeout: the outcome is unknown.
    """
    reply = await gateway.commands.send(command)
    if reply.outcome != "refused":
        return reply
    code, message = reply.code or "refused", reply.message or "The command was refused."
    if code == "id_taken" and not isinstance(command, CreateRun | CreateExperiment):
        # Another workspace has the id, which nobody in this one may learn.
        code = "run_not_found"
        message = f"There is no run {command.run_id} in workspace {command.workspace}."
    if code in {"run_not_found", "attempt_not_found"}:
        status = HTTPStatus.NOT_FOUND
    else:
        invalid = code.startswith("invalid_")
        status = HTTPStatus.BAD_REQUEST if invalid else HTTPStatus.CONFLICT
    shown = reply.status is not None and code not in {"id_taken", "run_not_found"}
    raise ApiError(status, code, message, {"status": reply.status} if shown else {})


async def _append(
    gateway: Gateway, *, topic: str, type: str, run_id: str, batch_id: str, value: bytes
) -> Watermark:
    headers = cloudevents.headers(
        id=f"{run_id}:{batch_id}",
        type=type,
        source=SOURCE,
        subject=run_id,
        time=datetime.now(UTC),
    )
    watermark = await gateway.appender.append(topic, run_id.encode(), value, headers)
    metrics.GATEWAY_BATCHES.labels(topic).inc()
    metrics.GATEWAY_BATCH_BYTES.labels(topic).inc(len(value))
    return watermark


async def _check_snapshot(
    gateway: Gateway, workspace: WorkspaceParameter, spec: ScriptSpec
) -> None:
    """Refuse now what a worker would only find out after the run has waited for it."""
    try:
        data = await gateway.objects.get_manifest(workspace, spec.snapshot_id)
    except ObjectNotFound as error:
        raise ApiError(
            400, "invalid_snapshot", f"{error} Send its blobs and its manifest first."
        ) from error
    if spec.command:
        return
    if not any(file.path == spec.script for file in Manifest.decode(data).files):
        raise ApiError(
            400,
            "invalid_script",
            f"The snapshot has no file {spec.script!r}. Name the script relative to the folder "
            "that was submitted, and look whether .amlignore leaves it out.",
        )


def _outcome(reply: Reply) -> Outcome:
    return "unchanged" if reply.outcome == "unchanged" else "accepted"


def _created(reply: Reply) -> int:
    return HTTPStatus.OK if reply.outcome == "unchanged" else HTTPStatus.CREATED


def _result(reply: Reply) -> CommandResult:
    return CommandResult(
        run_id=reply.run_id,
        command_id=reply.command_id,
        outcome=_outcome(reply),
        status=reply.status,
        version=reply.version,
        attempt=reply.attempt,
        watermark=reply.watermark,
    )


HANDLERS: Final = (create_experiment, create_run, send_command, log_metrics, write_logs)
