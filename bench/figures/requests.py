"""create_run_p50_ms, get_run_p50_ms, log_to_visible_p50_ms: one client, one thing at a time."""

import random
import statistics
import time
from collections.abc import Callable

from bench.figures.figure import Details, Figure, Report, percentile
from bench.figures.stack import BenchStack

from runhistory.domain.ids import new_command_id, new_run_id
from runhistory.domain.values import RunContent
from runhistory.sdk.experiment import Experiment
from runhistory.sdk.http import Connection

REQUESTS = 200
ASKED = 50
POINTS = 25
_POLL_SECONDS = 0.005
_VISIBLE_SECONDS = 30.0


def measure_create_run(stack: BenchStack, details: Details, report: Report) -> float:
    """The median of REQUESTS creations through the SDK's connection, one after the other."""
    connection = stack.workspace().connection
    create_run(connection)
    milliseconds = [_timed(lambda: create_run(connection)) for _ in range(REQUESTS)]
    details.add("p99", percentile(milliseconds, 0.99), "ms")
    return statistics.median(milliseconds)


def measure_get_run(stack: BenchStack, details: Details, report: Report) -> float:
    """The median of REQUESTS reads of runs that were read before, in random order.

    The gateway keeps these. `asked` is the median where it has to ask ClickHouse: the first read
    of a run that the sink has written, by a client that need not wait for it.
    """
    writer, reader = stack.workspace().connection, stack.workspace().connection
    fresh = [create_run(writer) for _ in range(ASKED)]
    # Carries the watermarks of all, so that none has to be waited for any more.
    writer.get("/runs", limit=1)
    asked = [_timed(lambda run_id=run_id: reader.get(f"/runs/{run_id}")) for run_id in fresh]
    details.add("asked", statistics.median(asked), "ms")
    milliseconds = [
        _timed(lambda: reader.get(f"/runs/{random.choice(fresh)}")) for _ in range(REQUESTS)
    ]
    details.add("p99", percentile(milliseconds, 0.99), "ms")
    return statistics.median(milliseconds)


def measure_log_to_visible(stack: BenchStack, details: Details, report: Report) -> float:
    """The median over POINTS points: from `run.log` until another client reads the point."""
    reader = stack.workspace().connection
    with Experiment(stack.workspace(), "bench-visible").start_logging() as run:
        run.log("loss", -1.0)
        run.flush()
        milliseconds = []
        for step in range(POINTS):
            time.sleep(random.uniform(0.3, 0.6))  # not in step with anybody's pace
            began = time.perf_counter()
            run.log("loss", float(step))
            _until_visible(reader, run.id, float(step))
            milliseconds.append((time.perf_counter() - began) * 1e3)
    details.add("slowest", max(milliseconds), "ms")
    return statistics.median(milliseconds)


def create_run(connection: Connection, experiment: str = "bench") -> str:
    """Create an interactive run as the SDK does."""
    run_id = new_run_id()
    content = RunContent(type="interactive", experiment=experiment, created_by="bench")
    command = {"run_id": run_id, "command_id": new_command_id(), "content": content}
    connection.send("POST", "/runs", command)
    return run_id


def _timed(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return (time.perf_counter() - began) * 1e3


def _until_visible(reader: Connection, run_id: str, value: float) -> None:
    deadline = time.monotonic() + _VISIBLE_SECONDS
    while True:
        series = reader.get(f"/runs/{run_id}/metrics", key=["loss"])["series"]
        if series and value in series[0]["values"]:
            return
        assert time.monotonic() < deadline, f"not visible after {_VISIBLE_SECONDS:g} s"
        time.sleep(_POLL_SECONDS)


FIGURES = [
    Figure(
        name="create_run_p50_ms",
        unit="ms",
        goal=10,
        better="less",
        rounds=5,
        measure=measure_create_run,
        about=f"POST /runs by the SDK's connection until its answer, {REQUESTS} a round",
    ),
    Figure(
        name="get_run_p50_ms",
        unit="ms",
        goal=5,
        better="less",
        rounds=5,
        measure=measure_get_run,
        about=f"GET /runs/<id> of a run that was read before, {REQUESTS} a round; "
        f"`asked`: of one that was not, {ASKED} a round",
    ),
    Figure(
        name="log_to_visible_p50_ms",
        unit="ms",
        goal=500,
        better="less",
        rounds=3,
        measure=measure_log_to_visible,
        about=f"run.log until another client's read has the point, {POINTS} points a round",
    ),
]
