"""The table of runs in use: columns, filters, keys, and what comes while somebody looks."""

from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Route, ViewportSize, expect

from runhistory import Experiment, Run, Workspace
from tests.browser.conftest import OpenStudio
from tests.browser.studio import RunsPage, Studio
from tests.support.chromium import NARROW, WIDE

pytestmark = pytest.mark.infrastructure

EXPERIMENT = "table"


def begin(workspace: Workspace, *names: str, metrics: tuple[str, ...] = ("loss",)) -> list[Run]:
    """Runs that go on, each with a param and these metrics; who reads now has all of it."""
    runs = [Experiment(workspace, EXPERIMENT).start_logging(display_name=name) for name in names]
    for number, run in enumerate(runs):
        run.log_params({"lr": number / 10})
        for key in metrics:
            run.log(key, number)
        run.flush()
    workspace.sql("SELECT count() FROM runs")
    return runs


def open_table(studio: Studio, **query: str) -> RunsPage:
    page = studio.open_runs(experiment=EXPERIMENT, **query)
    expect(page.grid.get_by_role("columnheader", name="Created")).to_be_visible()
    return page


def heads(page: RunsPage) -> Locator:
    """The columns behind the box and the name."""
    return page.grid.get_by_role("columnheader").filter(has=page.page.get_by_role("button"))


def query_of(studio: Studio) -> dict[str, list[str]]:
    return parse_qs(urlsplit(studio.page.url).query)


def test_a_metric_that_is_logged_for_the_first_time_is_offered_at_once(
    studio: Studio, workspace: Workspace
) -> None:
    (run,) = begin(workspace, "a")
    page = open_table(studio)
    studio.expect_live()
    before = heads(page).all_inner_texts()
    studio.page.get_by_role("button", name="Columns").click()
    late = studio.page.get_by_role("checkbox", name="late last")
    expect(studio.page.get_by_role("checkbox", name="loss last")).to_be_visible()
    expect(late).to_have_count(0)
    run.log("late", 0.25)
    run.set_tags({"mood": "hopeful"})
    run.flush()
    expect(late).to_be_visible()
    expect(studio.page.get_by_role("checkbox", name="mood tag")).to_be_visible()
    assert heads(page).all_inner_texts() == before, "no column moves while somebody looks"
    late.check()
    studio.page.keyboard.press("Escape")
    expect(page.row("a")).to_contain_text("0.25")


def test_columns_are_taken_to_other_places(studio: Studio, workspace: Workspace) -> None:
    begin(workspace, "a")
    page = open_table(studio)
    status = page.grid.get_by_role("columnheader", name="Status")
    loss = page.grid.get_by_role("columnheader", name="loss last")
    loss.drag_to(status)
    expect(heads(page)).to_contain_text(["Name", "loss", "Status", "lr", "Created", "Duration"])
    loss.get_by_role("button").focus()
    studio.page.keyboard.press("Alt+ArrowRight")
    expect(heads(page).nth(1)).to_contain_text("Status")
    expect(loss.get_by_role("button")).to_be_focused()
    assert query_of(studio)["columns"][:2] == ["status", "last:loss"]
    studio.page.reload()
    expect(heads(page).nth(2)).to_contain_text("loss")


def test_runs_are_filtered_by_text_status_and_tag(studio: Studio, workspace: Workspace) -> None:
    one, two, _ = begin(workspace, "amber", "birch", "cedar")
    one.fail("out of memory")
    two.set_tags({"team": "vision"})
    workspace.sql("SELECT count() FROM tags")
    page = open_table(studio)
    count = studio.page.get_by_role("main").locator("header .count")
    expect(count).to_have_text("3 runs")

    studio.page.keyboard.press("/")
    studio.page.keyboard.type("EDA")
    expect(count).to_have_text("1 run")
    expect(page.row("cedar")).to_be_visible()
    studio.page.get_by_role("button", name="Show all").click()

    studio.page.get_by_role("button", name="Status").first.click()
    studio.page.get_by_role("checkbox", name="Failed").check()
    studio.page.keyboard.press("Escape")
    expect(count).to_have_text("1 run")
    expect(page.row("amber")).to_contain_text("Failed")
    studio.page.get_by_role("button", name="No longer only: Failed").click()

    studio.page.get_by_role("button", name="Tags").click()
    studio.page.get_by_role("button", name="team").click()
    studio.page.keyboard.press("Escape")
    expect(count).to_have_text("1 run")
    expect(page.row("birch")).to_be_visible()
    assert query_of(studio)["tag"] == ["team"]
    studio.page.reload()
    expect(count).to_have_text("1 run")
    expect(page.row("birch")).to_be_visible()


