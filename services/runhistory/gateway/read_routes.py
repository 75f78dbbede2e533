"""Reads: experiments, runs, curves, log lines and lists of files, from ClickHouse.

Every read takes `?watermark=` and waits until ClickHouse has what a write returned it for.
"""

from collections.abc import Callable
from typing import Annotated, Any, Concatenate, Final, Literal, ParamSpec, TypeVar, cast

import msgspec
from litestar import MediaType, Response, get
from litestar.params import PathParameter, QueryParameter

from runhistory.domain.status import RunStatus
from runhistory.domain.values import RunType
from runhistory.gateway.bodies import (
    ExperimentList,
    FileList,
    MetricList,
    ResolvedRun,
    SeriesList,
)
from runhistory.gateway.context import GatewayRequest
from runhistory.gateway.errors import ApiError
from runhistory.gateway.wire import (
    MAX_ATTEMPT,
    AttemptQuery,
    RunIdParameter,
    WatermarkQuery,
    WorkspaceParameter,
    fails,
)
from runhistory.query import experiments, files, logs, metrics, runs
from runhistory.query.experiments import ExperimentSummary
from runhistory.query.logs import MAX_LINES, LogPage
from runhistory.query.metrics import AttemptChoice
from runhistory.query.runs import MAX_PAGE, RunDetails, RunPage

P = ParamSpec("P")
T = TypeVar("T")

ExperimentQuery = Annotated[str | None, QueryParameter(description="only runs of this experiment")]
CursorQuery = Annotated[str | None, QueryParameter(description="as the page before gave it")]
KeysQuery = Annotated[
    list[str] | None, QueryParameter(name="key", description="these metrics; all, without one")
]
PrefixQuery = Annotated[str, QueryParameter(description="only metrics whose name begins so")]
SystemQuery = Annotated[
    bool,
    QueryParameter(
        description="false: without the load of host and GPUs (system/…), unless key or prefix "
        "ask for it"
    ),
]
AttemptsQuery = Annotated[
    str,
    QueryParameter(
        name="attempt",
        pattern=r"^(latest|all|[1-9][0-9]{0,9})$",
        description="`latest`: an attempt hides earlier ones from its own first step on",
    ),
]


@get("/experiments", operation_id="list_experiments", responses=fails())
async def list_experiments(
    request: GatewayRequest, workspace: WorkspaceParameter, watermarks: WatermarkQuery = None
) -> ExperimentList:
    """All experiments of the workspace, the last active first."""
    found = await _read(request, experiments.list_experiments, workspace=workspace)
    return ExperimentList(found)


@get("/experiments/{name:path}", operation_id="get_experiment", responses=fails(404))
async def get_experiment(
    request: GatewayRequest,
    workspace: WorkspaceParameter,
    name: Annotated[str, PathParameter(description="the experiment's name")],
    watermarks: WatermarkQuery = None,
) -> ExperimentSummary:
    """One experiment."""
    name = request.rest_of_path(b"/experiments/").decode(errors="replace")
    found = await _read(request, experiments.get_experiment, workspace=workspace, name=name)
    if found is None:
        raise ApiError(
            404, "not_found", f"There is no experiment {name!r} in workspace {workspace}."
        )
    return found


@get("/runs", operation_id="list_runs", responses=fails())
async def list_runs(
    request: GatewayRequest,
    workspace: WorkspaceParameter,
    experiment: ExperimentQuery = None,
    status: Annotated[list[RunStatus] | None, QueryParameter(description="any of these")] = None,
    type: Annotated[RunType | None, QueryParameter()] = None,
    tag: Annotated[list[str] | None, QueryParameter(description="name:value; all of these")] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=MAX_PAGE)] = 100,
    cursor: CursorQuery = None,
    watermarks: WatermarkQuery = None,
) -> RunPage:
    """Runs, newest first, page by page."""
    return await _read(
        request,
        runs.list_runs,
        workspace=workspace,
        experiment=experiment,
        statuses=status or (),
        type=type,
        tags=_tags(tag or ()),
        limit=limit,
        cursor=cursor,
    )


@get("/runs/resolve", operation_id="resolve_run", responses=fails(404, 409))
async def resolve_run(
    request: GatewayRequest,
    workspace: WorkspaceParameter,
    ref: Annotated[
        str,
        QueryParameter(
            min_length=1,
            max_length=256,
            description="an id, its unique prefix (4 digits or more), a display name, or @latest",
        ),
    ],
    experiment: ExperimentQuery = None,
    watermarks: WatermarkQuery = None,
) -> ResolvedRun:
    """The run that a reference means; 409 names the candidates where it means several."""
    found = await _read(
        request, runs.resolve_run, workspace=workspace, ref=ref, experiment=experiment
    )
    match found:
        case [run]:
            return ResolvedRun(run.run_id)
        case []:
            raise ApiError(
                404,
                "run_not_found",
                f"No run of workspace {workspace} is meant by {ref!r}. Give an id, at least 4 "
                "digits of its beginning, a display name, or @latest.",
            )
        case several:
            names = ", ".join(f"{run.run_id} ({run.display_name})" for run in several)
            raise ApiError(
                409,
                "ambiguous_run",
                f"{ref!r} may mean several runs: {names}. Give more digits, or the whole id.",
                {"candidates": [{"run_id": r.run_id, "display_name": r.display_name,
                                 "experiment": r.experiment, "status": r.status}
                                for r in several]},
            )  # fmt: skip


