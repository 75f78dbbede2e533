"""Reads of runs: pages of them, what a reference means, one with all that is known of it."""

from collections.abc import Callable, Iterable
from typing import Annotated, Any, Concatenate, Final, ParamSpec, TypeVar, cast

import msgspec
from litestar import MediaType, Response, get
from litestar.di import NamedDependency, Provide
from litestar.params import QueryParameter
from msgspec import Struct

from runhistory.domain.status import TERMINAL, RunStatus
from runhistory.domain.values import RunId, RunType
from runhistory.gateway.bodies import ResolvedRun
from runhistory.gateway.context import GatewayRequest
from runhistory.gateway.errors import ApiError
from runhistory.gateway.parameters import (
    ArchivedQuery,
    CursorQuery,
    ExperimentQuery,
    PairsQuery,
    ParentQuery,
    ReproducesQuery,
)
from runhistory.gateway.watermarks import WAIT_SECONDS
from runhistory.gateway.wire import RunIdParameter, WatermarkQuery, WorkspaceParameter, fails
from runhistory.query import references, runs
from runhistory.query.run_filter import RunFilter
from runhistory.query.run_fold import RunDetails
from runhistory.query.runs import MAX_PAGE, RunPage

P = ParamSpec("P")
T = TypeVar("T")


def make_run_filter(
    run: Annotated[
        list[RunId] | None,
        QueryParameter(max_items=MAX_PAGE, description="only these, in sight or not"),
    ] = None,
    experiment: ExperimentQuery = None,
    text: Annotated[
        str,
        QueryParameter(
            max_length=256, description="stands in the display name, the id or a tag, in any case"
        ),
    ] = "",
    status: Annotated[list[RunStatus] | None, QueryParameter(description="any of these")] = None,
    type: Annotated[RunType | None, QueryParameter()] = None,
    tag: PairsQuery = None,
    property: PairsQuery = None,
    parent: ParentQuery = None,
    recursive: Annotated[
        bool, QueryParameter(description="with parent: its children's children too, and theirs")
    ] = False,
    children: Annotated[
        bool,
        QueryParameter(description="also runs that have a parent; with parent it means nothing"),
    ] = False,
    reproduces: ReproducesQuery = None,
    archived: ArchivedQuery = "false",
) -> RunFilter:
    """The parameters of all reads that ask which runs."""
    return RunFilter(
        run_ids=run or (),
        experiment=experiment,
        text=text,
        statuses=status or (),
        type=type,
        tags=_wanted(tag or ()),
        properties=_wanted(property or ()),
        parent=parent,
        recursive=recursive,
        children=children,
        reproduces=reproduces,
        archived=archived,
    )


ASKED: Final[dict[str, Any]] = {"asked": Provide(make_run_filter, sync_to_thread=False)}


@get("/runs", operation_id="list_runs", dependencies=ASKED, responses=fails())
async def list_runs(
    request: GatewayRequest,
    workspace: WorkspaceParameter,
    asked: NamedDependency[RunFilter],
    limit: Annotated[int, QueryParameter(ge=1, le=MAX_PAGE)] = 100,
    cursor: CursorQuery = None,
    watermarks: WatermarkQuery = None,
) -> RunPage:
    """Runs, newest first, page by page: those in sight that have no parent, unless asked for."""
    return await read_visible(
        request, runs.list_runs, workspace=workspace, asked=asked, limit=limit, cursor=cursor
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
    found = await read_visible(
        request, references.resolve_run, workspace=workspace, ref=ref, experiment=experiment
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


@get("/runs/{run_id:str}", operation_id="get_run", responses=fails(404, 410))
async def get_run(
    request: GatewayRequest,
    workspace: WorkspaceParameter,
    run_id: RunIdParameter,
    watermarks: WatermarkQuery = None,
) -> Response[RunDetails]:
    """All that is known of a run."""
    await request.wait_for_watermarks()
    found = await require_run(request, workspace, run_id)
    # Who waits for a run's end reads next what it logged, which the sink may store after the end.
    if "watermark" in request.query_params and _is_over(found):
        await request.gateway.watermarks.catch_up_data(run_id, WAIT_SECONDS)
    return cast("Response[RunDetails]", Response(found, media_type=MediaType.JSON))


async def require_run(request: GatewayRequest, workspace: str, run_id: str) -> bytes:
    """The run's RunDetails as JSON, if there is such a run.

    Raises:
        ApiError: 404, the workspace has no such run.
        RunDeleted: it had.
    """
    has_written = "watermark" in request.query_params
    found = await request.gateway.runs.read(workspace, run_id, may_be_kept=not has_written)
    if found is None:
        raise ApiError(
            404,
            "run_not_found",
            f"There is no run {run_id} in workspace {workspace}. Check the id; just after "
            "creating it, read with the watermark that the creation returned.",
        )
    return found


async def read_visible(
    request: GatewayRequest,
    function: Callable[Concatenate[Any, P], T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """`function` over ClickHouse, once that has what the request's watermarks name."""
    await request.wait_for_watermarks()
    return await request.gateway.reader.read(function, *args, **kwargs)


class _Told(Struct):
    """Of a run's details, what is asked here."""

    status: RunStatus


def _is_over(details: bytes) -> bool:
    return msgspec.json.decode(details, type=_Told).status in TERMINAL


def _wanted(texts: Iterable[str]) -> dict[str, str | None]:
    pairs = [text.partition(":") for text in texts]
    if not all(name for name, _, _ in pairs):
        raise ApiError(400, "invalid_request", "Give name:value, such as tag=team:vision, or name.")
    return {name: value if colon else None for name, colon, value in pairs}


HANDLERS: Final = (list_runs, resolve_run, get_run)
