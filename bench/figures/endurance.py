"""rate_held, sink_rss_mb, gateway_rss_mb: a hundred million points, one after the other."""

import time

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

BATCHES = 100_000  # of 1,000 points
TENTHS = 10


class Endurance:
    """The long run is made once; three figures are read off it."""

    def __init__(self) -> None:
        self._rates: list[float] = []
        self._sizes: dict[str, list[float]] = {"sink": [], "gateway": []}

    def rate_held(self, stack: BenchStack, details: Details, report: Report) -> float:
        """The last tenth's rate over the first tenth's."""
        self._run(stack, report)
        for number, rate in enumerate(self._rates, 1):
            details.add(f"tenth_{number}", rate, "points/s")
        return self._rates[-1] / self._rates[0]

    def sink_memory(self, stack: BenchStack, details: Details, report: Report) -> float:
        """MB resident at the end."""
        return self._memory("sink", stack, details, report)

    def gateway_memory(self, stack: BenchStack, details: Details, report: Report) -> float:
        """MB resident at the end."""
        return self._memory("gateway", stack, details, report)

    def _memory(self, name: str, stack: BenchStack, details: Details, report: Report) -> float:
        self._run(stack, report)
        sizes = self._sizes[name]
        details.add("growth_after_the_first_tenth", sizes[-1] - sizes[0], "MB")
        return sizes[-1]

    def _run(self, stack: BenchStack, report: Report) -> None:
        if self._rates:
            return
        workspace = fresh_workspace(stack)
        runs = start_runs(workspace, RUNS)
        with Load(Plan(stack.url, workspace.name, tuple(runs), 1_000)) as load:
            for number in range(TENTHS):
                began = time.monotonic()
                sent = load.send(BATCHES // TENTHS)
                wait_until_visible(workspace, sent)
                self._rates.append(sent.points / (time.monotonic() - began))
                for name, sizes in self._sizes.items():
                    processes = stack.processes()[name]
                    sizes.append(sum(one.memory_info().rss for one in processes) / 1e6)
                report(f"tenth {number + 1}: {self._rates[-1]:,.0f} points/s")
        seen = count_points(workspace)
        assert seen == BATCHES * 1_000, f"{seen} points are visible"


_endurance = Endurance()

FIGURES = [
    Figure(
        name="rate_held",
        unit="",
        goal=0.8,
        better="more",
        rounds=1,
        measure=_endurance.rate_held,
        about=f"{BATCHES * 1_000:,} points: the last tenth's points/s over the first tenth's",
    ),
    Figure(
        name="sink_rss_mb",
        unit="MB",
        goal=400,
        better="less",
        rounds=1,
        measure=_endurance.sink_memory,
        about="the sink's resident memory after them",
    ),
    Figure(
        name="gateway_rss_mb",
        unit="MB",
        goal=400,
        better="less",
        rounds=1,
        measure=_endurance.gateway_memory,
        about="the gateway's",
    ),
]
