"""axe finds nothing serious on any page, light and dark, wide and narrow."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Page, expect

from runhistory import Experiment, Workspace
from tests.browser.conftest import OpenStudio
from tests.browser.studio import TABS, Studio, Tab
from tests.browser.told import Teller
from tests.support.chromium import NARROW, WIDE

pytestmark = [pytest.mark.infrastructure, pytest.mark.timeout(600)]

AXE = Path(__file__).parents[2] / "services/studio/node_modules/axe-core/axe.min.js"
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
SHOWN: dict[Tab, str] = {
    "overview": "vision",
    "metrics": "loss",
    "console": "printed in red",
    "system": "GPU 1",
    "outputs": "It works.",
    "code": "print('hello')",
    "events": "run.created.v1",
    "children": "fold 1",
}
"""What is on each tab when all of it is there."""

Show = Callable[[Studio, str], None]


def serious_findings(page: Page) -> list[str]:
    """What axe finds that keeps somebody out; run from outside, as the page's policy wants it."""
    page.evaluate(AXE.read_text("utf-8"))
    found: dict[str, Any] = page.evaluate("tags => axe.run(document, {runOnly: tags})", STANDARDS)
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def _experiments(studio: Studio, run_id: str) -> None:
    studio.open_experiments()
    expect(studio.page.get_by_role("link", name="seen by axe")).to_be_visible()


def _runs(studio: Studio, run_id: str) -> None:
    expect(studio.open_runs().row("the run")).to_be_visible()


def _charts(studio: Studio, run_id: str) -> None:
    studio.open_runs(run=run_id, charts="true")
    expect(studio.page.get_by_role("slider", name="loss")).to_be_visible()


def _columns(studio: Studio, run_id: str) -> None:
    studio.open_runs()
    studio.page.get_by_role("button", name="Columns").click()
    expect(studio.page.get_by_role("dialog", name="Columns")).to_be_visible()


def _keyboard(studio: Studio, run_id: str) -> None:
    studio.open_experiments()
    studio.page.keyboard.press("?")
    expect(studio.page.get_by_role("dialog", name="Keyboard")).to_be_visible()


def _run(studio: Studio, run_id: str) -> None:
    panel = studio.page.get_by_role("tabpanel")
    for tab in TABS:
        studio.open_run(run_id, tab)
        expect(panel).to_contain_text(SHOWN[tab])
        expect(panel).not_to_contain_text(re.compile("Loading|Reading|Listing"))
        assert serious_findings(studio.page) == [], tab


def _line(studio: Studio, run_id: str) -> None:
    studio.page.goto(f"{studio.open_run(run_id, 'console').page.url}&line=2&q=red")
    expect(studio.page.get_by_role("region", name="Line 2, whole")).to_contain_text("in red")


PAGES: dict[str, Show] = {
    "experiments": _experiments,
    "runs": _runs,
    "charts": _charts,
    "columns": _columns,
    "keyboard": _keyboard,
    "run": _run,
    "line": _line,
}


@pytest.fixture
def run_id(workspace: Workspace, tmp_path: Path) -> str:
    """A run that has something on each tab."""
    (tmp_path / "train.py").write_text("print('hello')  # a comment\n")
    (tmp_path / "notes.md").write_text("# Notes\n\nIt *works*.\n")
    with Experiment(workspace, "seen by axe").start_logging(
        display_name="the run", tags={"team": "vision"}, snapshot_directory=tmp_path
    ) as run:
        run.log_params({"rate": 0.1})
        for step in range(50):
            run.log("loss", 1 / (step + 1))
        run.upload_file("outputs/notes.md", tmp_path / "notes.md")
        run.child_run("fold 1").complete()
        teller = Teller(workspace, run.id)
        teller.print(
            "plain", "\x1b[31mprinted in red\x1b[0m, \x1b[2mdim\x1b[0m", "\x1b[43mon yellow"
        )
        teller.print("an error", stream="stderr")
        teller.measure(**{f"system/gpu/{gpu}/utilization": [10.0, 90.0] for gpu in (0, 1)})
    return run.id


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", ["wide", "narrow"])
def test_nothing_serious_is_found(
    open_studio: OpenStudio, run_id: str, scheme: Literal["light", "dark"], width: str
) -> None:
    studio = open_studio(color_scheme=scheme, viewport=WIDE if width == "wide" else NARROW)
    found = {}
    for name, show in PAGES.items():
        show(studio, run_id)
        found[name] = serious_findings(studio.page)
    assert found == {name: [] for name in PAGES}


def test_an_empty_workspace_has_nothing_serious_either(studio: Studio) -> None:
    studio.open_experiments()
    expect(studio.page.get_by_label("Python that logs a run").first).to_be_visible()
    assert serious_findings(studio.page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_failed_run_has_nothing_serious_either(
    open_studio: OpenStudio, workspace: Workspace, scheme: Literal["light", "dark"]
) -> None:
    run = Experiment(workspace, "seen by axe").start_logging(display_name="the run")
    run.fail("It asked for 2 GiB.", error_code="OutOfMemory")
    studio = open_studio(color_scheme=scheme)
    studio.open_run(run.id)
    expect(studio.page.get_by_role("alert")).to_contain_text("OutOfMemory")
    assert serious_findings(studio.page) == []
