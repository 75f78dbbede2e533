"""The first page: an empty workspace, an experiment's first run, and the way to it."""

import pytest
from playwright.sync_api import expect

from runhistory import Experiment, Workspace
from tests.browser.studio import Studio

pytestmark = pytest.mark.infrastructure


def test_an_empty_workspace_shows_how_to_log_and_how_to_submit(studio: Studio) -> None:
    studio.open_experiments()
    expect(studio.page.get_by_label("Python that logs a run").first).to_contain_text("run.log(")
    command = studio.page.get_by_label("The command that submits a run").first
    expect(command).to_contain_text("runhistory submit")


def test_a_first_run_comes_into_the_open_page_and_leads_to_its_curve(
    studio: Studio, workspace: Workspace
) -> None:
    studio.open_experiments()
    studio.expect_live()
    with Experiment(workspace, "first steps").start_logging(display_name="one") as run:
        for step in range(10):
            run.log("loss", 1 / (step + 1))
        run.flush()
        expect(studio.page.get_by_role("link", name="first steps")).to_be_visible()
        expect(studio.page.get_by_role("list").get_by_text("0.1", exact=True)).to_be_visible()
    studio.page.get_by_role("link", name="first steps").click()
    expect(studio.page.get_by_role("link", name="one", exact=True)).to_be_visible()
    assert studio.page.url.endswith("/runs?experiment=first+steps")
    studio.page.go_back()
    studio.page.get_by_role("link", name="1 completed").click()
    expect(studio.page.get_by_role("link", name="one", exact=True)).to_be_visible()
    assert studio.page.url.endswith("/runs?experiment=first+steps&status=Completed")


def test_keys_lead_through_the_studio(studio: Studio, workspace: Workspace) -> None:
    Experiment(workspace, "keys").start_logging().complete()
    studio.open_experiments()
    expect(studio.page.get_by_role("link", name="keys")).to_be_visible()
    studio.page.keyboard.press("?")
    help = studio.page.get_by_role("dialog", name="Keyboard")
    expect(help.get_by_text("Search on this page")).to_be_visible()
    studio.page.keyboard.press("Escape")
    expect(help).to_be_hidden()
    studio.page.keyboard.press("/")
    expect(studio.page.get_by_role("searchbox")).to_be_focused()
    studio.page.keyboard.type("nothing like it")
    expect(studio.page.get_by_text("No experiment fits")).to_be_visible()
    assert "q=nothing" in studio.page.url, "every state is in the address"
