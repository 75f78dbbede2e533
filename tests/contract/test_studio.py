"""The studio's own tests, its generated client, and what its build weighs."""

import gzip
import os
import re
import subprocess
import sys
from pathlib import Path

from runhistory.gateway.studio_pages import PAGES

ROOT = Path(__file__).resolve().parents[2]
STUDIO = ROOT / "services" / "studio"
MOST_BYTES = 250_000
NAMED_SCRIPT = re.compile(rb'(?:src|href)="/(assets/[^"]+\.js|theme\.js)"')


def npm(*arguments: str) -> str:
    """What a script of package.json prints; a failure shows it."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["npm", "run", "--silent", *arguments],
        cwd=STUDIO,
        env={**os.environ, "PATH": path, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_its_unit_tests_pass() -> None:
    assert re.search(r"Tests +\d+ passed", npm("test"))


def test_its_client_is_what_the_interface_says() -> None:
    npm("schema:check")  # else: make schemas


def test_the_first_view_is_light() -> None:
    index = (PAGES / "index.html").read_bytes()
    scripts = {name.decode() for name in NAMED_SCRIPT.findall(index)}
    assert len(scripts) >= 2
    pages = {f"assets/{path.name}" for path in PAGES.glob("assets/*Page-*.js")}  # if they are apart
    sizes = {name: len(gzip.compress((PAGES / name).read_bytes())) for name in scripts | pages}
    assert sum(sizes.values()) < MOST_BYTES, sizes


def test_its_lock_holds_no_addresses() -> None:
    assert '"resolved"' not in (STUDIO / "package-lock.json").read_text()
