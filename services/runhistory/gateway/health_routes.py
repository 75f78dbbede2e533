"""`/healthz`, `/metrics` and `/openapi.json`: for supervisors, Prometheus and programmers."""

import asyncio
from collections.abc import Awaitable
from http import HTTPStatus
from typing import Any, Final

from litestar import MediaType, Request, Response, get
from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from runhistory.gateway.context import GatewayRequest

PROBE_SECONDS: Final = 2.0


class HealthReport(Struct, frozen=True):
    """`status` is ok when points can be accepted: that needs Kafka alone."""

    service: str
    status: str
    kafka: str
    clickhouse: str
    reason: str | None = None


@get("/healthz", operation_id="get_health", tags=["operations"])
async def get_health(request: GatewayRequest) -> Response[HealthReport]:
    """200 while points can be accepted, else 503. ClickHouse away stops reads only."""
    gateway = request.gateway
    kafka, clickhouse = await asyncio.gather(
        _probe(gateway.watermarks.ask()), _probe(gateway.reader.read(_ping))
    )
    if kafka == "ok" and not gateway.commands.is_following:
        kafka = "replies are not being followed"
    if kafka == "ok":
        status, report = HTTPStatus.OK, HealthReport("gateway", "ok", kafka, clickhouse)
    else:
        status = HTTPStatus.SERVICE_UNAVAILABLE
        report = HealthReport("gateway", "not ready", kafka, clickhouse, f"Kafka: {kafka}")
    return Response(report, status_code=status, headers={"Cache-Control": "no-store"})


@get("/metrics", operation_id="get_metrics", media_type=MediaType.TEXT, tags=["operations"])
async def get_metrics() -> Response[bytes]:
    """This process's own metrics, in Prometheus's text format."""
    return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


@get("/openapi.json", include_in_schema=False)
async def get_openapi(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The OpenAPI document that is checked in as schemas/openapi.json."""
    return Response(request.app.state.openapi, media_type=MediaType.JSON)


async def _probe(check: Awaitable[Any]) -> str:
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            await check
    except TimeoutError:
        return f"no answer within {PROBE_SECONDS:g} s"
    except Exception as error:
        return f"away: {type(error).__name__}"
    return "ok"


def _ping(client: Any) -> None:
    client.command("SELECT 1")


HANDLERS: Final = (get_health, get_metrics, get_openapi)
