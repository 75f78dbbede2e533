"""memory_growth_mb: what a page that is open for long keeps, while a run logs and it draws."""

import math
import os
import time

from bench.figures.figure import Details, Figure, Report
from bench.figures.points import fresh_workspace
from bench.figures.stack import BenchStack
from bench.figures.studio_pages import studio_page, wait_until
from playwright.sync_api import CDPSession

from runhistory.sdk.experiment import Experiment
from runhistory.sdk.run import Run

MINUTES = float(os.environ.get("RUNHISTORY_BENCH_MINUTES", "15"))
"""How long; a shorter time says less."""

SETTLING_MINUTES = 0.5
KEYS = 8
A_SECOND = 10


def measure_memory_growth(stack: BenchStack, details: Details, report: Report) -> float:
    """MB of the page's heap at the end, over what it was when everything had been drawn."""
    workspace = fresh_workspace(stack)
    with Experiment(workspace, "bench").start_logging() as run, studio_page(stack) as page:
        _log(run, begin=0, seconds=1)
        page.goto(f"/w/{workspace.name}/runs/{run.id}?tab=metrics")
        wait_until(page, "chartSays('metric-0').startsWith('last: ')")
        probe = page.context.new_cdp_session(page)
        step = _log(run, begin=A_SECOND, seconds=SETTLING_MINUTES * 60)
        before = _heap_mb(probe)
        for minute in range(math.ceil(MINUTES)):
            seconds = 60 * min(1.0, MINUTES - minute)
            step = _log(run, begin=step, seconds=seconds)
            after = _heap_mb(probe)
            report(f"minute {minute + 1}: {after:.1f} MB, {after - before:+.1f}")
        run.flush()
        wait_until(page, f"chartSays('metric-0') === 'last: {step - 1:,}'")
    details.add("heap", after, "MB")
    details.add("minutes", MINUTES, "min")
    details.add("points", step * KEYS, "points")
    return after - before


def _log(run: Run, *, begin: int, seconds: float) -> int:
    """Log each key so many times a second; the step after the last."""
    started, step = time.monotonic(), begin
    while (elapsed := time.monotonic() - started) < seconds:
        if step - begin > elapsed * A_SECOND:
            time.sleep((step - begin) / A_SECOND - elapsed)
            continue
        for key in range(KEYS):
            run.log(f"metric-{key}", float(step), step=step)
        step += 1
    return step


def _heap_mb(probe: CDPSession) -> float:
    """What is left when everything has been collected that can be."""
    for _ in range(3):
        probe.send("HeapProfiler.collectGarbage")
    usage = probe.send("Runtime.getHeapUsage")
    parts = ("usedSize", "embedderHeapUsedSize", "backingStorageSize")
    return sum(float(usage.get(part, 0)) for part in parts) / 1e6


FIGURES = [
    Figure(
        name="memory_growth_mb",
        unit="MB",
        goal=30,
        better="less",
        rounds=1,
        measure=measure_memory_growth,
        about=f"a page's heap after {MINUTES:g} min of {KEYS} keys, {A_SECOND} points/s each",
    ),
]
