"""What a worker would say, said by a test: console lines, loads of GPUs, and a second attempt."""

import hashlib
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import orjson
from bench.many_runs import NO_PARTITION

from runhistory import Workspace
from runhistory.clickhouse.client import open_client
from runhistory.clickhouse.storages import FIRST_STORAGE
from runhistory.domain.ids import experiment_id, new_run_id

Stream = Literal["stdout", "stderr"]
START = 1_700_000_000


class Teller:
    """Writes lines and points of a run as its worker does, in batches that count up."""

    def __init__(self, workspace: Workspace, run_id: str, *, attempt: int = 1) -> None:
        self._connection = workspace.connection
        self._path, self._seq = f"/runs/{run_id}/attempts/{attempt}", 0

    def print(self, *lines: str, stream: Stream = "stdout") -> None:
        """Lines of one stream."""
        self.print_all([(stream, line) for line in lines])

    def print_all(self, lines: Sequence[tuple[Stream, str]]) -> None:
        """One batch of lines."""
        streams, texts = [stream for stream, _ in lines], [line for _, line in lines]
        times = [START * 1_000_000] * len(lines)
        self._send("logs", streams=streams, lines=texts, times=times)

    def measure(self, **series: Sequence[float]) -> None:
        """A value each second, of each key."""
        keys, values = list(series), list(series.values())
        steps = [step for one in values for step in range(len(one))]
        self._send(
            "metrics",
            keys=keys,
            key_index=[place for place, one in enumerate(values, start=1) for _ in one],
            steps=steps,
            values=[value for one in values for value in one],
            times=[(START + step) * 1_000_000 for step in steps],
        )

    def _send(self, what: str, **batch: Any) -> None:
        body = {"writer": "told", "seq": self._seq, **batch}
        self._seq += 1
        self._connection.send("POST", f"{self._path}/{what}", body)


def run_of_two_attempts(workspace: Workspace, engine_url: str, name: str) -> str:
    """A run whose first node was lost. Nobody starts a second attempt yet, so its events are
    written where the sink would, and Kafka knows nothing of them.
    """
    run_id, experiment = new_run_id(), "attempts"
    content = {"type": "interactive", "experiment": experiment}
    digest = hashlib.sha256(orjson.dumps(content)).hexdigest()
    created = {"content": content, "content_sha256": digest, "display_name": name}
    told: list[tuple[str, str, int, dict[str, Any]]] = [
        ("created", "NotStarted", 0, created),
        ("queued", "Queued", 0, {"compute_target": "local"}),
        ("started", "Running", 1, {}),
        ("queued", "Queued", 1, {"compute_target": "local"}),
        ("started", "Running", 2, {}),
    ]
    begin, offset = datetime.now(UTC) - timedelta(minutes=10), random.getrandbits(60)
    rows = []
    for version, (what, status, attempt, said) in enumerate(told, start=1):
        time = (begin + timedelta(minutes=version)).isoformat()
        data = {
            "workspace": workspace.name,
            "run_id": run_id,
            "version": version,
            "command_id": f"{run_id[-12:]}-{version}",
            "time": time,
            "status": status,
            "attempt": attempt,
            "experiment_id": experiment_id(workspace.name, experiment),
            **said,
        }
        row = {"id": f"{run_id}:{version}", "type": f"run.{what}.v1", "source": "test"}
        place = {"_p": NO_PARTITION, "_o": offset + version, "_t": int(begin.timestamp() * 1_000)}
        text = orjson.dumps(data).decode()
        rows.append({**row, **place, "subject": run_id, "time": time, "data": text})
    client = open_client(engine_url)
    block = b"\n".join(map(orjson.dumps, rows))
    client.raw_insert(f"{FIRST_STORAGE}.events_landing", insert_block=block, fmt="JSONEachRow")
    client.close()
    return run_id
