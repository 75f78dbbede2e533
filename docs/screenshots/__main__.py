"""`make screenshots`: docs/images/ anew, from a stack of its own with believable runs in it.

Every page at 1440 and 390 pixels, light and dark. One run is still going when it is pictured.
"""

from pathlib import Path

from bench.figures.stack import bench_stack
from docs.screenshots.history import fill_history
from docs.screenshots.training import train
from playwright.sync_api import Browser, Page

from tests.support.chromium import NARROW, WIDE, chromium

IMAGES = Path(__file__).parents[1] / "images"
PATIENCE_MS = 120_000
QUERY_OF_SWEEP = "experiment=digits-sweep&sort=-last%3Aval%2Faccuracy&charts=true"


def main() -> None:
    """Fill a stack and take the pictures."""
    IMAGES.mkdir(exist_ok=True)
    with bench_stack() as stack:
        stack.up()
        best = fill_history(stack.engine_url)
        runs = f"/w/default/runs?{QUERY_OF_SWEEP}" + "".join(f"&run={run_id}" for run_id in best)
        with train(stack.workspace()) as run, chromium() as browser:
            pages = {
                "experiments": "/",
                "runs": runs,
                "run": f"/w/default/runs/{run.id}",
                "metrics": f"/w/default/runs/{run.id}?tab=metrics",
                "console": f"/w/default/runs/{run.id}?tab=console",
                "system": f"/w/default/runs/{run.id}?tab=system",
                "outputs": f"/w/default/runs/{run.id}?tab=outputs&file=outputs%2Ffirst_layer.png",
                "code": f"/w/default/runs/{run.id}?tab=code&file=train.py",
                "events": f"/w/default/runs/{run.id}?tab=events",
            }
            for name, address in pages.items():
                _take(browser, stack.url, name, address)


def _take(browser: Browser, origin: str, name: str, address: str) -> None:
    for scheme in ("light", "dark"):
        for width, viewport in (("wide", WIDE), ("narrow", NARROW)):
            context = browser.new_context(
                viewport=viewport, base_url=origin, color_scheme=scheme, reduced_motion="reduce"
            )
            context.set_default_timeout(PATIENCE_MS)
            page = context.new_page()
            page.goto(address)
            _until_drawn(page)
            page.screenshot(path=IMAGES / f"{name}-{scheme}-{width}.png")
            context.close()


def _until_drawn(page: Page) -> None:
    """Live, nothing that is still being read, and every chart in sight with its curve."""
    page.locator("[data-live=live]").wait_for()
    page.wait_for_function(
        """() => {
          const text = document.querySelector("main").innerText;
          const plots = [...document.querySelectorAll("[role=slider] canvas")];
          return !/Loading|Reading/.test(text) && plots.every((one) => one.width > 0);
        }"""
    )
    page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )


if __name__ == "__main__":
    main()
