"""Experiments: create one, change what is said about it, read them."""

from http import HTTPStatus
from typing import Annotated, Final

from litestar import Response, get, post
from litestar.params import JSONBody, PathParameter

from runhistory.domain.commands import CreateExperiment
from runhistory.domain.ids import experiment_id, new_command_id
from runhistory.events.codec import Reply
from runhistory.gateway.bodies import (
    ExperimentCreation,
    ExperimentList,
    ExperimentResult,
    Overview,
)
from runhistory.gateway.context import Gateway, GatewayRequest
from runhistory.gateway.errors import ApiError
from runhistory.gateway.parameters import ArchivedQuery
from runhistory.gateway.sending import created_status, outcome_of, send
from runhistory.gateway.watermarks import WAIT_SECONDS
from runhistory.gateway.wire import WatermarkQuery, WorkspaceParameter, fails, strict_body
from runhistory.gateway.wishes import DeleteExperiment, ExperimentCommand, to_experiment_command
from runhistory.query import experiments, overview
from runhistory.query.experiments import ExperimentSummary


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
    return Response(_result(data.name, reply), status_code=created_status(reply))


@post(
    "/experiments/commands",
    status_code=HTTPStatus.OK,
    operation_id="send_experiment_command",
    dto=strict_body(ExperimentCommand),
    return_dto=None,
    responses=fails(404, 409),
)
async def send_experiment_command(
    request: GatewayRequest, workspace: WorkspaceParameter, data: JSONBody[ExperimentCommand]
) -> ExperimentResult:
    """Send a command to an experiment, which the body names. Only an empty one can be deleted."""
    gateway = request.gateway
    if isinstance(data, DeleteExperiment):
        await _require_empty(gateway, workspace, data.name)
    else:
        await _require_known(gateway, workspace, data.name)
    reply = await send(gateway, to_experiment_command(data, workspace=workspace))
    return _result(data.name, reply)


@get("/experiments", operation_id="list_experiments", responses=fails())
async def list_experiments(
    request: GatewayRequest,
    workspace: WorkspaceParameter,
    archived: ArchivedQuery = "false",
    watermarks: WatermarkQuery = None,
) -> ExperimentList:
    """The workspace's experiments, the last active first."""
    await request.wait_for_watermarks()
    found = await request.gateway.reader.read(
        experiments.list_experiments, workspace=workspace, archived=archived
    )
    return ExperimentList(found)


@get("/overview", operation_id="get_overview", responses=fails())
async def get_overview(
    request: GatewayRequest,
    workspace: WorkspaceParameter,
    archived: ArchivedQuery = "false",
    watermarks: WatermarkQuery = None,
) -> Overview:
    """The workspace's experiments, each with the main metric of its newest run."""
    await request.wait_for_watermarks()
    found = await request.gateway.reader.read(
        overview.load_overview, workspace=workspace, archived=archived
    )
    return Overview(found)


@get("/experiments/{name:path}", operation_id="get_experiment", responses=fails(404))
async def get_experiment(
    request: GatewayRequest,
    workspace: WorkspaceParameter,
    name: Annotated[str, PathParameter(description="the experiment's name")],
    watermarks: WatermarkQuery = None,
) -> ExperimentSummary:
    """One experiment."""
    return await _read_named(request, workspace)


@get("/experiments/commands", include_in_schema=False)
async def get_experiment_called_commands(
    request: GatewayRequest, workspace: WorkspaceParameter
) -> ExperimentSummary:
    """The one whose name is also the path that commands are sent to."""
    return await _read_named(request, workspace)


async def _read_named(request: GatewayRequest, workspace: str) -> ExperimentSummary:
    await request.wait_for_watermarks()
    name = request.rest_of_path(b"/experiments/").decode(errors="replace")
    return _found(await _read(request.gateway, workspace, name), workspace, name)


async def _require_known(gateway: Gateway, workspace: str, name: str) -> None:
    """Return if somebody knows the experiment; one that was just created may not be visible."""
    if await _read(gateway, workspace, name) is None:
        await gateway.watermarks.catch_up_all(WAIT_SECONDS)
        _found(await _read(gateway, workspace, name), workspace, name)


async def _require_empty(gateway: Gateway, workspace: str, name: str) -> None:
    """Return if the experiment had no run a moment ago. One created since creates it anew."""
    await gateway.watermarks.catch_up_all(WAIT_SECONDS)
    found = await _read(gateway, workspace, name)
    if found is None and await gateway.reader.read(
        experiments.is_deleted, workspace=workspace, name=name
    ):
        return  # perhaps by this very command, whose answer was lost: the lifecycle knows
    found = _found(found, workspace, name)
    if count := sum(found.runs.values()):
        raise ApiError(
            409,
            "experiment_not_empty",
            f"Experiment {name!r} has {count} {'run' if count == 1 else 'runs'}. Delete those "
            "first, archived ones too, or archive the experiment.",
            {"runs": count},
        )


async def _read(gateway: Gateway, workspace: str, name: str) -> ExperimentSummary | None:
    return await gateway.reader.read(experiments.get_experiment, workspace=workspace, name=name)


def _found(found: ExperimentSummary | None, workspace: str, name: str) -> ExperimentSummary:
    if found is None:
        raise ApiError(
            404, "not_found", f"There is no experiment {name!r} in workspace {workspace}."
        )
    return found


def _result(name: str, reply: Reply) -> ExperimentResult:
    return ExperimentResult(
        experiment_id=reply.run_id,
        name=name,
        command_id=reply.command_id,
        outcome=outcome_of(reply),
        watermark=reply.watermark,
    )


HANDLERS: Final = (
    create_experiment,
    send_experiment_command,
    list_experiments,
    get_overview,
    get_experiment,
    get_experiment_called_commands,
)