@get("/runs/{run_id:str}", operation_id="get_run", responses=fails(404))
async def get_run(
    request: GatewayRequest,
    workspace: WorkspaceParameter,
    run_id: RunIdParameter,
    watermarks: WatermarkQuery = None,
) -> RunDetails:
    """All that is known of a run."""
    await request.wait_for_watermarks()
    return await require_run(request, workspace, run_id)


@get(
    "/runs/{run_id:str}/metrics",
    operation_id="get_metrics_of_run",
    responses=fails(404, 413),
)
async def get_metrics(
    request: GatewayRequest,
    workspace: WorkspaceParameter,
    run_id: RunIdParameter,
    keys: KeysQuery = None,
    prefix: PrefixQuery = "",
    attempts: AttemptsQuery = "latest",
    system: SystemQuery = True,
    watermarks: WatermarkQuery = None,
) -> Response[MetricList]:
    """The points of a run's metrics by columns, in step order."""
    encoded = await _read(
        request,
        _encoded_curves,
        workspace=workspace,
        run_id=run_id,
        keys=keys or (),
        prefix=prefix,
        attempt=_attempts(attempts),
        system=system,
        max_points=request.gateway.max_points,
    )
    if encoded is None:
        await require_run(request, workspace, run_id)
        return Response(MetricList([]))
    return cast("Response[MetricList]", Response(encoded, media_type=MediaType.JSON))


@get("/runs/{run_id:str}/series", operation_id="get_series_of_run", responses=fails(404))
async def get_series(
    request: GatewayRequest,
    workspace: WorkspaceParameter,
    run_id: RunIdParameter,
    keys: KeysQuery = None,
    prefix: PrefixQuery = "",
    attempts: AttemptsQuery = "latest",
    system: SystemQuery = True,
    watermarks: WatermarkQuery = None,
) -> SeriesList:
    """A summary of each of a run's metrics."""
    found = await _read(
        request,
        metrics.load_summaries,
        workspace=workspace,
        run_id=run_id,
        keys=keys or (),
        prefix=prefix,
        attempt=_attempts(attempts),
        system=system,
    )
    if not found:
        await require_run(request, workspace, run_id)
    return SeriesList(found)


@get("/runs/{run_id:str}/logs", operation_id="get_logs_of_run", responses=fails(404))
async def get_logs(
    request: GatewayRequest,
    workspace: WorkspaceParameter,
    run_id: RunIdParameter,
    after: CursorQuery = None,
    stream: Annotated[
        list[Literal["stdout", "stderr", "system"]] | None,
        QueryParameter(description="any of these"),
    ] = None,
    attempt: AttemptQuery = None,
    limit: Annotated[int, QueryParameter(ge=1, le=MAX_LINES)] = 1_000,
    tail: Annotated[
        int | None,
        QueryParameter(ge=1, le=MAX_LINES, description="only the last so many; instead of limit"),
    ] = None,
    watermarks: WatermarkQuery = None,
) -> LogPage:
    """A run's console lines in the order in which they arrived, page by page or from the end."""
    page = await _read(
        request,
        logs.load_log_page,
        workspace=workspace,
        run_id=run_id,
        after=after,
        streams=stream or (),
        attempt=attempt,
        limit=tail or limit,
        is_tail=tail is not None,
    )
    if not page.lines:
        await require_run(request, workspace, run_id)
    return page


@get("/runs/{run_id:str}/files", operation_id="list_files_of_run", responses=fails(404))
async def list_files(
    request: GatewayRequest,
    workspace: WorkspaceParameter,
    run_id: RunIdParameter,
    attempt: AttemptQuery = None,
    watermarks: WatermarkQuery = None,
) -> FileList:
    """The files that a run kept: of each name the newest attempt's, unless one is asked for."""
    found = await _read(
        request, files.list_files, workspace=workspace, run_id=run_id, attempt=attempt
    )
    if not found:
        await require_run(request, workspace, run_id)
    return FileList(found)


async def require_run(request: GatewayRequest, workspace: str, run_id: str) -> RunDetails:
    """The run.

    Raises:
        ApiError: 404, the workspace has no such run.
    """
    found = await request.gateway.reader.read(runs.get_run, workspace=workspace, run_id=run_id)
    if found is None:
        raise ApiError(
            404,
            "run_not_found",
            f"There is no run {run_id} in workspace {workspace}. Check the id; just after "
            "creating it, read with the watermark that the creation returned.",
        )
    return found


async def _read(
    request: GatewayRequest,
    function: Callable[Concatenate[Any, P], T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """`function` over ClickHouse, once that has what the request's watermarks name."""
    await request.wait_for_watermarks()
    return await request.gateway.reader.read(function, *args, **kwargs)


def _encoded_curves(client: Any, /, **asked: Any) -> bytes | None:
    """The body of an answer, None without points. Made in the reader's thread: it may be long."""
    found = metrics.load_curves(client, **asked)
    return msgspec.json.encode(MetricList(found)) if found else None


def _attempts(text: str) -> AttemptChoice:
    match text:
        case "latest" | "all":
            return text
        case number:
            return min(int(number), MAX_ATTEMPT)


def _tags(texts: list[str] | tuple[()]) -> dict[str, str]:
    pairs = [text.partition(":") for text in texts]
    if any(not name or not colon for name, colon, _ in pairs):
        raise ApiError(400, "invalid_request", "tag: give name:value, such as tag=team:vision.")
    return {name: value for name, _, value in pairs}


HANDLERS: Final = (
    list_experiments,
    get_experiment,
    list_runs,
    resolve_run,
    get_run,
    get_metrics,
    get_series,
    get_logs,
    list_files,
)
