"""Curves for drawing, in binary: many at once, downsampled by ClickHouse with true extremes."""

from typing import Annotated, Any, Final

from litestar import Response, get
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter

from runhistory.domain.values import RunId
from runhistory.gateway.context import GatewayRequest
from runhistory.gateway.curve_body import MEDIA_TYPE, CurvesHeader, encode_curves
from runhistory.gateway.errors import ApiError
from runhistory.gateway.read_routes import AttemptsQuery, attempt_choice
from runhistory.gateway.run_routes import read_visible
from runhistory.gateway.wire import WatermarkQuery, WorkspaceParameter, fails
from runhistory.query.curve_plan import LEAST, MOST
from runhistory.query.curves import load_drawn_curves
from runhistory.query.drawn import Axis, Range

MAX_NAMED: Final = 100
MAX_CURVES: Final = 1_000
MAX_PLACES: Final = 5_000


@get(
    "/curves",
    operation_id="get_curves",
    media_type=MEDIA_TYPE,
    responses={
        **fails(),
        200: ResponseSpec(
            CurvesHeader,
            description="the header, which says where in the float64 numbers behind it each curve "
            "is; see docs/curves.md",
            media_type=MEDIA_TYPE,
        ),
    },
)
async def get_curves(
    request: GatewayRequest,
    workspace: WorkspaceParameter,
    runs: Annotated[
        list[RunId], QueryParameter(name="run", max_items=MAX_NAMED, description="ids")
    ],
    keys: Annotated[
        list[str], QueryParameter(name="key", max_items=MAX_NAMED, description="these metrics")
    ],
    x: Annotated[Axis, QueryParameter(description="what they are drawn over")] = "step",
    low: Annotated[
        int | None,
        QueryParameter(name="from", ge=LEAST, le=MOST, description="a step, or µs since 1970"),
    ] = None,
    high: Annotated[
        int | None, QueryParameter(name="to", ge=LEAST, le=MOST, description="this one too")
    ] = None,
    points: Annotated[
        int, QueryParameter(ge=10, le=MAX_PLACES, description="at most so many places each")
    ] = 1_000,
    attempts: AttemptsQuery = "latest",
    watermarks: WatermarkQuery = None,
) -> Response[bytes]:
    """Curves of these metrics of these runs: their points, or the extremes of buckets of them."""
    if len(set(runs)) * len(set(keys)) > MAX_CURVES:
        raise ApiError(
            400,
            "invalid_request",
            f"That would be {len(set(runs)) * len(set(keys))} curves, and one answer may have "
            f"{MAX_CURVES}. Ask for fewer runs or metrics at once.",
        )
    within = Range(x, LEAST if low is None else low, MOST if high is None else high)
    body = await read_visible(
        request,
        _encoded,
        workspace=workspace,
        run_ids=runs,
        keys=keys,
        within=within,
        points=points,
        attempt=attempt_choice(attempts),
    )
    return Response(body, media_type=MEDIA_TYPE)


def _encoded(client: Any, /, *, within: Range, **asked: Any) -> bytes:
    """The body of an answer, made in the reader's thread."""
    return encode_curves(load_drawn_curves(client, within=within, **asked), within.x)


HANDLERS: Final = (get_curves,)
