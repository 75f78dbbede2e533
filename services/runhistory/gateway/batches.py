"""Take a batch of points, lines or records: check it, put our envelope around it, append it."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import asdict

from runhistory.events import batch_message, cloudevents, log_batch, metric_batch, record_batch
from runhistory.events.codec import Watermark
from runhistory.events.log_batch import LOG_LINES_WRITTEN, LogBatch, LogLinesWritten
from runhistory.events.metric_batch import METRICS_LOGGED, Limits
from runhistory.events.record_batch import RECORDS_LOGGED, RecordBatch, RecordsLogged
from runhistory.gateway.context import MAX_JSON_BYTES, MOST_BATCH_BYTES, Gateway
from runhistory.runtime import metrics

SOURCE: Final = "runhistory/gateway"


class Envelope(Struct, frozen=True):
    """Whose batch it is: from the URL and the caller's token, never from the body."""

    workspace: str
    run_id: str
    attempt: int


class CheckedBatch(Struct, frozen=True):
    """A body that is right: who numbered it, and the message that is stored. Of points also how
    many there are, and their keys."""

    writer: str
    seq: int
    value: bytes
    points: int = 0
    keys: Sequence[str] = ()


Read = Callable[[bytes, Envelope, Limits], CheckedBatch]


class BatchKind(Struct, frozen=True, kw_only=True):
    """Where batches of one kind go, how large a body may be, and how it is read.

    `read` raises InvalidBatch for a body that is not right; of points it keeps to the limits.
    """

    topic: str
    type: str
    max_bytes: int
    read: Read


async def take_batch(
    gateway: Gateway, kind: BatchKind, envelope: Envelope, body: bytes
) -> Watermark:
    """Append the batch and return where it lies, once all in-sync replicas have it.

    Raises:
        InvalidBatch: nothing of it was kept. TooManyKeys is one.
        RunNotFound, RunDeleted, AttemptNotFound: there is no such attempt.
        LogUnavailable: the outcome is unknown.
    """
    batch = kind.read(body, envelope, gateway.batch)
    run_id, attempt = envelope.run_id, envelope.attempt
    await gateway.attempts.require(envelope.workspace, run_id, attempt)
    if batch.keys:
        gateway.run_keys.admit((envelope.workspace, run_id), batch.keys, body)
    headers = cloudevents.headers(
        id=f"{run_id}:{batch.writer}:{attempt}:{batch.seq}",  # stays over the client's retries
        type=kind.type,
        source=SOURCE,
        subject=run_id,
        time=datetime.now(UTC),
    )
    watermark = await gateway.appender.append(kind.topic, run_id, batch.value, headers)
    metrics.GATEWAY_BATCHES.labels(kind.topic).inc()
    metrics.GATEWAY_BATCH_BYTES.labels(kind.topic).inc(len(batch.value))
    if batch.points:
        metrics.GATEWAY_POINTS.inc(batch.points)
        metrics.GATEWAY_BATCH_POINTS.observe(batch.points)
    return watermark


def _points(body: bytes, envelope: Envelope, limits: Limits) -> CheckedBatch:
    batch = metric_batch.check(body, limits)
    value = metric_batch.splice(body, **asdict(envelope))
    return CheckedBatch(batch.writer, batch.seq, value, len(batch.steps), batch.keys)


def _anew(check: Callable[[bytes], LogBatch | RecordBatch], message: type[Struct]) -> Read:
    """Reads batches that `check` knows, to be encoded anew as `message`."""

    def read(body: bytes, envelope: Envelope, _: Limits) -> CheckedBatch:
        batch = check(body)
        value = batch_message.encode(message, batch, **asdict(envelope))
        return CheckedBatch(batch.writer, batch.seq, value)

    return read


POINTS: Final = BatchKind(
    topic="run.metrics",
    type=METRICS_LOGGED,
    max_bytes=MOST_BATCH_BYTES,
    read=_points,
)
LINES: Final = BatchKind(
    topic="run.logs",
    type=LOG_LINES_WRITTEN,
    max_bytes=MAX_JSON_BYTES,
    read=_anew(log_batch.check, LogLinesWritten),
)
RECORDS: Final = BatchKind(
    topic="run.records",
    type=RECORDS_LOGGED,
    max_bytes=record_batch.MAX_BATCH_BYTES,
    read=_anew(record_batch.check, RecordsLogged),
)
