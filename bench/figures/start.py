"""What has to start before anything can be done.

stack_up_s: from `runhistory up --detach` to a stack that takes requests, on empty data.
import_sdk_ms: what `from runhistory import Run` adds to an empty program.
"""

import re
import subprocess
import sys
import time
from datetime import datetime
from itertools import pairwise

from bench.figures.figure import Details, Figure, Report
from bench.figures.stack import BenchStack, installed_environment

IMPORTS = 7
_LINE = re.compile(r"(\d{4}-\d\d-\d\dT\S+) (.*)")


def measure_stack_up(stack: BenchStack, details: Details, report: Report) -> float:
    """One start, the command's own start and the formatting of Kafka's storage included."""
    if stack.is_up:
        stack.down(forget=True)
    began = time.monotonic()
    stack.up()
    seconds = time.monotonic() - began
    for phase, lasted in _phases(stack):
        details.add(phase, lasted, "s")
    return seconds


def measure_import(stack: BenchStack, details: Details, report: Report) -> float:
    """The best of IMPORTS starts, less the best of an empty program, taken in turns."""
    tries = [(_program("from runhistory import Run"), _program("pass")) for _ in range(IMPORTS)]
    with_sdk, without = (min(column) for column in zip(*tries, strict=True))
    return (with_sdk - without) * 1e3


def _program(code: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=installed_environment())
    return time.perf_counter() - began


def _phases(stack: BenchStack) -> list[tuple[str, float]]:
    """How long each thing took that the supervisor's log tells."""
    log = (stack.data / "logs" / "supervisor.log").read_text("utf-8")
    told = [(datetime.fromisoformat(m[1]), m[2]) for m in map(_LINE.match, log.splitlines()) if m]
    return [
        (line.replace(" ", "_").replace(",", ""), (after - at).total_seconds())
        for (at, line), (after, _) in pairwise(told)
    ]


FIGURES = [
    Figure(
        name="stack_up_s",
        unit="s",
        goal=12,
        better="less",
        rounds=3,
        measure=measure_stack_up,
        about="`runhistory up --detach` on empty data, jars and their archive cached",
    ),
    Figure(
        name="import_sdk_ms",
        unit="ms",
        goal=150,
        better="less",
        rounds=3,
        measure=measure_import,
        about=f"`from runhistory import Run` over an empty program, the best of {IMPORTS} starts",
    ),
]
