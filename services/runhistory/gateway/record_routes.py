"""Records, what a run logs beside points: batches of them in, pages of them out."""

from http import HTTPStatus
from typing import Annotated, Final

from litestar import get, post
from litestar.middleware import DefineMiddleware
from litestar.params import JSONBody, QueryParameter

from runhistory.events.record_batch import RecordBatch, RecordKind
from runhistory.gateway.admission import Admission
from runhistory.gateway.batches import RECORDS, Envelope, take_batch
from runhistory.gateway.bodies import Written
from runhistory.gateway.context import GatewayRequest
from runhistory.gateway.parameters import CursorQuery
from runhistory.gateway.read_routes import AttemptsQuery, KeysQuery, attempt_choice
from runhistory.gateway.run_routes import read_visible, require_run
from runhistory.gateway.wire import (
    AttemptParameter,
    RunIdParameter,
    WatermarkQuery,
    WorkspaceParameter,
    fails,
    raw_body,
)
from runhistory.query import records
from runhistory.query.records import MAX_RECORDS, RecordPage


@post(
    "/runs/{run_id:str}/attempts/{attempt:int}/records",
    status_code=HTTPStatus.ACCEPTED,
    operation_id="log_records",
    dto=raw_body(RecordBatch),
    return_dto=None,
    request_max_body_size=RECORDS.max_bytes,
    middleware=[DefineMiddleware(Admission, limit=RECORDS.max_bytes)],
    responses=fails(404, 410, 413),
)
async def log_records(
    request: GatewayRequest,
    workspace: WorkspaceParameter,
    run_id: RunIdParameter,
    attempt: AttemptParameter,
    data: JSONBody[bytes],
) -> Written:
    """Log a batch of records (texts, rows, tables, images), however late.

    The same batch (writer and seq) again counts once. A record with a file names one that the
    run kept, or is about to keep.
    """
    watermark = await take_batch(
        request.gateway, RECORDS, Envelope(workspace, run_id, attempt), data
    )
    return Written(str(watermark))


@get("/runs/{run_id:str}/records", operation_id="get_records_of_run", responses=fails(404))
async def get_records(
    request: GatewayRequest,
    workspace: WorkspaceParameter,
    run_id: RunIdParameter,
    keys: KeysQuery = None,
    kind: Annotated[list[RecordKind] | None, QueryParameter(description="any of these")] = None,
    attempts: AttemptsQuery = "latest",
    limit: Annotated[int, QueryParameter(ge=1, le=MAX_RECORDS)] = 1_000,
    cursor: CursorQuery = None,
    watermarks: WatermarkQuery = None,
) -> RecordPage:
    """What a run logged beside points, by key and step, page by page.

    A page may hold fewer records than `limit` where their values are large; `next_cursor` tells.
    """
    page = await read_visible(
        request,
        records.load_records,
        workspace=workspace,
        run_id=run_id,
        keys=keys or (),
        kinds=kind or (),
        attempt=attempt_choice(attempts),
        limit=limit,
        cursor=cursor,
    )
    if not page.records:
        await require_run(request, workspace, run_id)
    return page


HANDLERS: Final = (log_records, get_records)
