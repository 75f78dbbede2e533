"""What a run's page reads: its console by line numbers, and its events as they are in the log."""

from typing import Annotated, Final, Literal

from litestar import get
from litestar.params import QueryParameter

from runhistory.gateway.context import GatewayRequest
from runhistory.gateway.run_routes import read_visible, require_run
from runhistory.gateway.wire import (
    MAX_ATTEMPT,
    RunIdParameter,
    WatermarkQuery,
    WorkspaceParameter,
    fails,
)
from runhistory.query import console, run_events
from runhistory.query.console import (
    MAX_MATCHES,
    MAX_WINDOW,
    ConsoleMatches,
    ConsoleWindow,
    LineFilter,
)
from runhistory.query.run_events import MAX_EVENTS, EventOrder, EventPage

StreamQuery = Annotated[
    list[Literal["stdout", "stderr", "system"]] | None, QueryParameter(description="any of these")
]
OfAttemptQuery = Annotated[
    int | None, QueryParameter(ge=1, le=MAX_ATTEMPT, description="all unless given")
]


@get("/runs/{run_id:str}/console", operation_id="get_console_of_run", responses=fails(404, 410))
async def get_console(
    request: GatewayRequest,
    workspace: WorkspaceParameter,
    run_id: RunIdParameter,
    first: Annotated[
        int, QueryParameter(name="from", ge=1, le=2**53, description="the first line's number")
    ] = 1,
    from_place: Annotated[
        int,
        QueryParameter(
            ge=1, le=2**53, description="the first line's place among those that were asked for"
        ),
    ] = 1,
    limit: Annotated[int, QueryParameter(ge=1, le=MAX_WINDOW)] = 500,
    tail: Annotated[
        int | None,
        QueryParameter(ge=1, le=MAX_WINDOW, description="only the last so many; instead of limit"),
    ] = None,
    stream: StreamQuery = None,
    attempt: OfAttemptQuery = None,
    watermarks: WatermarkQuery = None,
) -> ConsoleWindow:
    """Console lines by their numbers, which count over the whole run in the order of arrival."""
    found = await read_visible(
        request,
        console.load_console,
        workspace=workspace,
        run_id=run_id,
        first=first,
        first_place=from_place,
        limit=tail or limit,
        is_tail=tail is not None,
        asked=LineFilter(streams=stream or (), attempt=attempt),
    )
    if not found.lines:
        await require_run(request, workspace, run_id)
    return found


@get(
    "/runs/{run_id:str}/console/matches",
    operation_id="find_in_console_of_run",
    responses=fails(404, 410),
)
async def find_in_console(
    request: GatewayRequest,
    workspace: WorkspaceParameter,
    run_id: RunIdParameter,
    text: Annotated[
        str, QueryParameter(min_length=1, max_length=1_000, description="in any case of letters")
    ],
    limit: Annotated[int, QueryParameter(ge=1, le=MAX_MATCHES)] = MAX_MATCHES,
    stream: StreamQuery = None,
    attempt: OfAttemptQuery = None,
    watermarks: WatermarkQuery = None,
) -> ConsoleMatches:
    """The numbers of the console lines that have a text in them."""
    found = await read_visible(
        request,
        console.find_lines,
        workspace=workspace,
        run_id=run_id,
        text=text,
        limit=limit,
        asked=LineFilter(streams=stream or (), attempt=attempt),
    )
    if not found.numbers:
        await require_run(request, workspace, run_id)
    return found


@get("/runs/{run_id:str}/events", operation_id="get_events_of_run", responses=fails(404, 410))
async def get_run_events(
    request: GatewayRequest,
    workspace: WorkspaceParameter,
    run_id: RunIdParameter,
    after: Annotated[
        int | None,
        QueryParameter(ge=0, le=2**53, description="behind the event with this version"),
    ] = None,
    order: EventOrder = "asc",
    limit: Annotated[int, QueryParameter(ge=1, le=MAX_EVENTS)] = 200,
    watermarks: WatermarkQuery = None,
) -> EventPage:
    """A run's events as they are in the log, by version, with where they lie in run.events."""
    found = await read_visible(
        request,
        run_events.load_event_page,
        workspace=workspace,
        run_id=run_id,
        after=after,
        order=order,
        limit=limit,
    )
    if not found.events:
        await require_run(request, workspace, run_id)
    return found


HANDLERS: Final = (get_console, find_in_console, get_run_events)
