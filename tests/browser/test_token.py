"""A deployment with a token: the page asks for it, shows it, and says when it is wrong."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from runhistory import Experiment, Run, Workspace
from tests.browser.studio import Studio
from tests.support.chromium import HOW_TO_INSTALL, WIDE, PageWatch, chromium, chromium_path
from tests.support.running_stack import RunningStack, running_stack

pytestmark = [pytest.mark.infrastructure, pytest.mark.timeout(600)]

TOKEN, NEWER = "key-1", "key-2"
NAME = "vision"
LONG = 1_100_000


@pytest.fixture
def guarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningStack]:
    """A stack whose gateway has a token."""
    if chromium_path() is None:
        pytest.skip(HOW_TO_INSTALL)
    monkeypatch.setenv("RUNHISTORY_TOKEN", TOKEN)
    with running_stack(tmp_path / "data") as stack:
        yield stack


@pytest.fixture
def studio(guarded: RunningStack) -> Iterator[Studio]:
    with chromium() as browser:
        context = browser.new_context(viewport=WIDE, base_url=guarded.url)
        context.set_default_timeout(60_000)
        expect.set_options(timeout=60_000)
        page = context.new_page()
        watch = PageWatch(page, guarded.url)
        yield Studio(page, NAME, watch)
        assert watch.faults == []


@pytest.fixture
def run(guarded: RunningStack, tmp_path: Path) -> Run:
    """One that goes on and has files."""
    workspace = Workspace(guarded.url, NAME, token=TOKEN)
    run = Experiment(workspace, "guarded").start_logging(display_name="seen by few")
    Image.new("RGB", (30, 20), "teal").save(tmp_path / "picture.png")
    (tmp_path / "long.txt").write_text("0123456789\n" * (LONG // 11))
    for file in ("picture.png", "long.txt"):
        run.upload_file(f"outputs/{file}", tmp_path / file)
    return run


def enter(page: Page, token: str) -> None:
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Open the studio").click()


def test_the_page_asks_for_the_token_and_works_with_it(
    guarded: RunningStack, studio: Studio, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = studio.page
    with studio.watch.cut_off():  # a refused request is an error on the browser's console
        run_page = studio.open_run(run.id, "metrics")
        expect(page.get_by_role("heading", name="This deployment needs a token")).to_be_visible()
        expect(page.get_by_role("alert")).to_be_hidden()
        enter(page, "wrong €")
        expect(page.get_by_role("alert")).to_contain_text("does not take that token")
    enter(page, TOKEN)
    run_page.expect_status("Running")
    studio.expect_live()
    assert TOKEN not in page.url

    run.log("loss", 0.25, step=1)
    run.log("loss", 0.5, step=2)
    run_page.chart("loss").expect_last("0.5")
    page.reload()
    run_page.chart("loss").expect_last("0.5")

    run_page.show("outputs")
    run_page.files.get_by_text("picture.png").click()
    expect(page.get_by_role("img", name="outputs/picture.png")).to_be_visible()
    expect(page.get_by_text("30 × 20")).to_be_visible()
    run_page.files.get_by_text("long.txt").click()
    expect(page.get_by_text("The first 1.0 MB of 1.1 MB.")).to_be_visible()
    page.get_by_role("button", name="Show more").click()
    expect(page.get_by_text("The first 1.0 MB of 1.1 MB.")).to_be_hidden()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert Path(download.value.path()).read_bytes() == (tmp_path / "long.txt").read_bytes()
    assert download.value.suggested_filename == "long.txt"
    page.get_by_role("button", name="Python").click()
    expect(page.get_by_role("dialog")).to_contain_text("RUNHISTORY_TOKEN has to be set")
    assert TOKEN not in page.get_by_role("dialog").inner_text()
    page.keyboard.press("Escape")

    with studio.watch.cut_off():
        guarded.down()
        monkeypatch.setenv("RUNHISTORY_TOKEN", NEWER)
        guarded.up()
        expect(page.get_by_role("alert")).to_contain_text("no longer takes the token")
    enter(page, NEWER)
    run_page.expect_status("Running")
    studio.expect_live()


def test_a_new_tab_asks_again(studio: Studio, run: Run) -> None:
    with studio.watch.cut_off():
        studio.open_runs()
        enter(studio.page, TOKEN)
        expect(studio.page.get_by_role("link", name="seen by few")).to_be_visible()
        other = studio.page.context.new_page()
        other.goto(studio.page.url)
        expect(other.get_by_role("heading", name="This deployment needs a token")).to_be_visible()
