"""`GET /live`: what moves in the runs that a page shows, in one stream that is resumed anywhere."""

from typing import Annotated, Final

from litestar import get
from litestar.datastructures import ResponseHeader
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter
from litestar.response import Stream

from runhistory.domain.values import RunId
from runhistory.gateway.bodies import ServerSentEvent
from runhistory.gateway.context import GatewayRequest
from runhistory.gateway.errors import ApiError
from runhistory.gateway.event_filter import InvalidFilter, make_filter
from runhistory.gateway.event_routes import (
    AfterQuery,
    EventStream,
    LastEventId,
    require_room,
    start_of,
)
from runhistory.gateway.live_shape import LINES, POINTS, LiveShape, begin
from runhistory.gateway.wire import WorkspaceParameter, fails

_SHAPE: Final = LiveShape()


@get(
    "/live",
    operation_id="watch_runs",
    media_type="text/event-stream",
    responses={
        **fails(410),
        200: ResponseSpec(
            ServerSentEvent,
            description="server-sent events: begin, event, points, moved, lines, more_lines, reset",
            media_type="text/event-stream",
        ),
    },
    response_headers=[ResponseHeader(name="X-Accel-Buffering", value="no")],
)
async def watch_runs(
    request: GatewayRequest,
    workspace: WorkspaceParameter,
    runs: Annotated[list[RunId], QueryParameter(name="run", description="ids, at most 100")],
    points: Annotated[bool, QueryParameter(description="tell of new points too")] = True,
    lines: Annotated[bool, QueryParameter(description="tell of new console lines too")] = True,
    after: AfterQuery = None,
    last_event_id: LastEventId = None,
) -> Stream:
    """What happens to these runs from now on: their events, points and console lines."""
    gateway = request.gateway
    require_room(gateway)
    types = ["run.*", *([POINTS] if points else []), *([LINES] if lines else [])]
    try:
        wanted = make_filter(workspace, types=types, run_ids=runs)
    except InvalidFilter as error:
        raise ApiError(400, "invalid_request", str(error)) from error
    place = last_event_id or after or None
    start = await start_of(gateway, wanted, after=place)
    first = b"" if place else begin(start)
    return EventStream(gateway.events.open(wanted, start, shape=_SHAPE, first=first))


HANDLERS: Final = (watch_runs,)
