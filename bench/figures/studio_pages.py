"""The studio in a browser, and what the bench looks at in it.

The page's own clock measures: something is drawn when the frame begins that follows the one which
had it in the page. A chart is drawn when its canvas was cleared and drawn anew.
"""

import contextlib
from collections.abc import Iterator

from bench.figures.stack import BenchStack
from playwright.sync_api import Page

from tests.support.chromium import WIDE, chromium

PATIENCE_MS = 120_000

# `whenTrue(question)` is the time at which the answer yes was drawn.
OBSERVE = """
window.drawings = [];
const clear = CanvasRenderingContext2D.prototype.clearRect;
CanvasRenderingContext2D.prototype.clearRect = function (...box) {
  window.drawings.push(performance.now());
  if (window.drawings.length > 1000) window.drawings.splice(0, 500);
  return clear.apply(this, box);
};
window.drawnSince = (time) => (window.drawings.at(-1) ?? -1) >= time;
window.chartSays = (key) =>
  document.querySelector(`[role=slider][aria-label^="${key}: place"]`)
    ?.getAttribute("aria-valuetext") ?? "";
window.whenTrue = (question) => new Promise((done) => {
  const look = () =>
    requestAnimationFrame(question() ? () => done(performance.now()) : look);
  look();
});
"""


@contextlib.contextmanager
def studio_page(stack: BenchStack, *, seen: str = "false") -> Iterator[Page]:
    """A window of a browser that nobody has used; `window.seen` is when `seen` was first drawn."""
    with chromium() as browser:
        context = browser.new_context(viewport=WIDE, base_url=stack.url)
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(OBSERVE)
        context.add_init_script(f"window.seen = whenTrue(() => {seen});")
        yield context.new_page()


def wait_until(page: Page, question: str) -> None:
    """Return when the answer yes is drawn. Not by `wait_for_function`, which the page's strict
    Content-Security-Policy forbids."""
    page.evaluate(f"whenTrue(() => {question})")
