"""One run's page: its notes, what cannot be done and why, its events in words."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from runhistory import Experiment, Run, Workspace
from tests.browser.studio import Studio

pytestmark = [pytest.mark.infrastructure, pytest.mark.timeout(600)]


@pytest.fixture
def logged(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """An interactive run of a program that lies in no repository."""
    monkeypatch.chdir(tmp_path)
    with Experiment(workspace, "notebook").start_logging(display_name="by hand") as run:
        run.log("loss", 0.5)
        (tmp_path / "a.txt").write_text("a")
        run.upload_file("outputs/a.txt", tmp_path / "a.txt")
    return run


def test_notes_are_written_at_once_and_a_draft_outlives_its_tab(
    studio: Studio, logged: Run
) -> None:
    page = studio.open_run(logged.id)
    keyboard, field = studio.page.keyboard, studio.page.get_by_role("textbox", name="Notes")
    studio.page.get_by_role("button", name="Write").click()
    keyboard.type("21 is *enough*")
    expect(field).to_have_value("21 is *enough*")

    page.show("events")
    expect(field).to_be_hidden()
    page.show("overview")
    expect(field).to_have_value("21 is *enough*")
    studio.page.get_by_role("button", name="Save").click()
    expect(studio.page.get_by_role("tabpanel").locator("em")).to_have_text("enough")
    edit = studio.page.get_by_role("button", name="Edit")
    expect(edit).to_be_focused()
    assert logged.get_details()["description"] == "21 is *enough*"

    keyboard.press("Enter")
    keyboard.type("nothing of this")
    studio.page.get_by_role("button", name="Cancel").click()
    expect(edit).to_be_focused()
    edit.click()
    expect(field).to_have_value("21 is *enough*")


def test_an_interactive_run_says_why_it_cannot_be_reproduced(studio: Studio, logged: Run) -> None:
    page = studio.open_run(logged.id)
    button = studio.page.get_by_role("button", name="Reproduce")
    expect(button).to_be_disabled()
    expect(button).to_have_accessible_description(re.compile("did not start the program"))
    expect(page.head).to_contain_text("it cannot be reproduced")

    page.show("code")
    panel = studio.page.get_by_role("tabpanel")
    expect(panel).to_contain_text("No code was kept")
    expect(panel).not_to_contain_text("git")


def test_what_was_scrolled_just_before_its_tab_was_left_is_nobodys(
    studio: Studio, logged: Run
) -> None:
    page = studio.open_run(logged.id, "outputs")
    expect(page.files).to_be_visible()
    tree = page.files.element_handle()
    page.show("events")
    expect(page.files).to_be_hidden()
    tree.evaluate("element => element.dispatchEvent(new Event('scroll'))")
    # In the end the window's errors are looked at.


def test_events_are_told_in_words_and_open(studio: Studio, logged: Run) -> None:
    studio.open_run(logged.id, "events")
    panel = studio.page.get_by_role("tabpanel")
    expect(panel).to_contain_text("all that happened to this run, as it was recorded")
    panel.get_by_text("run.created.v1").click()
    expect(panel).to_contain_text("in the log")
