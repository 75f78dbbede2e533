"""`make screenshots`: docs/images/ anew, from a stack of its own with believable runs in it.

Every page at 1440 and 390 pixels, light and dark. One run is still going when it is pictured.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
from bench.figures.stack import bench_stack
from docs.screenshots.history import fill_history
from docs.screenshots.training import train
from PIL import Image
from playwright.sync_api import Browser

from tests.support.chromium import NARROW, WIDE, chromium

ELSEWHERE = Path(__file__).parent / "elsewhere"
IMAGES = Path(__file__).parents[1] / "images"
AUTHOR = "ada"
EXACT = 128
PATIENCE_MS = 120_000
CURVES = "[...document.querySelectorAll('[role=slider] canvas')].filter((one) => one.width > 0)"
TAB = "document.querySelector('[role=tabpanel]')"
IMAGE = f"{TAB}?.querySelector('figure img')?"


@dataclass(frozen=True)
class Picture:
    """A page, and what is true of it when all of it is there."""

    name: str
    address: str
    ready: str


def main() -> None:
    """Fill a stack and take the pictures."""
    IMAGES.mkdir(exist_ok=True)
    os.environ["LOGNAME"] = AUTHOR  # who submits
    os.environ["PYTHONPATH"] = str(ELSEWHERE)  # for the stack's processes
    with bench_stack() as stack:
        stack.up()
        best = fill_history(stack.engine_url)
        with train(stack.workspace()) as run, chromium() as browser:
            for picture in _pictures(best, run.id):
                for scheme in ("light", "dark"):
                    _take(browser, stack.url, picture, scheme)


def _pictures(best: list[str], run_id: str) -> list[Picture]:
    sweep = {"experiment": "digits-sweep", "sort": "-last:val/accuracy"}
    chosen = urlencode([*sweep.items(), ("charts", "true"), *(("run", one) for one in best)])
    run = f"/w/default/runs/{run_id}?tab="
    return [
        Picture("experiments", "/", "document.querySelectorAll('main h2 a').length >= 5"),
        Picture("runs", f"/w/default/runs?{chosen}", f"innerWidth < 500 || {CURVES}.length >= 2"),
        Picture("run", f"{run}overview", f"{TAB}?.querySelectorAll('td path[d^=M]').length >= 4"),
        Picture("metrics", f"{run}metrics", f"{CURVES}.length >= (innerWidth < 500 ? 2 : 3)"),
        Picture("console", f"{run}console", f"{TAB}?.textContent.includes('never seen')"),
        Picture("system", f"{run}system", f"{CURVES}.length >= 2"),
        Picture("outputs", f"{run}outputs&file=outputs%2Ffirst_layer.png", f"{IMAGE}.naturalWidth"),
        Picture("code", f"{run}code&file=train.py", f"{TAB}?.textContent.includes('argparse')"),
        Picture("events", f"{run}events", f"{TAB}?.textContent.includes('run.created')"),
    ]


def _take(browser: Browser, origin: str, picture: Picture, scheme: str) -> None:
    for width, viewport in (("wide", WIDE), ("narrow", NARROW)):
        context = browser.new_context(
            viewport=viewport,
            base_url=origin,
            color_scheme=scheme,  # type: ignore[arg-type]
            reduced_motion="reduce",
        )
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.goto(picture.address)
        page.locator("[data-live=live]").wait_for()
        page.wait_for_function(
            f"""() => !/Loading|Reading/.test(document.querySelector("main").innerText)
                && !document.querySelector("main .bone") && ({picture.ready})"""
        )
        page.evaluate("() => new Promise((done) => setTimeout(done, 300))")  # the last frames
        path = IMAGES / f"{picture.name}-{scheme}-{width}.png"
        page.screenshot(path=path)
        _press(path)
        context.close()


def _press(path: Path) -> None:
    """Fewer bytes: of a page's few colours those that fill it stay, its edges come near theirs."""
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    pixels = np.asarray(picture).reshape(-1, 3)
    colours, places, counts = np.unique(pixels, axis=0, return_inverse=True, return_counts=True)
    filling = colours[np.argsort(counts)[-EXACT:]]
    rest = picture.quantize(256 - EXACT, method=Image.Quantize.MAXCOVERAGE).getpalette() or []
    table = np.concatenate([filling, np.array(rest, np.uint8).reshape(-1, 3)])
    apart = np.abs(colours[:, None, :].astype(int) - table[None, :, :]).sum(axis=2)
    nearest = apart.argmin(axis=1).astype(np.uint8)[places.reshape(-1)]
    pressed = Image.fromarray(nearest.reshape(picture.height, picture.width), "P")
    pressed.putpalette(table.tobytes())
    pressed.save(path, optimize=True)


if __name__ == "__main__":
    main()
