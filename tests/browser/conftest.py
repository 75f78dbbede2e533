"""A real Chromium before the stack that all tests share; each test has a workspace of its own."""

import uuid
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, expect

from runhistory import Workspace
from tests.browser.studio import Studio
from tests.support.chromium import HOW_TO_INSTALL, WIDE, PageWatch, chromium, chromium_path
from tests.support.running_stack import RunningStack

PATIENCE_MS = 60_000
"""A deadline, not a pause: the machine may do much beside this."""

OpenStudio = Callable[..., Studio]


@pytest.fixture(scope="module")
def browser(stack: RunningStack) -> Iterator[Browser]:
    """One for a file: while it runs, its thread cannot run the event loops of other tests."""
    if chromium_path() is None:
        pytest.skip(HOW_TO_INSTALL)
    expect.set_options(timeout=PATIENCE_MS)
    with chromium() as browser:
        yield browser


@pytest.fixture
def workspace(stack: RunningStack) -> Workspace:
    return Workspace(stack.url, f"w{uuid.uuid4().hex[:12]}")


@pytest.fixture
def open_studio(
    browser: Browser, stack: RunningStack, workspace: Workspace
) -> Iterator[OpenStudio]:
    """Opens windows; in the end no page of theirs may have done what none must."""
    watches: list[PageWatch] = []
    contexts = []

    def open_window(name: str = workspace.name, **options: object) -> Studio:
        settings = {"viewport": WIDE, "base_url": stack.url, "reduced_motion": "reduce", **options}
        context = browser.new_context(**settings)  # type: ignore[arg-type]
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        watches.append(PageWatch(page, stack.url))
        return Studio(page, name, watches[-1])

    yield open_window
    for context in contexts:
        for page in context.pages:
            page.evaluate("1")  # what was told before this has arrived
        context.close()
    assert [fault for watch in watches for fault in watch.faults] == []


@pytest.fixture
def studio(open_studio: OpenStudio) -> Studio:
    """A window of 1440 pixels that shows nothing yet."""
    return open_studio()
