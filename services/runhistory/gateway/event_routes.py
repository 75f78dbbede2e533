"""`GET /events`: what happens, as server-sent events that can be taken up again anywhere."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Annotated, Any, Final, cast

from aiokafka.errors import KafkaError
from clickhouse_connect.driver.exceptions import ClickHouseError
from litestar import get
from litestar.datastructures import ResponseHeader
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter, QueryParameter
from litestar.response import Stream
from litestar.response.streaming import ASGIStreamingResponse
from litestar.types import HTTPResponseBodyEvent, Receive, Send

from runhistory.clickhouse.client import EngineUnavailable
from runhistory.domain.values import RunId
from runhistory.gateway.bodies import ServerSentEvent
from runhistory.gateway.context import Gateway, GatewayRequest
from runhistory.gateway.errors import ApiError
from runhistory.gateway.event_filter import EventFilter, InvalidFilter, make_filter
from runhistory.gateway.event_start import LATEST, find_start
from runhistory.gateway.wire import WorkspaceParameter, fails
from runhistory.kafka.log_ends import Positions
from runhistory.query.creation_times import first_creation

SEND_SECONDS: Final = 60.0
"""A client that takes nothing for so long has gone, or may come back with its last id."""

ASK_SECONDS: Final = 10.0

AfterQuery = Annotated[
    str | None, QueryParameter(description="as Last-Event-ID, for who cannot set headers")
]
LastEventId = Annotated[
    str | None,
    HeaderParameter(name="Last-Event-ID", description="go on behind this; goes before from"),
]


@get(
    "/events",
    operation_id="subscribe_to_events",
    media_type="text/event-stream",
    responses={
        **fails(410),
        200: ResponseSpec(
            ServerSentEvent, description="server-sent events", media_type="text/event-stream"
        ),
    },
    response_headers=[ResponseHeader(name="X-Accel-Buffering", value="no")],
)
async def subscribe(
    request: GatewayRequest,
    workspace: WorkspaceParameter,
    types: Annotated[
        list[str] | None,
        QueryParameter(
            name="type",
            description="run.completed.v1, run.completed or run.*; any of these. Without: all "
            "that happens; points and log lines only by name (metrics.logged.v1, logs.written.v1)",
        ),
    ] = None,
    experiments: Annotated[
        list[str] | None, QueryParameter(name="experiment", description="any of these")
    ] = None,
    runs: Annotated[
        list[RunId] | None, QueryParameter(name="run", description="ids; any of these")
    ] = None,
    begin: Annotated[
        str,
        QueryParameter(
            name="from", description="latest, beginning, a time (RFC 3339), or an event's id"
        ),
    ] = LATEST,
    after: AfterQuery = None,
    last_event_id: LastEventId = None,
    follow: Annotated[
        bool, QueryParameter(description="false: what there is, then the message `end`")
    ] = True,
) -> Stream:
    """Events as they happen, each a CloudEvent in JSON with an id to go on behind."""
    gateway = request.gateway
    require_room(gateway)
    try:
        wanted = make_filter(
            workspace, types=types or (), run_ids=runs or (), experiments=experiments or ()
        )
    except InvalidFilter as error:
        raise ApiError(400, "invalid_request", str(error)) from error
    start = await start_of(gateway, wanted, after=last_event_id or after or None, begin=begin)
    return EventStream(gateway.events.open(wanted, start, follow=follow))


def require_room(gateway: Gateway) -> None:
    """
    Raises:
        ApiError: 503, there are as many subscribers as there may be.
    """
    if gateway.events.is_full:
        raise ApiError(
            503,
            "too_many_subscribers",
            f"This gateway serves {gateway.events.max_subscribers} subscribers already. Try again "
            "later, use another gateway, or read Kafka (docs/events.md).",
        )


async def start_of(
    gateway: Gateway, wanted: EventFilter, *, after: str | None, begin: str = LATEST
) -> Positions:
    """Where a subscription begins: behind the event `after`, if there is one, or at `begin`.

    Raises:
        ApiError: there is no such place, or Kafka is away.
    """

    async def created(workspace: str, run_ids: frozenset[str]) -> datetime | None:
        return await _created(gateway, workspace, run_ids)

    try:
        async with asyncio.timeout(ASK_SECONDS):
            return await find_start(gateway.events.ends, created, wanted, after=after, begin=begin)
    except (KafkaError, OSError, TimeoutError) as error:
        raise ApiError(503, "unavailable", "Kafka does not answer. Try again shortly.") from error


async def _created(gateway: Gateway, workspace: str, run_ids: frozenset[str]) -> datetime | None:
    """Only to read less: without ClickHouse the partitions are read from their beginning."""
    try:
        return await gateway.reader.read(first_creation, workspace=workspace, run_ids=run_ids)
    except (EngineUnavailable, ClickHouseError):
        return None


class EventStream(Stream):
    """A response that sends each chunk at once, and ends when its client goes or hangs."""

    def __init__(self, chunks: AsyncGenerator[bytes, None]) -> None:
        super().__init__(
            chunks,
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )
        self._chunks = chunks

    def to_asgi_response(self, *_: Any, **given: Any) -> ASGIStreamingResponse:
        """The framework's response, with our way of sending."""
        return _SentInTime(
            iterator=self._chunks,
            headers=self.headers,
            media_type=self.media_type,
            status_code=given.get("status_code"),
            encoded_headers=given.get("encoded_headers"),
            is_head_response=given.get("is_head_response", False),
        )


class _SentInTime(ASGIStreamingResponse):
    __slots__ = ()

    async def send_body(self, send: Send, receive: Receive) -> None:
        """Send until the stream ends, the client has gone, or it takes nothing."""
        chunks = cast("AsyncGenerator[bytes, None]", self.iterator)
        sending = asyncio.create_task(_send_all(chunks, send))
        gone = asyncio.create_task(_disconnect(receive))
        try:
            await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, gone):
                task.cancel()
            await asyncio.gather(sending, gone, return_exceptions=True)


async def _send_all(chunks: AsyncGenerator[bytes, None], send: Send) -> None:
    async with contextlib.aclosing(chunks):
        async for chunk in chunks:
            async with asyncio.timeout(SEND_SECONDS):
                await send(_piece(chunk, more=True))
        await send(_piece(b"", more=False))


def _piece(body: bytes, *, more: bool) -> HTTPResponseBodyEvent:
    return {"type": "http.response.body", "body": body, "more_body": more}


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


HANDLERS: Final = (subscribe,)
