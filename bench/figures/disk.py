"""bytes_per_point_noise, bytes_per_point_float32: what a point takes on disk, after merges.

Counted are all tables that a point reaches (points, rollup, batches): what the points of
one round add to them once everything is merged, over the number of points.
"""

from bench.figures.figure import Details, Figure, Report
from bench.figures.points import (
    RUNS,
    count_points,
    fresh_workspace,
    start_runs,
    wait_until_visible,
)
from bench.figures.stack import BenchStack
from bench.load import Load, Plan
from clickhouse_connect.driver.client import Client

from runhistory.clickhouse.client import open_client
from runhistory.clickhouse.storages import FIRST_STORAGE

BATCHES = 4_000
TABLES = ("points", "rollup", "batches")


def measure_noise(stack: BenchStack, details: Details, report: Report) -> float:
    """Bytes a point of normally distributed 64-bit floats."""
    return _bytes_a_point(stack, details, float32=False)


def measure_float32(stack: BenchStack, details: Details, report: Report) -> float:
    """Bytes a point of values that were 32-bit floats."""
    return _bytes_a_point(stack, details, float32=True)


def _bytes_a_point(stack: BenchStack, details: Details, *, float32: bool) -> float:
    engine = open_client(stack.engine_url)
    before = _merged(engine)
    workspace = fresh_workspace(stack)
    runs = start_runs(workspace, RUNS)
    with Load(Plan(stack.url, workspace.name, tuple(runs), 1_000, float32=float32)) as load:
        sent = load.send(BATCHES)
    wait_until_visible(workspace, sent)
    assert count_points(workspace) == sent.points
    added = {table: size - before[table] for table, size in _merged(engine).items()}
    engine.close()
    for table, size in added.items():
        details.add(table, size / sent.points, "bytes")
    return sum(added.values()) / sent.points


def _merged(engine: Client) -> dict[str, int]:
    """Bytes on disk of each table, as one part."""
    for table in TABLES:
        engine.command(f"OPTIMIZE TABLE {FIRST_STORAGE}.{table} FINAL")
    rows = engine.query(
        "SELECT table, sum(bytes_on_disk) FROM system.parts "
        "WHERE database = {d:String} AND active GROUP BY table",
        parameters={"d": FIRST_STORAGE},
    ).result_rows
    sizes = dict(rows)
    return {table: int(sizes.get(table, 0)) for table in TABLES}


FIGURES = [
    Figure(
        name="bytes_per_point_noise",
        unit="bytes",
        goal=10,
        better="less",
        rounds=2,
        measure=measure_noise,
        about=f"{BATCHES:,} batches of 1,000 points, 64-bit noise; all tables, after merges",
    ),
    Figure(
        name="bytes_per_point_float32",
        unit="bytes",
        goal=6.5,
        better="less",
        rounds=2,
        measure=measure_float32,
        about="the same with values that were 32-bit floats",
    ),
]
