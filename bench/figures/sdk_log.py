"""sdk_points_per_s, sdk_log_call_p50_us, sdk_log_call_p99_us: what a training loop pays.

The program that logs is a process of its own and uses nothing but `run.log` and `run.flush`.
"""

import multiprocessing
import time
from collections.abc import Callable
from typing import Any

from bench.figures.figure import Details, Figure, Report, percentile
from bench.figures.points import count_points, fresh_workspace
from bench.figures.stack import BenchStack

from runhistory.sdk.experiment import Experiment
from runhistory.sdk.workspace import Workspace

POINTS = 1_000_000
CALLS = 100_000
TRAINING_SECONDS = 1e-4
"""Between two timed calls: a loop that does nothing but log is not what the figure is about."""


def measure_rate(stack: BenchStack, details: Details, report: Report) -> float:
    """Points a second of one process that only logs, until all are visible."""
    workspace = fresh_workspace(stack)
    loop_seconds, seconds, cpu = _in_process(_log_all, workspace)
    seen = count_points(workspace)
    assert seen == POINTS, f"{seen} of {POINTS} points are visible"
    details.add("loop", POINTS / loop_seconds, "points/s")
    details.add("cpu_us_a_point", cpu / POINTS * 1e6, "us")
    return POINTS / seconds


def measure_call_p50(stack: BenchStack, details: Details, report: Report) -> float:
    """Microseconds of half of the calls at most."""
    return percentile(_calls(stack), 0.5)


def measure_call_p99(stack: BenchStack, details: Details, report: Report) -> float:
    """Microseconds of 99 of 100 calls at most."""
    calls = _calls(stack)
    details.add("slowest", max(calls), "us")
    details.add("p999", percentile(calls, 0.999), "us")
    return percentile(calls, 0.99)


def _calls(stack: BenchStack) -> list[float]:
    found: list[float] = _in_process(_time_calls, fresh_workspace(stack))
    return found


def _in_process(work: Callable[..., None], workspace: Workspace) -> Any:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(
        target=work, args=(workspace.url, workspace.name, theirs), daemon=True
    )
    process.start()
    try:
        assert ours.poll(600), "no answer from the process that logs"
        return ours.recv()
    finally:
        process.join(30)
        process.kill()


def _log_all(url: str, workspace: str, pipe: Any) -> None:
    """Puts seconds of the loop, seconds until visible, and CPU seconds."""
    opened = Workspace(url, workspace)
    run = Experiment(opened, "bench-sdk").start_logging()
    began, cpu = time.monotonic(), time.process_time()
    for step in range(POINTS):
        run.log("loss", step * 0.5, step=step)
    looped = time.monotonic()
    run.flush()
    opened.sql("SELECT count() FROM runs")  # carries the watermarks: answered when all is visible
    pipe.send((looped - began, time.monotonic() - began, time.process_time() - cpu))
    run.complete()


def _time_calls(url: str, workspace: str, pipe: Any) -> None:
    """Puts the microseconds of each call."""
    run = Experiment(Workspace(url, workspace), "bench-sdk").start_logging()
    clock, found = time.perf_counter, [0.0] * CALLS
    for step in range(CALLS):
        began = clock()
        run.log("loss", step * 0.5, step=step)
        found[step] = (clock() - began) * 1e6
        while clock() - began < TRAINING_SECONDS:
            pass
    run.complete()
    pipe.send(found)


FIGURES = [
    Figure(
        name="sdk_points_per_s",
        unit="points/s",
        goal=200_000,
        better="more",
        rounds=3,
        measure=measure_rate,
        about=f"one process calls run.log {POINTS:,} times in a loop, until visible",
    ),
    Figure(
        name="sdk_log_call_p50_us",
        unit="us",
        goal=2,
        better="less",
        rounds=3,
        measure=measure_call_p50,
        about=f"one call of run.log, {CALLS:,} of them, one every {TRAINING_SECONDS * 1e6:g} us",
    ),
    Figure(
        name="sdk_log_call_p99_us",
        unit="us",
        goal=20,
        better="less",
        rounds=3,
        measure=measure_call_p99,
        about="the same calls",
    ),
]
