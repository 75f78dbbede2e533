"""A run's console: followed to its last line, of one stream, in colours that carry over."""

import re

import pytest
from playwright.sync_api import Locator, expect

from runhistory import Experiment, Run, Workspace
from tests.browser.studio import Studio
from tests.browser.told import Stream, Teller

pytestmark = [pytest.mark.infrastructure, pytest.mark.timeout(600)]

RED = "\x1b[31m"


@pytest.fixture
def run(workspace: Workspace) -> Run:
    return Experiment(workspace, "console").start_logging(display_name="it prints")


@pytest.fixture
def teller(workspace: Workspace, run: Run) -> Teller:
    return Teller(workspace, run.id)


def line(studio: Studio, number: int) -> Locator:
    return studio.page.locator(f"[data-line='{number}']")


def expect_whole(line: Locator) -> None:
    """Until all of its height is inside the console."""
    expect(line).to_be_visible()
    line.page.wait_for_function(
        """(line) => {
          const view = line.closest("[role=region]");
          const { top } = view.getBoundingClientRect();
          const one = line.getBoundingClientRect();
          return top <= one.top && one.bottom <= top + view.clientHeight;
        }""",
        arg=line.element_handle(),
    )


def test_the_last_line_is_whole_while_it_is_followed(
    studio: Studio, run: Run, teller: Teller
) -> None:
    teller.print(*(f"line {number}" for number in range(1, 201)))
    console = studio.open_run(run.id, "console").console
    expect_whole(line(studio, 200))
    studio.expect_live()
    teller.print("wider than the console " * 100)
    expect_whole(line(studio, 201))
    studio.page.set_viewport_size({"width": 1_000, "height": 500})
    studio.page.wait_for_function("innerHeight === 500")
    expect_whole(line(studio, 201))
    assert console.evaluate("(view) => view.scrollWidth > view.clientWidth")


def test_a_long_line_is_read_whole_and_by_keys(studio: Studio, run: Run, teller: Teller) -> None:
    words = " ".join(f"word{number}" for number in range(500))
    teller.print("short", words, "behind it")
    console = studio.open_run(run.id, "console").console
    console.focus()
    studio.page.keyboard.press("ArrowRight")
    expect(studio.page.get_by_role("tab", name="Console")).to_have_attribute(
        "aria-selected", "true"
    )
    studio.page.wait_for_function("(view) => view.scrollLeft > 0", arg=console.element_handle())

    line(studio, 2).get_by_role("link", name="Line 2").click()
    whole = studio.page.get_by_role("region", name="Line 2, whole")
    expect(whole).to_contain_text("word499")
    assert whole.evaluate("(one) => one.scrollWidth <= one.clientWidth")
    expect(studio.page).to_have_url(re.compile("line=2"))
    whole.get_by_role("button", name="Close this line").click()
    expect(whole).to_be_hidden()


def test_one_stream_is_shown_and_grows(studio: Studio, run: Run, teller: Teller) -> None:
    for number in range(1, 1_301):
        stream: Stream = "stderr" if number % 2 else "stdout"
        if number % 650 == 1:
            batch: list[tuple[Stream, str]] = []
        batch.append((stream, f"{stream} {number}"))
        if number % 650 == 0:
            teller.print_all(batch)
    page = studio.open_run(run.id, "console")
    expect(page.console).to_contain_text("stdout 1300")
    studio.expect_live()
    studio.page.get_by_label("Stream").select_option("stderr")
    expect(studio.page.get_by_text("650 lines")).to_be_visible()
    expect(page.console).to_contain_text("stderr 1299")
    expect(page.console).not_to_contain_text("stdout")
    expect(line(studio, 1299)).to_be_visible()

    teller.print("not of it")
    teller.print("of it", stream="stderr")
    expect(line(studio, 1302)).to_contain_text("of it")
    expect(studio.page.get_by_text("651 lines")).to_be_visible()
    page.console.press("Home")  # a page that was not loaded with the end
    expect(line(studio, 1)).to_contain_text("stderr 1")
    studio.page.reload()
    expect(line(studio, 1302)).to_be_visible()
    studio.page.get_by_label("Search the console").fill("stderr 37")
    expect(studio.page.get_by_text(re.compile("^6 lines$"))).to_be_visible()
    studio.page.keyboard.press("Enter")
    expect(line(studio, 379)).to_be_visible()


def test_a_colour_carries_over_to_the_next_line_of_its_stream(
    studio: Studio, run: Run, teller: Teller
) -> None:
    teller.print(f"{RED}it is red")
    teller.print("another stream", stream="stderr")
    teller.print("still red", "until\x1b[0m here")
    console = studio.open_run(run.id, "console").console

    def colour(text: str) -> str:
        return str(
            console.get_by_text(text, exact=True).evaluate("(one) => getComputedStyle(one).color")
        )

    red = colour("it is red")
    assert [colour(text) == red for text in ("still red", "until", " here", "another stream")] == [
        True, True, False, False,
    ]  # fmt: skip


def test_a_flood_of_lines_is_shown_to_its_end(studio: Studio, run: Run, teller: Teller) -> None:
    page = studio.open_run(run.id, "console")
    studio.expect_live()
    teller.print("before")
    expect(page.console).to_contain_text("before")
    for batch in range(10):  # too many to be pushed: the page is told to read them
        teller.print(*(f"line {1_000 * batch + number}" for number in range(1_000)))
    expect(studio.page.get_by_text("10,001 lines")).to_be_visible()
    expect_whole(line(studio, 10_001))
    expect(line(studio, 10_001)).to_contain_text("line 9999")
    teller.print("behind it")
    expect(line(studio, 10_002)).to_contain_text("behind it")
    page.console.press("Home")
    expect(line(studio, 1)).to_contain_text("before")
