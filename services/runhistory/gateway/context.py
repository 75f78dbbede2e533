"""What handlers work with: the adapters of this process, and a request that knows them."""

from typing import Any, Final
from urllib.parse import unquote_to_bytes

from litestar import Request
from litestar.datastructures import State
from msgspec import Struct, field

from runhistory.events.metric_batch import DEFAULT_LIMITS, Limits
from runhistory.gateway.appender import Appender
from runhistory.gateway.attempts import Attempts
from runhistory.gateway.errors import ApiError
from runhistory.gateway.event_stream import EventStreams
from runhistory.gateway.orderings import Orderings
from runhistory.gateway.reader import Reader
from runhistory.gateway.run_keys import RunKeys
from runhistory.gateway.run_reader import RunReader
from runhistory.gateway.targets import ComputeTargets
from runhistory.gateway.watermarks import Watermarks, parse_watermarks
from runhistory.kafka.commands import CommandClient
from runhistory.objects.store import ObjectStore
from runhistory.query.metrics import MAX_POINTS
from runhistory.query.sql import SqlEngine

MAX_JSON_BYTES: Final = 1_048_576
MAX_FILE_BYTES: Final = 10 * 1024**3
MOST_BATCH_BYTES: Final = 4_000_000
"""What a batch of points may have by any setting: with its envelope it fits a Kafka message."""


class Gateway(Struct, frozen=True, kw_only=True):
    """The adapters of one gateway process, and its limits.

    `batch`: of one batch of points; `run_keys`: of the keys of a run; `max_file_bytes`: of one file
    or blob; `max_points`: of one answer; `local_slots`: of the worker that serves `local`.
    """

    commands: CommandClient
    appender: Appender
    attempts: Attempts
    targets: ComputeTargets
    watermarks: Watermarks
    reader: Reader
    runs: RunReader
    objects: ObjectStore
    sql: SqlEngine
    events: EventStreams
    batch: Limits = DEFAULT_LIMITS
    orderings: Orderings = field(default_factory=Orderings)
    run_keys: RunKeys = field(default_factory=RunKeys)
    max_file_bytes: int = MAX_FILE_BYTES
    max_points: int = MAX_POINTS
    local_slots: int = 2


class GatewayRequest(Request[Any, Any, State]):
    """A request, and the gateway that it came to."""

    __slots__ = ()

    @property
    def gateway(self) -> Gateway:
        """What this process works with."""
        gateway: Gateway = self.app.state.gateway
        return gateway

    def rest_of_path(self, marker: bytes) -> bytes:
        """What the client wrote behind `marker`, percent-decoded once.

        The framework's own path parameters are no help for names with slashes: it drops empty
        parts and trailing slashes, so a name that climbs or is absolute could look harmless.
        """
        path: bytes = self.scope["raw_path"]
        return unquote_to_bytes(path.partition(b"?")[0].partition(marker)[2])

    async def wait_for_watermarks(self) -> None:
        """Wait until reads see everything that `?watermark=` names.

        Raises:
            ApiError: 400, one is no watermark.
            NotYetVisible: the sink is behind.
        """
        texts = self.query_params.getall("watermark", [])
        if not texts:
            return
        try:
            watermarks = parse_watermarks(texts)
        except ValueError as error:
            raise ApiError(400, "invalid_watermark", f"watermark: {error}") from error
        await self.gateway.watermarks.wait(watermarks)
