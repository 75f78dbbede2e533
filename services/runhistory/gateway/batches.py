"""Append a checked batch (points, log lines, records) to its topic, as a CloudEvent of its run."""

from datetime import UTC, datetime
from typing import Final

from runhistory.events import cloudevents
from runhistory.events.codec import Watermark
from runhistory.gateway.context import Gateway
from runhistory.runtime import metrics

SOURCE: Final = "runhistory/gateway"


async def append_batch(
    gateway: Gateway, *, topic: str, type: str, run_id: str, batch_id: str, value: bytes
) -> Watermark:
    """Append it and return where it lies; `batch_id` stays over the client's retries.

    Raises:
        LogUnavailable: the outcome is unknown.
    """
    headers = cloudevents.headers(
        id=f"{run_id}:{batch_id}",
        type=type,
        source=SOURCE,
        subject=run_id,
        time=datetime.now(UTC),
    )
    watermark = await gateway.appender.append(topic, run_id.encode(), value, headers)
    metrics.GATEWAY_BATCHES.labels(topic).inc()
    metrics.GATEWAY_BATCH_BYTES.labels(topic).inc(len(value))
    return watermark
