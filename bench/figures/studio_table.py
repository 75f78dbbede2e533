"""first_view_ms, scroll_fps, open_run_ms, chart_20_runs_ms: a workspace of 100,000 runs."""

import uuid
from urllib.parse import urlencode

from bench.figures.figure import Details, Figure, Report
from bench.figures.points import start_runs, wait_until_visible
from bench.figures.stack import BenchStack
from bench.figures.studio_pages import studio_page
from bench.load import Load, Plan
from bench.many_runs import RUNS, fill

from runhistory.sdk.workspace import Workspace

ROW = "document.querySelector('[role=row][data-run]')"
EXPERIMENT = "document.querySelector('main h2 a')"
SCROLL_SECONDS = 5
LINES = 20
LINE_POINTS = 10_000
KEY = "train/metric_0"
REST_MS = 1_500

# So many pixels in each frame as a hand on a wheel that is in a hurry.
_SCROLL = """async (seconds) => {
  const grid = document.querySelector("[role=grid]");
  const begin = performance.now();
  let [frames, before, slowest] = [0, begin, 0];
  while (before - begin < seconds * 1e3) {
    grid.scrollTop += 60;
    const now = await new Promise(requestAnimationFrame);
    slowest = Math.max(slowest, now - before);
    [frames, before] = [frames + 1, now];
  }
  const rows = document.querySelectorAll("[role=row][aria-rowindex]").length - 1;
  const full = document.querySelectorAll("[role=row][data-run]").length;
  return { fps: frames / ((before - begin) / 1e3), slowest, bare: (rows - full) / rows };
}"""
_OPEN = """() => {
  const link = document.querySelectorAll("[role=row][data-run] a")[4];
  const begin = performance.now();
  link.click();
  return whenTrue(() =>
    document.querySelector("[role=tabpanel]")?.textContent.includes("metric-1")
  ).then((time) => time - begin);
}"""
_CHART = """(lines) => {
  const begin = performance.now();
  [...document.querySelectorAll("main button")].find((one) => one.textContent.trim() === "Charts")
    .click();
  return whenTrue(() => chartSays("train/metric_0").split(",").length === lines
    && drawnSince(begin)).then((time) => time - begin);
}"""


class ManyRuns:
    """The workspaces are filled once for each stack; all figures are read off them."""

    def __init__(self) -> None:
        self._filled: dict[str, tuple[str, list[str]]] = {}

    def first_view(self, stack: BenchStack, details: Details, report: Report) -> float:
        """From the address to the first rows drawn, with an empty cache."""
        many, _ = self._workspaces(stack, report)
        with studio_page(stack, seen=EXPERIMENT) as page:
            page.goto(f"/w/{many}/experiments")
            details.add("experiments", page.evaluate("window.seen"), "ms")
        with studio_page(stack, seen=ROW) as page:
            page.goto(f"/w/{many}/runs")
            return float(page.evaluate("window.seen"))

    def scroll(self, stack: BenchStack, details: Details, report: Report) -> float:
        """Frames a second while the table is scrolled without a pause."""
        many, _ = self._workspaces(stack, report)
        with studio_page(stack, seen=ROW) as page:
            page.goto(f"/w/{many}/runs")
            page.evaluate("window.seen")
            found = page.evaluate(_SCROLL, SCROLL_SECONDS)
        details.add("slowest_frame", found["slowest"], "ms")
        details.add("rows_not_read_yet", 100 * found["bare"], "%")
        return float(found["fps"])

    def open_run(self, stack: BenchStack, details: Details, report: Report) -> float:
        """From the click on a row to that run's page with its metrics."""
        many, _ = self._workspaces(stack, report)
        with studio_page(stack, seen=ROW) as page:
            page.goto(f"/w/{many}/runs")
            page.evaluate("window.seen")
            return float(page.evaluate(_OPEN))

    def chart(self, stack: BenchStack, details: Details, report: Report) -> float:
        """From the click on Charts, on a page at rest, to the selected runs' curves drawn."""
        many, runs = self._workspaces(stack, report)
        with studio_page(stack, seen=ROW) as page:
            page.goto(f"/w/{many}-curves/runs?{urlencode({'run': runs}, doseq=True)}")
            page.evaluate("window.seen")
            page.locator("main footer strong").get_by_text(str(LINES)).wait_for()
            page.wait_for_timeout(REST_MS)  # nobody selects twenty runs any faster
            return float(page.evaluate(_CHART, LINES))

    def _workspaces(self, stack: BenchStack, report: Report) -> tuple[str, list[str]]:
        """The workspace of many runs, and the runs of the one with curves."""
        if stack.url not in self._filled:
            name = f"bench-{uuid.uuid4().hex}"
            report(f"filling in {RUNS:,} runs")
            fill(stack.engine_url, RUNS, name)
            self._filled[stack.url] = name, _runs_with_curves(stack, f"{name}-curves")
        return self._filled[stack.url]


def _runs_with_curves(stack: BenchStack, name: str) -> list[str]:
    workspace = Workspace(stack.url, name)
    runs = start_runs(workspace, LINES)
    plan = Plan(stack.url, name, tuple(runs), points=1_000, keys=1, connections=4)
    with Load(plan) as load:
        wait_until_visible(workspace, load.send(LINES * LINE_POINTS // plan.points))
    return runs


_many_runs = ManyRuns()

FIGURES = [
    Figure(
        name="first_view_ms",
        unit="ms",
        goal=800,
        better="less",
        rounds=5,
        measure=_many_runs.first_view,
        about=f"from the address of the runs to the first of {RUNS:,} drawn, nothing cached",
    ),
    Figure(
        name="scroll_fps",
        unit="frames/s",
        goal=50,
        better="more",
        rounds=3,
        measure=_many_runs.scroll,
        about=f"the table of {RUNS:,} runs, scrolled by 60 pixels in each frame",
    ),
    Figure(
        name="open_run_ms",
        unit="ms",
        goal=400,
        better="less",
        rounds=5,
        measure=_many_runs.open_run,
        about="from the click on a row to the run's page with its metrics drawn",
    ),
    Figure(
        name="chart_20_runs_ms",
        unit="ms",
        goal=400,
        better="less",
        rounds=5,
        measure=_many_runs.chart,
        about=f"from the click, at rest, to {LINES} curves of {LINE_POINTS:,} points in one chart",
    ),
]
