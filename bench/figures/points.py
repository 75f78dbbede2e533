"""native_points_per_s, native_vs_engine_ratio, small_batches_points_per_s: how fast points come in.

A round sends so many batches over HTTP and ends when a reader is told that all of them are
visible; then what the deduplicating view shows is counted, and has to be what was sent. The same
bytes are then inserted straight into the same tables, in INSERTs of the size that is fastest.
"""

import itertools
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from bench.figures.figure import Details, Figure, Report
from bench.figures.stack import BenchStack
from bench.load import Load, Plan, Sent, bodies

from runhistory.clickhouse.client import open_client
from runhistory.clickhouse.storages import FIRST_STORAGE
from runhistory.domain.ids import new_command_id, new_run_id
from runhistory.domain.values import RunContent
from runhistory.events.metric_batch import splice
from runhistory.sdk.http import Connection
from runhistory.sdk.workspace import Workspace
from runhistory.sink.store import INSERT_SETTINGS

RUNS = 100
NATIVE_BATCHES = 4_000  # of 1,000 points
SMALL_BATCHES = 10_000  # of 100 points
ENGINE_BATCHES = 2_000  # of 1,000 points
INSERT_RECORDS = (100, 250, 500)  # of 1,000 points: 500 are what the sink's limits allow
_VISIBLE_SECONDS = 600.0


def measure_native(stack: BenchStack, details: Details, report: Report) -> float:
    """Points a second, in batches of 1,000, until visible."""
    return _rate(stack, details, points=1_000, batches=NATIVE_BATCHES)


def measure_small(stack: BenchStack, details: Details, report: Report) -> float:
    """Points a second, in batches of 100, until visible."""
    return _rate(stack, details, points=100, batches=SMALL_BATCHES)


def measure_ratio(stack: BenchStack, details: Details, report: Report) -> float:
    """The native rate over the rate of INSERTs alone, one right after the other."""
    native = _rate(stack, details, points=1_000, batches=NATIVE_BATCHES)
    engine = max(_engine_rate(stack, details, records) for records in INSERT_RECORDS)
    details.add("native", native, "points/s")
    details.add("engine", engine, "points/s")
    return native / engine


def fresh_workspace(stack: BenchStack) -> Workspace:
    """A workspace that nobody has used: what it shows is what one round has sent."""
    return Workspace(stack.url, f"bench-{uuid.uuid4().hex}")


def start_runs(workspace: Workspace, count: int) -> list[str]:
    """Create runs that have begun their first attempt, and wait until readers know them."""
    with ThreadPoolExecutor(8) as threads:
        runs = list(threads.map(lambda _: start_run(workspace.connection), range(count)))
    workspace.sql("SELECT count() FROM runs")
    return runs


def start_run(connection: Connection) -> str:
    """Create one run, begin its first attempt."""
    run_id = new_run_id()
    content = RunContent(type="interactive", experiment="bench", created_by="bench")
    connection.send(
        "POST",
        "/runs",
        {"run_id": run_id, "command_id": new_command_id(), "content": content, "start": True},
    )
    return run_id


def wait_until_visible(workspace: Workspace, sent: Sent) -> None:
    """Return when every reader sees what was sent."""
    for mark in sent.watermarks:
        workspace.connection.remember({"watermark": mark})
    workspace.connection.get("/runs", limit=1, patience=_VISIBLE_SECONDS)


def count_points(workspace: Workspace) -> int:
    """How many the view shows that users read."""
    return int(workspace.sql("SELECT count() FROM points")[0][0])


def _rate(stack: BenchStack, details: Details, *, points: int, batches: int) -> float:
    workspace = fresh_workspace(stack)
    runs = start_runs(workspace, RUNS)
    with Load(Plan(stack.url, workspace.name, tuple(runs), points)) as load:
        before, began = stack.cpu_seconds(), time.monotonic()
        sent = load.send(batches)
        wait_until_visible(workspace, sent)
        seconds = time.monotonic() - began
    used = {name: after - before[name] for name, after in stack.cpu_seconds().items()}
    seen = count_points(workspace)
    assert seen == sent.points == points * batches, f"{seen} of {sent.points} are visible"
    for name, cpu in [*used.items(), ("client", sent.cpu_seconds)]:
        details.add(f"cpu_s_a_million/{name}", cpu / sent.points * 1e6, "s")
    details.add("acknowledged", sent.points / sent.seconds, "points/s")
    details.add("bytes_a_point", sent.bytes / sent.points, "bytes")
    details.add("repeated", sent.repeated, "batches")
    return sent.points / seconds


def _engine_rate(stack: BenchStack, details: Details, records: int) -> float:
    workspace = fresh_workspace(stack)
    rows = _rows(workspace.name, ENGINE_BATCHES)
    inserts = [rows[first : first + records] for first in range(0, len(rows), records)]
    began = time.monotonic()
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda insert: _insert(stack.engine_url, insert), inserts))
    rate = ENGINE_BATCHES * 1_000 / (time.monotonic() - began)
    seen = count_points(workspace)
    assert seen == ENGINE_BATCHES * 1_000, f"{seen} points are visible"
    details.add(f"engine_{records}_records", rate, "points/s")
    return rate


def _rows(workspace: str, batches: int) -> list[bytes]:
    """Rows of the landing table, as the sink makes them."""
    plan = Plan("", workspace, tuple(new_run_id() for _ in range(RUNS)), points=1_000)
    sources = [bodies(plan, number) for number in range(RUNS)]
    offsets, rows = itertools.count(), []
    for number in range(batches):
        run = number % RUNS
        value = splice(next(sources[run]), workspace=workspace, run_id=plan.runs[run], attempt=1)
        place = b'{"_p":0,"_o":%d,"_t":%d,' % (next(offsets), time.time_ns() // 1_000_000)
        rows.append(place + value[1:])
    return rows


def _insert(url: str, rows: Sequence[bytes]) -> None:
    client = open_client(url)
    client.raw_insert(
        f"{FIRST_STORAGE}.metrics_landing",
        insert_block=b"\n".join(rows),
        settings=INSERT_SETTINGS,
        fmt="JSONEachRow",
    )
    client.close()


FIGURES = [
    Figure(
        name="native_points_per_s",
        unit="points/s",
        goal=1_000_000,
        better="more",
        rounds=3,
        measure=measure_native,
        about=f"{RUNS} runs x 10 keys, {NATIVE_BATCHES:,} batches of 1,000 points, until visible",
    ),
    Figure(
        name="native_vs_engine_ratio",
        unit="",
        goal=0.5,
        better="more",
        rounds=3,
        measure=measure_ratio,
        about="that rate over the rate of the fastest INSERTs of the same bytes, side by side",
    ),
    Figure(
        name="small_batches_points_per_s",
        unit="points/s",
        goal=300_000,
        better="more",
        rounds=3,
        measure=measure_small,
        about=f"the same in {SMALL_BATCHES:,} batches of 100 points",
    ),
]
