"""stack_up_s: from `runhistory up --detach` to a stack that takes requests, on empty data."""

import re
import time
from datetime import datetime
from itertools import pairwise

from bench.figures.figure import Details, Figure, Report
from bench.figures.stack import BenchStack

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
        about="`runhistory up --detach` on empty data, jars cached",
    )
]
