"""What is on every page: the way between them, keys, and how it looks."""

import re
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenStudio
from tests.browser.studio import Studio

pytestmark = pytest.mark.infrastructure


def test_an_address_that_no_page_has_says_so_and_names_are_text(open_studio: OpenStudio) -> None:
    name = "<img src=x onerror=alert(1)>"
    studio = open_studio(name)
    studio.page.goto(f"/w/{quote(name, safe='')}/no-such-page/at/all")
    expect(studio.page.get_by_role("heading", name="There is no such page")).to_be_visible()
    studio.page.get_by_role("link", name="experiments").last.click()
    expect(studio.page.get_by_role("heading", name="Experiments", exact=True)).to_be_visible()
    assert studio.page.locator("img[src=x]").count() == 0


def test_an_address_that_no_run_can_have_says_so(studio: Studio) -> None:
    studio.page.goto("/w/default/runs/mistyped")
    expect(studio.page.get_by_role("heading", name="There is no such run")).to_be_visible()
    studio.page.get_by_role("main").get_by_role("link", name="runs").click()
    expect(studio.page).to_have_url(re.compile("/runs$"))


def test_keys_are_told_and_go_to_the_pages(studio: Studio) -> None:
    studio.open_runs()
    studio.page.keyboard.press("?")
    keys = studio.page.get_by_role("dialog", name="Keyboard")
    expect(keys.get_by_text("Search on this page")).to_be_visible()
    studio.page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    studio.page.keyboard.press("e")
    expect(studio.page.get_by_role("heading", name="Experiments", exact=True)).to_be_visible()
    expect(studio.page.get_by_role("main")).to_be_focused()
    studio.page.keyboard.press("e")  # here already: not once more in the history
    studio.page.go_back()
    expect(studio.page).to_have_url(re.compile("/runs$"))


def test_the_chosen_theme_stays(studio: Studio) -> None:
    studio.open_runs()
    before = _background(studio)
    studio.page.keyboard.press("t")
    expect(studio.page.get_by_role("button", name="Theme: dark")).to_be_visible()
    dark = _background(studio)
    assert dark != before
    studio.page.reload()
    expect(studio.page.get_by_role("button", name="Theme: dark")).to_be_visible()
    assert _background(studio) == dark


def _background(studio: Studio) -> str:
    return str(
        studio.page.evaluate("getComputedStyle(document.querySelector('header')).backgroundColor")
    )
