"""SQL over HTTP: one SELECT over the documented views, in the caller's workspace."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, TypeVar, cast

import msgspec
from litestar import MediaType, Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from msgspec import Meta, Struct

from runhistory.gateway.context import GatewayRequest
from runhistory.gateway.errors import ApiError, ErrorBody
from runhistory.gateway.wire import WatermarkQuery, WorkspaceParameter, fails, strict_body
from runhistory.query.guard import InvalidSql
from runhistory.query.sql import MAX_ROWS, Column, QueryTooExpensive, SqlRefused, SqlRows, View

T = TypeVar("T")

ARROW: Final = "application/vnd.apache.arrow.stream"
_EXACT_JSON: Final = frozenset(
    "String Bool Int8 Int16 Int32 Int64 UInt8 UInt16 UInt32 UInt64".split()
)


class SqlQuestion(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One SELECT, and how many rows of its answer are wanted."""

    query: Annotated[str, Meta(description="one SELECT in ClickHouse's dialect; see docs/sql.md")]
    limit: Annotated[int, Meta(ge=1, description="rows of the answer at most")] = MAX_ROWS


class SqlAnswer(Struct, frozen=True, kw_only=True):
    """Rows as lists in the columns' order. `type` is ClickHouse's and says how a value is written.

    Integers are numbers, up to 64 bits; wider ones are strings, and so are decimals. Floats are
    numbers or "NaN", "Infinity", "-Infinity". Times are RFC 3339 in UTC, dates YYYY-MM-DD,
    FixedString is hex. A Map is an object where its keys are strings, else a list of pairs.
    """

    columns: list[Column]
    rows: list[list[Any]]
    truncated: bool
    elapsed_ms: float
    rows_read: int | None


class ViewList(Struct, frozen=True):
    """The views that SQL may read."""

    views: list[View]


@post(
    "/sql",
    operation_id="run_sql",
    status_code=200,
    dto=strict_body(SqlQuestion),
    return_dto=None,
    responses={
        **fails(),
        422: ResponseSpec(
            ErrorBody,
            description="The query needs more time, memory or room than it may (`details.limit`).",
            generate_examples=False,
        ),
    },
)
async def run_sql(
    request: GatewayRequest,
    workspace: WorkspaceParameter,
    data: SqlQuestion,
    watermarks: WatermarkQuery = None,
) -> Response[SqlAnswer]:
    """Run one SELECT over the views. With `Accept: application/vnd.apache.arrow.stream` the answer
    is an Arrow stream, cut off at the limit.
    """
    engine = request.gateway.sql
    if data.limit > engine.limits.rows:
        raise ApiError(
            400, "invalid_request", f"limit: an answer has at most {engine.limits.rows:,} rows."
        )
    await request.wait_for_watermarks()
    asked: dict[str, Any] = {"workspace": workspace, "limit": data.limit}
    if ARROW in request.headers.get("accept", ""):
        stream = await _asking(request, lambda: engine.arrow(data.query, **asked))
        return cast("Response[SqlAnswer]", Response(stream, media_type=ARROW))
    found = await _asking(request, lambda: engine.rows(data.query, **asked))
    body = await asyncio.to_thread(_encoded, found)  # may be long
    return cast("Response[SqlAnswer]", Response(body, media_type=MediaType.JSON))


@get("/sql/views", operation_id="list_sql_views", responses=fails())
async def list_sql_views(request: GatewayRequest, workspace: WorkspaceParameter) -> ViewList:
    """The views that SQL may read, with their columns."""
    return ViewList(await request.gateway.sql.views())


async def _asking(request: GatewayRequest, ask: Callable[[], Awaitable[T]]) -> T:
    """What `ask` gives; it is cancelled when the client goes away."""
    asking = asyncio.ensure_future(ask())
    gone = asyncio.ensure_future(_until_gone(request))
    try:
        await asyncio.wait({asking, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not asking.done():
            raise ApiError(400, "client_gone", "The client went away before the answer was there.")
        return asking.result()
    except (InvalidSql, SqlRefused) as error:
        place = {} if error.line is None else {"line": error.line, "column": error.column}
        raise ApiError(400, "invalid_sql", str(error), place) from error
    except QueryTooExpensive as error:
        details = {"limit": error.limit, "value": error.value}
        raise ApiError(422, "query_too_expensive", str(error), details) from error
    finally:
        gone.cancel()
        asking.cancel()


async def _until_gone(request: GatewayRequest) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _encoded(found: SqlRows) -> bytes:
    columns = [
        data if _is_exact(column.type) else [_sayable(value) for value in data]
        for column, data in zip(found.columns, found.data, strict=False)
    ]
    return msgspec.json.encode(
        {
            "columns": found.columns,
            "rows": list(zip(*columns, strict=True)),
            "truncated": found.truncated,
            "elapsed_ms": found.elapsed_ms,
            "rows_read": found.rows_read,
        }
    )


def _is_exact(type: str) -> bool:
    """Whether JSON says values of this type as they are."""
    for wrapper in ("LowCardinality(", "Nullable("):
        if type.startswith(wrapper):
            type = type[len(wrapper) : -1]
    return type in _EXACT_JSON


def _sayable(value: Any) -> Any:
    """A value as JSON can say it without loss."""
    match value:
        case float() if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        case bool() | str() | float() | None:
            return value
        case int():
            return value if -(2**63) <= value < 2**64 else str(value)
        case datetime():
            return value.isoformat(timespec="microseconds").replace("+00:00", "Z")
        case bytes():
            return value.hex()
        case dict() if all(isinstance(key, str) for key in value):
            return {key: _sayable(one) for key, one in value.items()}
        case dict():
            return [[_sayable(key), _sayable(one)] for key, one in value.items()]
        case Sequence():
            return [_sayable(one) for one in value]
        case _:
            return str(value)


HANDLERS: Final = (run_sql, list_sql_views)
