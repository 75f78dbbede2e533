"""The table of runs when there are very many: sorted by a metric, scrolled, and changed in bulk."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.many_runs import fill
from playwright.sync_api import expect

from runhistory import Experiment, Run, Workspace
from runhistory.runtime.settings import PORT_OFFSETS
from tests.browser.conftest import OpenStudio
from tests.browser.studio import RunsPage, Studio
from tests.support.running_stack import RunningStack, running_stack

pytestmark = [pytest.mark.infrastructure, pytest.mark.timeout(600)]

RUNS = 100_000

BEST = """
SELECT run_id, argMax(value, step) AS last FROM points WHERE key = 'loss'
GROUP BY run_id ORDER BY last, run_id LIMIT 1
"""

FAILED = """
SELECT count() FROM runs JOIN tags ON tags.run_uuid = runs.run_uuid
WHERE status = 'Failed' AND tags.name = 'team' AND tags.value = 'vision'
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """One of its own: what is filled in is in no log, and a rebuild of its tables would miss it."""
    with running_stack(tmp_path_factory.mktemp("many") / "data") as stack:
        yield stack


@pytest.fixture(scope="module")
def many(stack: RunningStack) -> Workspace:
    """A workspace of so many runs."""
    name = f"many{uuid.uuid4().hex[:12]}"
    fill(f"http://127.0.0.1:{stack.port + PORT_OFFSETS['engine']}", RUNS, name)
    return Workspace(stack.url, name)


def test_the_best_of_very_many_runs_is_found_and_opened(
    open_studio: OpenStudio, many: Workspace
) -> None:
    studio = open_studio(many.name)
    page = studio.open_runs()
    expect(studio.page.get_by_text(f"{RUNS:,} runs")).to_be_visible()
    page.sort_by("loss last")
    expect(page.grid.get_by_role("columnheader", name="loss last")).to_have_attribute(
        "aria-sort", "ascending"
    )
    ((run_id, last),) = many.sql(BEST)
    best = page.grid.locator(f"[data-run='{run_id}']")
    expect(best).to_have_attribute("aria-rowindex", "2")
    expect(best).to_contain_text(f"{last:.5g}".replace("e-0", "e−"))
    assert "sort=last%3Aloss" in studio.page.url, "a link to it shows the same"

    page.grid.focus()
    studio.page.keyboard.press("End")
    expect(page.grid.locator(f"[aria-rowindex='{RUNS + 1}']").get_by_role("link")).to_be_visible()
    studio.page.keyboard.press("Home")
    best.get_by_role("link").click()
    expect(studio.page.get_by_role("tab", name="Overview")).to_be_visible()
    assert run_id in studio.page.url


def test_filters_and_columns_are_in_the_address(open_studio: OpenStudio, many: Workspace) -> None:
    studio = open_studio(many.name)
    page = studio.open_runs(status="Failed", tag="team:vision")
    page.rows.first.wait_for()
    ((failed,),) = many.sql(FAILED)
    expect(studio.page.get_by_text(f"{failed:,} runs")).to_be_visible()
    studio.page.get_by_role("button", name="Columns").click()
    studio.page.get_by_role("checkbox", name="metric-3 max").check()
    studio.page.keyboard.press("Escape")
    expect(page.grid.get_by_role("columnheader", name="metric-3 max")).to_be_visible()
    studio.page.reload()
    expect(page.grid.get_by_role("columnheader", name="metric-3 max")).to_be_visible()
    expect(studio.page.get_by_text(f"{failed:,} runs")).to_be_visible()


def _begin(workspace: Workspace, *names: str) -> list[Run]:
    experiment = Experiment(workspace, "bulk")
    runs = [experiment.start_logging(display_name=name) for name in names]
    workspace.sql("SELECT count() FROM runs")  # a page that is opened now has them all
    return runs


def test_selected_runs_are_drawn_tagged_cancelled_and_archived_together(
    studio: Studio, workspace: Workspace, tmp_path: Path
) -> None:
    runs = _begin(workspace, "a", "b", "c")
    for number, run in enumerate(runs, 1):
        for step in range(20):
            run.log("loss", number / (step + 1))
        run.flush()
    page = studio.open_runs(experiment="bulk")
    every = page.grid.get_by_role("columnheader").get_by_role("checkbox")
    expect(page.row("c")).to_be_visible()
    every.click()
    expect(page.box("c")).to_be_checked()
    expect(every).to_be_checked()
    page.box("c").uncheck()
    expect(every).not_to_be_checked()
    every.click()
    for name in ("a", "b", "c"):
        expect(page.box(name)).not_to_be_checked()
    page.select("a", "b")
    bar = studio.page.locator("main footer")
    bar.get_by_role("button", name="Charts").click()
    chart = studio.page.get_by_role("slider", name="loss: place on x")
    expect(chart).to_have_attribute("aria-valuetext", "last: a 0.05, b 0.1")

    bar.get_by_role("button", name="Tag").click()
    tag = studio.page.get_by_role("dialog")
    tag.get_by_role("combobox", name="Tag").fill("mood")
    tag.get_by_role("textbox", name="Value").fill("hopeful")
    tag.get_by_role("button", name="Set").click()
    _until_said(studio)
    bar.get_by_role("button", name="Cancel").click()
    studio.page.get_by_role("button", name="Cancel 2 runs").click()
    for name in ("a", "b"):
        expect(page.row(name)).to_contain_text("Canceled")
    expect(page.row("c")).to_contain_text("Running")
    bar.get_by_role("button", name="Archive").click()
    expect(page.row("a")).to_contain_text("archived")
    found = {run.display_name: run for run in Experiment(workspace, "bulk").get_runs()}
    assert set(found) == {"c"}
    tagged = Experiment(workspace, "bulk").get_runs(tags={"mood": "hopeful"})
    assert list(tagged) == [], "archived runs are out of sight"
    runs[2].complete()
    expect(page.row("c")).to_contain_text("Completed")
    studio.page.reload()
    expect(page.row("c")).to_be_visible()
    expect(page.row("a")).to_have_count(0)


def test_new_runs_wait_behind_a_pill_and_nothing_jumps(
    studio: Studio, workspace: Workspace
) -> None:
    _begin(workspace, *(f"old {n:02}" for n in range(30)))
    page: RunsPage = studio.open_runs(experiment="bulk")
    expect(page.row("old 29")).to_be_visible()
    studio.expect_live()
    before = page.row("old 29").bounding_box()
    Experiment(workspace, "bulk").start_logging(display_name="new")
    pill = studio.page.get_by_role("button", name="1 new run")
    expect(pill).to_be_visible()
    assert page.row("old 29").bounding_box() == before
    pill.click()
    expect(page.row("new")).to_have_attribute("aria-rowindex", "2")


def _until_said(studio: Studio) -> None:
    expect(studio.page.get_by_text("2 runs tagged")).to_be_visible()
