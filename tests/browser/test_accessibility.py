"""axe finds nothing serious on any page, light and dark, wide and narrow."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Page, expect

from runhistory import Experiment, Workspace
from tests.browser.conftest import OpenStudio
from tests.browser.studio import TABS, Studio
from tests.support.chromium import NARROW, WIDE

pytestmark = [pytest.mark.infrastructure, pytest.mark.timeout(600)]

AXE = Path(__file__).parents[2] / "services/studio/node_modules/axe-core/axe.min.js"
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
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
    for tab in TABS:
        studio.open_run(run_id, tab)
        expect(studio.page.get_by_role("tabpanel")).to_be_visible()
        expect(studio.page.get_by_role("tabpanel")).not_to_contain_text("Loading")
        assert serious_findings(studio.page) == [], tab


PAGES: dict[str, Show] = {
    "experiments": _experiments,
    "runs": _runs,
    "charts": _charts,
    "columns": _columns,
    "keyboard": _keyboard,
    "run": _run,
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
