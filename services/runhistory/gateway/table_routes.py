"""A table of runs: any window of it in any order, and which columns it can have."""

from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from runhistory.gateway.context import GatewayRequest
from runhistory.gateway.errors import ApiError
from runhistory.gateway.run_routes import ASKED, read_visible
from runhistory.gateway.wire import WatermarkQuery, WorkspaceParameter, fails
from runhistory.query import run_table, table_columns
from runhistory.query.run_columns import InvalidColumn, parse_column
from runhistory.query.run_filter import RunFilter
from runhistory.query.run_order import NEWEST_FIRST, InvalidOrder
from runhistory.query.run_table import RunOrdering, RunTable
from runhistory.query.runs import MAX_PAGE
from runhistory.query.table_columns import MAX_NAMES, TableColumns

MAX_COLUMNS: Final = 200


@get("/runs/table", operation_id="get_run_table", dependencies=ASKED, responses=fails())
async def get_run_table(
    request: GatewayRequest,
    workspace: WorkspaceParameter,
    asked: NamedDependency[RunFilter],
    column: Annotated[
        list[str] | None,
        QueryParameter(
            max_items=MAX_COLUMNS,
            description="param:NAME, tag:NAME, property:NAME, last:KEY, min:KEY or max:KEY",
        ),
    ] = None,
    sort: Annotated[
        str, QueryParameter(description="an attribute or a column; with a minus downwards")
    ] = NEWEST_FIRST,
    as_of: Annotated[
        datetime | None, QueryParameter(description="only runs created until then")
    ] = None,
    offset: Annotated[int, QueryParameter(ge=0, le=2**31 - 1)] = 0,
    limit: Annotated[int, QueryParameter(ge=0, le=MAX_PAGE)] = 100,
    watermarks: WatermarkQuery = None,
) -> RunTable:
    """A window of the table of runs. With the answer's `as_of` nothing moves in it."""
    bound = as_of if as_of is None or as_of.tzinfo else as_of.replace(tzinfo=UTC)
    await request.wait_for_watermarks()
    try:
        columns = [parse_column(text) for text in column or ()]
        ordering, is_fresh = await _ordering(request, workspace, asked, sort, bound)
    except (InvalidColumn, InvalidOrder) as error:
        raise ApiError(400, "invalid_request", str(error)) from error
    return await request.gateway.reader.read(
        run_table.load_run_table,
        workspace=workspace,
        ordering=ordering,
        asked=asked,
        columns=columns,
        may_have_newer=not is_fresh,
        offset=offset,
        limit=limit,
    )


async def _ordering(
    request: GatewayRequest,
    workspace: str,
    asked: RunFilter,
    sort: str,
    as_of: datetime | None,
) -> tuple[RunOrdering, bool]:
    """The one whose windows the client looks at, if it is still here; else one that is made, and
    whether that has all runs that there are now."""
    kept = request.gateway.orderings
    question = msgspec.json.encode((workspace, asked, sort))
    found = kept.find(question, as_of) if as_of else None
    if found is not None:
        return found, False
    made = await request.gateway.reader.read(
        run_table.load_run_ordering,
        workspace=workspace,
        asked=asked,
        sort=sort,
        as_of=as_of,
    )
    kept.keep(question, made)
    return made, as_of is None


@get("/runs/columns", operation_id="get_table_columns", dependencies=ASKED, responses=fails())
async def get_table_columns(
    request: GatewayRequest,
    workspace: WorkspaceParameter,
    asked: NamedDependency[RunFilter],
    limit: Annotated[int, QueryParameter(ge=1, le=MAX_NAMES)] = MAX_NAMES,
    watermarks: WatermarkQuery = None,
) -> TableColumns:
    """The params, tags, properties and metrics that these runs have, the most frequent first.

    Of more than 10,000 runs the newest are looked at. A name that only older ones use is a column
    all the same: write it."""
    return await read_visible(
        request, table_columns.load_table_columns, workspace=workspace, asked=asked, limit=limit
    )


HANDLERS: Final = (get_run_table, get_table_columns)
