"""Fill a running stack's ClickHouse with many runs: `python -m bench.many_runs URL [RUNS]`.

What the lifecycle would say of each run, and a batch of its points, goes straight into the landing
tables, so 100,000 runs take half a minute. Kafka knows nothing of them: they are for reads alone.
"""

import hashlib
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from runhistory.clickhouse.client import open_client
from runhistory.clickhouse.storages import FIRST_STORAGE
from runhistory.domain.ids import default_display_name, experiment_id

RUNS: Final = 100_000
EXPERIMENTS: Final = 20
KEYS: Final = 10
POINTS: Final = 10
AT_ONCE: Final = 5_000
NO_PARTITION: Final = 1_000
"""There is none of this number, so nobody takes these rows for what the log has."""

END: Final = datetime(2026, 11, 1, tzinfo=UTC)
"""When the newest was created: before everything that a stack of today makes."""

Row = dict[str, Any]


def fill(url: str, runs: int = RUNS, workspace: str = "default") -> None:
    """Insert so many runs, each with three events, params, a tag and KEYS metrics."""
    client = open_client(url)
    for begin in range(0, runs, AT_ONCE):
        numbers = range(begin, min(runs, begin + AT_ONCE))
        events = [row for number in numbers for row in _events(workspace, number, runs)]
        points = [_points(workspace, number, runs) for number in numbers]
        for table, rows in (("events_landing", events), ("metrics_landing", points)):
            block = b"\n".join(map(orjson.dumps, rows))
            client.raw_insert(f"{FIRST_STORAGE}.{table}", insert_block=block, fmt="JSONEachRow")
    client.close()


def created_at(number: int, runs: int) -> datetime:
    """When the run of this number was created: one each minute, up to END."""
    return END - timedelta(minutes=runs - number)


def run_id_of(number: int, runs: int) -> str:
    """Its id, a UUIDv7 of that time."""
    milliseconds = int(created_at(number, runs).timestamp() * 1_000)
    return f"{milliseconds:012x}7{random.Random(number).getrandbits(76):019x}"


def _events(workspace: str, number: int, runs: int) -> Iterator[Row]:
    run_id, chance = run_id_of(number, runs), random.Random(number)
    experiment = f"experiment-{number % EXPERIMENTS:02d}"
    content = {
        "type": "interactive",
        "experiment": experiment,
        "created_by": chance.choice(["ada", "grace", "alan"]),
        "tags": {"team": chance.choice(["vision", "text", "audio"])},
        "params": {
            "lr": chance.choice(["0.1", "0.01", "0.001"]),
            "optimizer": chance.choice(["adam", "sgd"]),
            "seed": str(number),
        },
    }
    created = {
        "content": content,
        "content_sha256": hashlib.sha256(orjson.dumps(content)).hexdigest(),
        "display_name": default_display_name(run_id),
    }
    end = chance.choices(["completed", "failed"], [9, 1])[0]
    error = {"error": {"code": "UserError", "message": "out of memory"}} if end == "failed" else {}
    told: list[tuple[str, str, int, Row]] = [
        ("created", "NotStarted", 0, created),
        ("started", "Running", 1, {}),
        (end, end.capitalize(), chance.randrange(2, 3_600), error),
    ]
    for version, (what, status, second, said) in enumerate(told, start=1):
        time = created_at(number, runs) + timedelta(seconds=second)
        data = {
            "workspace": workspace,
            "run_id": run_id,
            "version": version,
            "command_id": f"many-{number}-{version}",
            "time": time.isoformat(),
            "status": status,
            "attempt": int(version > 1),
            "experiment_id": experiment_id(workspace, experiment),
            **said,
        }
        yield {
            **_place(number * 4 + version),
            "id": f"{run_id}:{version}",
            "type": f"run.{what}.v1",
            "source": "bench",
            "subject": run_id,
            "time": time.isoformat(),
            "data": orjson.dumps(data).decode(),
        }


def _points(workspace: str, number: int, runs: int) -> Row:
    chance, begin = random.Random(number), created_at(number, runs).timestamp()
    return {
        **_place(number),
        "workspace": workspace,
        "run_id": run_id_of(number, runs),
        "attempt": 1,
        "writer": "bench",
        "seq": 0,
        "keys": ["loss", *(f"metric-{key}" for key in range(1, KEYS))],
        "key_index": [key for key in range(1, KEYS + 1) for _ in range(POINTS)],
        "steps": list(range(POINTS)) * KEYS,
        "values": [chance.random() for _ in range(KEYS * POINTS)],
        "times": [int((begin + 2 + step) * 1e6) for step in range(POINTS)] * KEYS,
    }


def _place(offset: int) -> Row:
    return {"_p": NO_PARTITION, "_o": offset, "_t": int(END.timestamp() * 1_000)}


if __name__ == "__main__":
    fill(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else RUNS)
