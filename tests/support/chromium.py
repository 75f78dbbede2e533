"""Debian's Chromium, driven by Playwright: for the browser tests, the bench and the screenshots."""

import contextlib
import os
import shutil
from collections.abc import Iterator

from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Dialog,
    Page,
    Request,
    ViewportSize,
    sync_playwright,
)

WIDE, NARROW = ViewportSize(width=1440, height=900), ViewportSize(width=390, height=844)
HOW_TO_INSTALL = "no Chromium: apt-get install chromium"
_NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium_path() -> str | None:
    """Where the system has it; None: nowhere."""
    return next((found for name in _NAMES if (found := shutil.which(name))), None)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A browser that has started, and is gone afterwards.

    Meanwhile this thread has an event loop, so `asyncio.run` is not for it.
    """
    path = chromium_path()
    assert path is not None, HOW_TO_INSTALL
    with sync_playwright() as playwright:
        # Chromium refuses to make its sandbox for root; anybody else has it.
        browser = playwright.chromium.launch(
            executable_path=path, chromium_sandbox=os.geteuid() != 0
        )
        try:
            yield browser
        finally:
            browser.close()


class PageWatch:
    """Notes what a page must never do.

    That is an error on its console (what its policy refused is one), one that nobody caught, a
    dialog of the browser's, or a request to another origin.
    """

    def __init__(self, page: Page, origin: str) -> None:
        self.faults: list[str] = []
        self._origin, self._is_cut_off = origin, False
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.faults.append(f"not caught: {error}"))
        page.on("dialog", self._on_dialog)
        page.on("request", self._on_request)

    @contextlib.contextmanager
    def cut_off(self) -> Iterator[None]:
        """Meanwhile the gateway does not answer: that requests fail is no fault of the page's."""
        self._is_cut_off = True
        yield
        self._is_cut_off = False

    def _on_console(self, message: ConsoleMessage) -> None:
        is_expected = self._is_cut_off and "Failed to load resource" in message.text
        if message.type == "error" and not is_expected:
            self.faults.append(f"{message.text} ({message.location.get('url')})")

    def _on_dialog(self, dialog: Dialog) -> None:
        self.faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((f"{self._origin}/", f"blob:{self._origin}/", "data:")):
            self.faults.append(f"request to {request.url}")
