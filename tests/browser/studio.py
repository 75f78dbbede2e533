"""The studio as somebody sees it who uses it: pages, and what is on them by role and name."""

import re
from typing import Literal
from urllib.parse import quote, urlencode

from playwright.sync_api import Locator, Page, expect

from tests.support.chromium import PageWatch

Tab = Literal["overview", "metrics", "console", "system", "outputs", "code", "events", "children"]
TABS: tuple[Tab, ...] = (
    *("overview", "metrics", "console", "system"),
    *("outputs", "code", "events", "children"),
)


class Studio:
    """One window, and the workspace that it shows."""

    def __init__(self, page: Page, workspace: str, watch: PageWatch) -> None:
        self.page, self.watch = page, watch
        self._root = f"/w/{quote(workspace, safe='')}"

    def open_experiments(self) -> None:
        self.page.goto(f"{self._root}/experiments")
        expect(self.page.get_by_role("heading", name="Experiments", exact=True)).to_be_visible()

    def open_runs(self, **query: str) -> "RunsPage":
        search = f"?{urlencode(query)}" if query else ""
        self.page.goto(f"{self._root}/runs{search}")
        return RunsPage(self.page)

    def open_run(self, run_id: str, tab: Tab = "overview") -> "RunPage":
        self.page.goto(f"{self._root}/runs/{run_id}?tab={tab}")
        return RunPage(self.page)

    def expect_live(self) -> None:
        """Until the page's streams are connected: what happens from now on is pushed."""
        expect(self.page.get_by_role("banner").get_by_text("Live", exact=True)).to_be_visible()


class RunsPage:
    """The table of runs."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.grid = page.get_by_role("grid", name="Runs")
        self.rows = self.grid.get_by_role("row").filter(has=page.get_by_role("link"))

    def row(self, name: str) -> Locator:
        """The run's row."""
        link = self.page.get_by_role("link", name=name, exact=True)
        return self.grid.get_by_role("row").filter(has=link)

    def sort_by(self, head: str) -> None:
        """Click on a column's head."""
        self.grid.get_by_role("columnheader", name=head).get_by_role("button").click()

    def select(self, *names: str) -> None:
        """Tick the runs' boxes."""
        for name in names:
            self.box(name).check()

    def box(self, name: str) -> Locator:
        """The box that selects a run."""
        return self.row(name).get_by_role("checkbox")


class RunPage:
    """One run."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.head = page.get_by_role("main").locator("header").first

    def expect_status(self, status: str) -> None:
        """Until the head says so."""
        expect(self.head.get_by_text(status, exact=True)).to_be_visible()

    def show(self, tab: Tab) -> None:
        """Go to another tab without loading the page."""
        name = re.compile(f"^{tab}", re.IGNORECASE)
        self.page.get_by_role("tab", name=name).click()

    def chart(self, key: str) -> "ChartView":
        return ChartView(self.page, key)

    @property
    def console(self) -> Locator:
        return self.page.get_by_role("region", name="Console")

    @property
    def files(self) -> Locator:
        """The tree of outputs, or of the snapshot."""
        return self.page.get_by_role("tree")


class ChartView:
    """One chart; it is a slider whose place is the crosshair's."""

    def __init__(self, page: Page, key: str) -> None:
        self.page = page
        self.plot = page.get_by_role("slider", name=f"{key}: place on x")
        self.figure = page.get_by_role("figure").filter(has=self.plot)

    def expect_last(self, value: str) -> None:
        """Until the curve ends with this value."""
        expect(self.plot).to_have_attribute("aria-valuetext", f"last: {value}")

    @property
    def said(self) -> str:
        """The place and value at the crosshair, as a screen reader has them."""
        return self.plot.get_attribute("aria-valuetext") or ""

    def show_table(self) -> None:
        self.figure.get_by_role("button", name="Show as a table").click()

    @property
    def points(self) -> Locator:
        """In its table: how many points the curve has where it is shown."""
        return self.figure.get_by_role("table").get_by_role("row").nth(1).get_by_role("cell").nth(4)

    def zoom_by_dragging(self, begin: float, end: float) -> None:
        """Drag over a part of the plot (shares of its width), and wait for that part's curve."""
        box = self.plot.bounding_box()
        assert box is not None
        middle = box["y"] + box["height"] / 2
        with self.page.expect_response(lambda answer: "/curves?" in answer.url):
            self.page.mouse.move(box["x"] + begin * box["width"], middle)
            self.page.mouse.down()
            self.page.mouse.move(box["x"] + end * box["width"], middle, steps=4)
            self.page.mouse.up()
