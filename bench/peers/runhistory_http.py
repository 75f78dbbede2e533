"""runhistory over HTTP alone, for programs in any language: the stack as in runhistory_sdk.py.

Points go in batches of 1,000, one connection for each run, encoded while they are sent, by one
process. Creating is `POST /runs`, a history is `GET /runs/<id>/metrics?key=…`.
"""

import asyncio
import time
from collections.abc import Iterator

import numpy as np
import orjson
from bench.figures.points import start_run, wait_until_visible
from bench.load import Door, Sent, send_batch
from bench.peers.runhistory_sdk import RunHistory
from bench.peers.turn import Points, Series

from runhistory.sdk.run_client import RunClient

BATCH = 1_000


class RunHistoryOverHttp(RunHistory):
    """The same stack, no SDK but its connection for single requests."""

    def create_run(self) -> str:  # type: ignore[override]
        """Its id; the first attempt has begun."""
        return start_run(self.workspace.connection)

    def log(self, points: Points) -> None:
        """All runs at once."""
        sent = asyncio.run(self._send(points))
        wait_until_visible(self.workspace, sent)

    async def _send(self, points: Points) -> Sent:
        sent = Sent()
        async with asyncio.TaskGroup() as tasks:
            for run, series in points:
                tasks.create_task(self._send_run(run, series, sent))
        return sent

    async def _send_run(self, run: str, series: Series, sent: Sent) -> None:
        door = await Door.open(self.stack.url)
        path = f"/api/v1/workspaces/{self.workspace.name}/runs/{run}/attempts/1/metrics"
        try:
            for body, count in _bodies(series):
                await send_batch(door, path, body, count, sent)
        finally:
            door.close()

    def end_run(self, run: str) -> None:  # type: ignore[override]
        """Completed."""
        RunClient(self.workspace.connection, run).command("complete")

    def read(self, run: str, key: str) -> list[float]:  # type: ignore[override]
        """By another client."""
        answer = self.reader.connection.get(f"/runs/{run}/metrics", key=[key])
        values: list[float] = answer["series"][0]["values"]
        return values


def _bodies(series: Series) -> Iterator[tuple[bytes, int]]:
    """A run's batches, each with its number of points: all keys of a step side by side."""
    table = np.array(list(series.values())).T
    steps, keys = BATCH // len(series), np.arange(len(series)) + 1
    for seq, first in enumerate(range(0, len(table), steps)):
        values = table[first : first + steps]
        body = {
            "writer": "bench",
            "seq": seq,
            "keys": list(series),
            "key_index": np.tile(keys, len(values)),
            "steps": np.repeat(np.arange(first, first + len(values)), len(series)),
            "values": values.ravel(),
            "times": time.time_ns() // 1000 + np.arange(values.size),
        }
        yield orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY), values.size


TRACKER = RunHistoryOverHttp()