def test_the_keyboard_is_enough(studio: Studio, workspace: Workspace) -> None:
    third, _, _ = begin(workspace, "third", "second", "first")
    page = open_table(studio)
    expect(page.row("first")).to_be_visible()
    studio.page.keyboard.press("?")
    expect(studio.page.get_by_role("dialog").get_by_text("Enter opens")).to_be_visible()
    studio.page.keyboard.press("Escape")
    for key in ("ArrowDown", "Space", "ArrowDown", "Shift+ArrowDown"):
        studio.page.keyboard.press(key)
    for name in ("first", "second", "third"):
        expect(page.row(name)).to_have_attribute("aria-selected", "true")
    studio.page.keyboard.press("c")
    expect(studio.page.get_by_role("slider", name="loss: place on x")).to_be_visible()
    studio.page.keyboard.press("c")
    studio.page.keyboard.press("Escape")
    expect(page.row("first")).to_have_attribute("aria-selected", "false")
    studio.page.keyboard.press("Enter")
    expect(studio.page.get_by_role("tab", name="Overview")).to_be_visible()
    assert third.id in studio.page.url
    studio.page.go_back()
    expect(page.row("first")).to_be_visible()


def test_a_run_that_changes_stays_where_it_is_until_it_is_asked(
    studio: Studio, workspace: Workspace
) -> None:
    low, high = begin(workspace, "low", "high")
    high.log("loss", 0.1)
    high.flush()
    workspace.sql("SELECT count() FROM points")
    page = open_table(studio, sort="last:loss")
    expect(page.rows.first).to_contain_text("low")
    studio.expect_live()
    low.log("loss", 0.12345)
    low.flush()
    expect(page.row("low")).to_contain_text("0.12345")
    expect(page.rows.first).to_contain_text("low")
    studio.page.get_by_role("button", name="The list has changed").click()
    expect(page.rows.first).to_contain_text("high")
    high.complete()
    expect(page.row("high")).to_contain_text("Completed")


def test_what_happened_while_the_rows_were_on_their_way_is_seen(
    studio: Studio, workspace: Workspace
) -> None:
    (run,) = begin(workspace, "a")

    def after_its_end(route: Route) -> None:
        answer = route.fetch()
        run.complete()
        route.fulfill(response=answer)

    studio.page.route("**/runs/table?*", after_its_end, times=1)
    page = studio.open_runs(experiment=EXPERIMENT)
    expect(page.row("a")).to_contain_text("Completed")


# Columns that are seen in part: below the names, or at the right edge where nothing covers them.
CUT = """(grid) => {
  const box = (element) => element.getBoundingClientRect();
  const name = box(grid.querySelector("[role=columnheader].name"));
  const cover = grid.nextElementSibling;
  const edge = cover ? box(cover).left : box(grid).right;
  return [...grid.querySelectorAll("[role=columnheader]")].slice(2).filter((head) => {
    const { left, right } = box(head);
    const isBelowName = left < name.right - 1 && right > name.right + 1;
    return isBelowName || (left < edge - 1 && right > edge + 1);
  }).map((head) => head.textContent);
}"""

SCROLL = """(grid, by) => new Promise((done) => {
  grid.scrollBy({ left: by, behavior: "instant" });
  requestAnimationFrame(() => requestAnimationFrame(() => done(grid.scrollLeft)));
})"""


@pytest.mark.parametrize(("size", "charts"), [(WIDE, "true"), (NARROW, "false")])
def test_names_stay_in_sight_and_no_column_is_cut(
    open_studio: OpenStudio, workspace: Workspace, size: ViewportSize, charts: str
) -> None:
    begin(workspace, "a", metrics=("one", "two", "three", "four"))
    studio = open_studio(viewport=size)
    page = studio.open_runs(experiment=EXPERIMENT, charts=charts)
    expect(page.grid.get_by_role("columnheader", name="Duration")).to_have_count(1)
    link = page.row("a").get_by_role("link")
    before = link.bounding_box()
    assert page.grid.evaluate(CUT) == []
    assert page.grid.evaluate(SCROLL, 100) > 0
    assert link.bounding_box() == before
    assert page.grid.evaluate(CUT) == []
