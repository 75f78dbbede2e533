"""point_to_pixel_ms, zoom_ms: a run's curves, live and large."""

import random
import statistics
import time

from bench.figures.figure import Details, Figure, Report, percentile
from bench.figures.points import fresh_workspace, start_runs, wait_until_visible
from bench.figures.stack import BenchStack
from bench.figures.studio_pages import studio_page, wait_until
from bench.load import Load, Plan
from playwright.sync_api import Page

from runhistory.sdk.experiment import Experiment

SAMPLES = 25
LONG = 1_000_000
ZOOMS = 5
KEY = "train/metric_0"

_WATCH_FOR = """(value) => {
  const begin = performance.now();
  window.arrived = whenTrue(() => chartSays("loss") === `last: ${value}` && drawnSince(begin))
    .then((time) => performance.timeOrigin + time);
}"""
# From letting go of the mouse until the canvas was drawn after the finer curve had arrived.
_WATCH_ZOOM = """() => {
  window.zoomed = new Promise((done) => {
    document.addEventListener("mouseup", () => {
      const begin = performance.now();
      const arrived = () => performance.getEntriesByType("resource").find(
        (one) => one.name.includes("/curves?") && one.startTime >= begin);
      whenTrue(() => { const one = arrived(); return one && drawnSince(one.responseEnd); })
        .then((time) => done({ drawn: time - begin, answer: arrived().duration }));
    }, { capture: true, once: true });
  });
}"""


def measure_point_to_pixel(stack: BenchStack, details: Details, report: Report) -> float:
    """The median over SAMPLES points: from `run.log` until the browser has drawn the point."""
    workspace = fresh_workspace(stack)
    with Experiment(workspace, "bench").start_logging() as run, studio_page(stack) as page:
        run.log("loss", 0.0, step=0)
        run.flush()
        page.goto(f"/w/{workspace.name}/runs/{run.id}?tab=metrics")
        wait_until(page, "chartSays('loss') === 'last: 0'")
        milliseconds = []
        for step in range(1, SAMPLES + 1):
            time.sleep(random.uniform(0.3, 0.6))  # not in step with anybody's pace
            page.evaluate(_WATCH_FOR, step)
            began = time.time()
            run.log("loss", float(step), step=step)
            milliseconds.append(page.evaluate("window.arrived") - began * 1e3)
    details.add("p90", percentile(milliseconds, 0.9), "ms")
    details.add("slowest", max(milliseconds), "ms")
    return statistics.median(milliseconds)


class Zoom:
    """The long run is made once for each stack."""

    def __init__(self) -> None:
        self._address: dict[str, str] = {}

    def measure(self, stack: BenchStack, details: Details, report: Report) -> float:
        """The median over ZOOMS, each into a tenth of what is shown."""
        if stack.url not in self._address:
            self._address[stack.url] = _long_run(stack)
        with studio_page(stack) as page:
            page.goto(self._address[stack.url])
            wait_until(page, f"chartSays('{KEY}').startsWith('last: ')")
            found = [_zoom(page) for _ in range(ZOOMS)]
        details.add("answer", statistics.median(one["answer"] for one in found), "ms")
        return statistics.median(one["drawn"] for one in found)


def _zoom(page: Page) -> dict[str, float]:
    box = page.get_by_role("slider", name=f"{KEY}: place").bounding_box()
    assert box is not None
    page.evaluate(_WATCH_ZOOM)
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.45 * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.55 * box["width"], middle, steps=3)
    page.mouse.up()
    found: dict[str, float] = page.evaluate("window.zoomed")
    return found


def _long_run(stack: BenchStack) -> str:
    """The address of the metrics of a run with so many points of one key."""
    workspace = fresh_workspace(stack)
    (run_id,) = start_runs(workspace, 1)
    plan = Plan(stack.url, workspace.name, (run_id,), points=10_000, keys=1, connections=1)
    with Load(plan) as load:
        wait_until_visible(workspace, load.send(LONG // plan.points))
    return f"/w/{workspace.name}/runs/{run_id}?tab=metrics"


_zoom_figure = Zoom()

FIGURES = [
    Figure(
        name="point_to_pixel_ms",
        unit="ms",
        goal=1_000,
        better="less",
        rounds=3,
        measure=measure_point_to_pixel,
        about="from run.log until an open page has drawn the point, p50",
    ),
    Figure(
        name="zoom_ms",
        unit="ms",
        goal=200,
        better="less",
        rounds=3,
        measure=_zoom_figure.measure,
        about=f"from letting go of the mouse to the finer curve drawn, of {LONG:,} points",
    ),
]
