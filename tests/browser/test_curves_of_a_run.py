"""Curves: a million points zoomed to single steps, marks for NaN, and a gateway that dies."""

import re
from collections.abc import Iterator
from itertools import islice

import pytest
from bench.figures.points import start_runs
from bench.load import Plan, bodies
from playwright.sync_api import expect

from runhistory import Experiment, Run, Workspace
from runhistory.sdk.run_client import RunClient
from tests.browser.studio import ChartView, Studio
from tests.support.running_stack import RunningStack

pytestmark = [pytest.mark.infrastructure, pytest.mark.timeout(600)]

POINTS = 1_000_000
KEY = "train/metric_0"
STEP = re.compile(r"step ([\d,]+): (−?)([\d.e−]+)$")


@pytest.fixture
def long_run(workspace: Workspace) -> str:
    """A run of a million random values, one a step."""
    (run_id,) = start_runs(workspace, 1)
    plan = Plan(workspace.url, workspace.name, (run_id,), points=10_000, keys=1)
    client = RunClient(workspace.connection, run_id)
    for body in islice(bodies(plan, 0), POINTS // plan.points):
        client.send_points(1, body, patience=60)
    return run_id


def test_a_million_points_are_zoomed_to_single_steps(
    studio: Studio, workspace: Workspace, long_run: str
) -> None:
    ((written,),) = workspace.sql("SELECT count() FROM points")
    assert written == POINTS
    chart = studio.open_run(long_run, "metrics").chart(KEY)
    chart.show_table()
    expect(chart.points).to_have_text(f"{POINTS:,}")
    seen = POINTS
    while seen > 40:
        chart.zoom_by_dragging(0.45, 0.55)
        expect(chart.points).not_to_have_text(f"{seen:,}")
        seen = int(chart.points.inner_text().replace(",", ""))
    chart.plot.press("Home")
    for _ in range(seen // 2):
        chart.plot.press("ArrowRight")
    step, value = _at_crosshair(chart)
    ((true,),) = workspace.sql(
        f"SELECT value FROM points WHERE run_id = '{long_run}' AND step = {step}"
    )
    assert value == pytest.approx(true, rel=1e-4)
    chart.plot.press("0")
    expect(chart.points).to_have_text(f"{POINTS:,}")


def _at_crosshair(chart: ChartView) -> tuple[int, float]:
    found = STEP.match(chart.said)
    assert found is not None, chart.said
    step, sign, size = found.groups()
    value = float(size.replace("−", "-"))
    return int(step.replace(",", "")), -value if sign else value


@pytest.fixture
def run(workspace: Workspace) -> Iterator[Run]:
    with Experiment(workspace, "curves").start_logging() as run:
        workspace.sql("SELECT count() FROM runs")  # whoever looks now finds it
        yield run


def test_what_is_no_number_is_told(studio: Studio, run: Run) -> None:
    for step in range(20):
        run.log("loss", float("nan") if step % 10 == 5 else 1.0 + step, step=step)
    run.flush()
    chart = studio.open_run(run.id, "metrics").chart("loss")
    chart.show_table()
    cells = chart.figure.get_by_role("table").get_by_role("row").nth(1).get_by_role("cell")
    expect(cells).to_have_text(["20", "1", "1", "20", "18", "2"])


def test_a_page_misses_nothing_while_the_gateway_is_dead(
    studio: Studio, stack: RunningStack, run: Run
) -> None:
    for step in range(100):
        run.log("loss", 100.0 - step, step=step)
    run.flush()
    page = studio.open_run(run.id, "metrics")
    chart = page.chart("loss")
    chart.show_table()
    chart.expect_last("1")
    studio.expect_live()
    studio.page.evaluate(NOTE_STATES)

    with studio.watch.cut_off():
        stack.kill("gateway")
        for step in range(100, 200):
            run.log("loss", 300.0 - step, step=step)
        run.tag("while", "it was dead")
        run.flush()
        stack.wait_ready("gateway")
        chart.expect_last("101")
        expect(chart.points).to_have_text("200")
        studio.expect_live()
        page.show("overview")
        expect(studio.page.get_by_role("tabpanel")).to_contain_text("it was dead")
    assert "waiting" in studio.page.evaluate("window.states"), "the reader was told"
    assert studio.page.evaluate("window.states.at(-1)") == "live"


NOTE_STATES = """() => {
  const mark = document.querySelector("[data-live]");
  window.states = [];
  new MutationObserver(() => window.states.push(mark.dataset.live))
    .observe(mark, { attributes: true, attributeFilter: ["data-live"] });
}"""
