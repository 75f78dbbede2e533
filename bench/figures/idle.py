"""idle_rss_mb, idle_cpu_percent: what a stack takes that nobody uses.

Memory is the proportional set size, which counts a page that several processes share once.
Each is looked at for 60 s, in windows of 20 s, so that its range shows.
"""

import time

import psutil
from bench.figures.figure import Details, Figure, Report
from bench.figures.stack import BenchStack

ROUNDS = 3
WINDOW_SECONDS = 20.0
SETTLE_SECONDS = 20.0


def measure_idle_memory(stack: BenchStack, details: Details, report: Report) -> float:
    """MB of all processes at the end of a window."""
    time.sleep(WINDOW_SECONDS)
    total = 0.0
    for name, processes in stack.processes().items():
        megabytes = sum(_pss(process) for process in processes) / 1e6
        details.add(name, megabytes, "MB")
        total += megabytes
    return total


def measure_idle_cpu(stack: BenchStack, details: Details, report: Report) -> float:
    """Percent of one core that all processes together used over a window."""
    began, before = time.monotonic(), stack.cpu_seconds()
    time.sleep(WINDOW_SECONDS)
    elapsed, after = time.monotonic() - began, stack.cpu_seconds()
    shares = {name: 100 * (after[name] - before[name]) / elapsed for name in before}
    for name, share in shares.items():
        details.add(name, share, "%")
    return sum(shares.values())


def settle(report: Report) -> None:
    """Let the start, and merges of what was written, come to their end."""
    report(f"letting the stack settle for {SETTLE_SECONDS:g} s")
    time.sleep(SETTLE_SECONDS)


def _pss(process: psutil.Process) -> float:
    return float(process.memory_full_info().pss)


FIGURES = [
    Figure(
        name="idle_cpu_percent",
        unit="%",
        goal=8,
        better="less",
        rounds=ROUNDS,
        measure=measure_idle_cpu,
        about=f"of one core, all processes, over {ROUNDS} x {WINDOW_SECONDS:g} s",
    ),
    Figure(
        name="idle_rss_mb",
        unit="MB",
        goal=1_600,
        better="less",
        rounds=ROUNDS,
        measure=measure_idle_memory,
        about=f"PSS of all processes, over {ROUNDS} x {WINDOW_SECONDS:g} s",
    ),
]
