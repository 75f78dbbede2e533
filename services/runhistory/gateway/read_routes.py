"""Reads of what runs left behind: curves, log lines and lists of files, from ClickHouse.

Every read takes `?watermark=` and waits until ClickHouse has what a write returned it for.
"""

from typing import Annotated, Any, Final, Literal, cast

import msgspec
from litestar import MediaType, Response, get
from litestar.params import QueryParameter

from runhistory.domain.ingestion import Ingestion
from runhistory.gateway.bodies import FileList, MetricList, SeriesList
from runhistory.gateway.context import GatewayRequest
from runhistory.gateway.parameters import CursorQuery
from runhistory.gateway.run_routes import read_visible, require_run
from runhistory.gateway.wire import (
    MAX_ATTEMPT,
    AttemptQuery,
    RunIdParameter,
    WatermarkQuery,
    WorkspaceParameter,
    fails,
)
from runhistory.query import files, ingestion, logs, metrics
from runhistory.query.logs import MAX_LINES, LogPage
from runhistory.query.metrics import AttemptChoice

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


@get(
    "/runs/{run_id:str}/metrics",
    operation_id="get_metrics_of_run",
    responses=fails(404, 410, 413),
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
    encoded = await read_visible(
        request,
        _encoded_curves,
        workspace=workspace,
        run_id=run_id,
        keys=keys or (),
        prefix=prefix,
        attempt=attempt_choice(attempts),
        system=system,
        max_points=request.gateway.max_points,
    )
    if encoded is None:
        await require_run(request, workspace, run_id)
        return Response(MetricList([]))
    return cast("Response[MetricList]", Response(encoded, media_type=MediaType.JSON))


@get("/runs/{run_id:str}/series", operation_id="get_series_of_run", responses=fails(404, 410))
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
    found = await read_visible(
        request,
        metrics.load_summaries,
        workspace=workspace,
        run_id=run_id,
        keys=keys or (),
        prefix=prefix,
        attempt=attempt_choice(attempts),
        system=system,
    )
    if not found:
        await require_run(request, workspace, run_id)
    return SeriesList(found)


@get("/runs/{run_id:str}/logs", operation_id="get_logs_of_run", responses=fails(404, 410))
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
    page = await read_visible(
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


@get("/runs/{run_id:str}/files", operation_id="list_files_of_run", responses=fails(404, 410))
async def list_files(
    request: GatewayRequest,
    workspace: WorkspaceParameter,
    run_id: RunIdParameter,
    attempt: AttemptQuery = None,
    watermarks: WatermarkQuery = None,
) -> FileList:
    """The files that a run kept: of each name the newest attempt's, unless one is asked for."""
    found = await read_visible(
        request, files.list_files, workspace=workspace, run_id=run_id, attempt=attempt
    )
    if not found:
        await require_run(request, workspace, run_id)
    return FileList(found)


@get("/runs/{run_id:str}/ingestion", operation_id="get_ingestion_of_run", responses=fails(404, 410))
async def get_ingestion(
    request: GatewayRequest,
    workspace: WorkspaceParameter,
    run_id: RunIdParameter,
    watermarks: WatermarkQuery = None,
) -> Ingestion:
    """What arrived of a run: each writer's batches, which are missing, and which were changed."""
    found = await read_visible(
        request, ingestion.load_ingestion, workspace=workspace, run_id=run_id
    )
    if not found.writers:
        await require_run(request, workspace, run_id)
    return found


def _encoded_curves(client: Any, /, **asked: Any) -> bytes | None:
    """The body of an answer, None without points. Made in the reader's thread: it may be long."""
    found = metrics.load_curves(client, **asked)
    return msgspec.json.encode(MetricList(found)) if found else None


def attempt_choice(text: str) -> AttemptChoice:
    """The attempts that an AttemptsQuery means."""
    match text:
        case "latest" | "all":
            return text
        case number:
            return min(int(number), MAX_ATTEMPT)


HANDLERS: Final = (
    get_metrics,
    get_series,
    get_logs,
    list_files,
    get_ingestion,
)
