"""Sending detached runs (detached.py): their requests, repeated in order against a gateway."""

import contextlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import orjson

from runhistory.domain.values import RunError
from runhistory.sdk.batch import Batch
from runhistory.sdk.detached import OPEN_RUNS, Request
from runhistory.sdk.errors import Conflict
from runhistory.sdk.http import Connection
from runhistory.sdk.run_client import FILE_SECONDS

LAST_TIME: Final = "last-time"

_decode: Final = msgspec.msgpack.Decoder(Request).decode


class Replay:
    """Repeats the requests of one folder. Their runs count as recorded, not as silent ones, so it
    may be interrupted and go on at any time."""

    def __init__(self, folder: Path, connection: Connection, patience: float) -> None:
        self._folder, self._connection, self._patience = folder, connection, patience

    def send_one(self, stream: str, batch: Batch) -> None:
        """Send one request.

        Raises:
            RunHistoryError: as `Connection.request`.
        """
        request = _decode(batch.body)
        kept = self._folder / request.file if request.file else None
        self._connection.request(
            request.method,
            request.path,
            body=request.body if kept is None else lambda: kept.open("rb"),
            content_type=request.content_type,
            query=request.query,
            patience=self._patience,
            answer_within=FILE_SECONDS,
        )
        if kept is not None:
            kept.unlink(missing_ok=True)
        (self._folder / LAST_TIME).write_text(str(request.time))

    def end_open_runs(self) -> None:
        """Fail the runs whose process was killed before it said how they ended, at the time of the
        last that it recorded.

        Raises:
            RunHistoryError: as `Connection.request`; a run that is over stays as it is.
        """
        with contextlib.suppress(FileNotFoundError):
            at = datetime.fromtimestamp(int((self._folder / LAST_TIME).read_text()) / 1e6, UTC)
            for run_id in orjson.loads((self._folder / OPEN_RUNS).read_bytes()):
                command = {
                    "type": "fail",
                    "command_id": f"detached-lost-{run_id}",
                    "error": RunError("Lost", "The process that recorded it ended without a word."),
                    "at": at,
                }
                with contextlib.suppress(Conflict):
                    self._connection.send("POST", f"/runs/{run_id}/commands", command)
