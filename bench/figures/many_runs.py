"""visible_p50_ms, visible_p99_ms, sink_cpu_at_1000_runs: a thousand runs that train at once.

One load process stands for 1,000 programs: each second every run sends one batch of 10 keys,
spread evenly over the second. Of some batches it is measured how long it takes from the moment they
are sent until a reader who asks for that run's points is answered with them.
"""

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass

from bench.figures.figure import Details, Figure, Report, percentile
from bench.figures.points import fresh_workspace, start_runs
from bench.figures.stack import BenchStack
from bench.load import Door, Plan, Sent, bodies, send_batch

RUNS = 1_000
SECONDS = 20.0
LANES = 16
SAMPLES_A_SECOND = 10
_SINK = ("sink", "engine")


@dataclass(frozen=True)
class Seen:
    """What one test showed."""

    milliseconds: list[float]
    sink_cores: float


class ManyRuns:
    """Each test is made once; the three figures of a round are read off the same one."""

    def __init__(self) -> None:
        self._seen: list[Seen] = []
        self._rounds: Counter[str] = Counter()

    def p50(self, stack: BenchStack, details: Details, report: Report) -> float:
        """The median."""
        return percentile(self._next("p50", stack, details).milliseconds, 0.5)

    def p99(self, stack: BenchStack, details: Details, report: Report) -> float:
        """The 99th percentile."""
        seen = self._next("p99", stack, details)
        details.add("slowest", max(seen.milliseconds), "ms")
        return percentile(seen.milliseconds, 0.99)

    def sink_cpu(self, stack: BenchStack, details: Details, report: Report) -> float:
        """Cores that sink and engine used."""
        return self._next("sink_cpu", stack, details).sink_cores

    def _next(self, figure: str, stack: BenchStack, details: Details) -> Seen:
        number = self._rounds[figure]
        self._rounds[figure] += 1
        if number == len(self._seen):
            self._seen.append(_test(stack, details))
        return self._seen[number]


def _test(stack: BenchStack, details: Details) -> Seen:
    workspace = fresh_workspace(stack)
    plan = Plan(stack.url, workspace.name, tuple(start_runs(workspace, RUNS)), points=10)
    before, began = stack.cpu_seconds(), time.monotonic()
    milliseconds, late = asyncio.run(_train(plan))
    elapsed = time.monotonic() - began
    used = {name: after - before[name] for name, after in stack.cpu_seconds().items()}
    for name, cpu in used.items():
        details.add(f"cores/{name}", cpu / elapsed, "cores")
    details.add("late", late, "s")
    details.add("samples", len(milliseconds), "batches")
    return Seen(milliseconds, sum(used[name] for name in _SINK) / elapsed)


async def _train(plan: Plan) -> tuple[list[float], float]:
    found: list[float] = []
    lates: list[float] = []
    async with asyncio.TaskGroup() as tasks:
        for lane in range(LANES):
            tasks.create_task(_lane(plan, lane, found, lates))
    return found, max(lates)


async def _lane(plan: Plan, lane: int, found: list[float], lates: list[float]) -> None:
    """Some of the runs, each once a second at its own moment; every so often one is watched."""
    writer, reader = await Door.open(plan.url), await Door.open(plan.url)
    mine = range(lane, len(plan.runs), LANES)
    sources = {number: bodies(plan, number) for number in mine}
    began, watched, sent = time.monotonic(), 0.0, Sent()
    reading: asyncio.Task[None] | None = None
    for second in range(int(SECONDS)):
        for number in mine:
            due = began + second + number / len(plan.runs)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            lates.append(time.monotonic() - due)
            runs = f"/api/v1/workspaces/{plan.workspace}/runs/{plan.runs[number]}"
            at = time.monotonic()
            mark = await send_batch(
                writer, f"{runs}/attempts/1/metrics", next(sources[number]), plan.points, sent
            )
            if at - watched >= LANES / SAMPLES_A_SECOND and (reading is None or reading.done()):
                watched = at
                reading = asyncio.create_task(_watch(reader, runs, mark, second, at, found))
    if reading is not None:
        await reading
    writer.close()
    reader.close()


async def _watch(
    reader: Door, run: str, mark: str, seq: int, sent_at: float, found: list[float]
) -> None:
    """Read the run's points, as new as this batch; the last step has to be the batch's."""
    path = f"{run}/metrics?key=train/metric_0&watermark={mark}"
    status, answer = await reader.get(path)
    found.append((time.monotonic() - sent_at) * 1e3)
    assert status == 200, f"HTTP {status}: {answer!r}"
    assert json.loads(answer)["series"][0]["steps"][-1] >= seq, "the batch is not there"


_many_runs = ManyRuns()

FIGURES = [
    Figure(
        name="visible_p50_ms",
        unit="ms",
        goal=250,
        better="less",
        rounds=3,
        measure=_many_runs.p50,
        about=f"{RUNS:,} runs, 10 keys each once a second: from sending a batch until it is read",
    ),
    Figure(
        name="visible_p99_ms",
        unit="ms",
        goal=1_000,
        better="less",
        rounds=3,
        measure=_many_runs.p99,
        about="the same",
    ),
    Figure(
        name="sink_cpu_at_1000_runs",
        unit="cores",
        goal=0.5,
        better="less",
        rounds=3,
        measure=_many_runs.sink_cpu,
        about="cores used by sink and engine in that test",
    ),
]
