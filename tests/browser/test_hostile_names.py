"""Text that runs wrote is text: markup, other scripts and very long names, in every field."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from runhistory import Experiment, Run, ScriptRunConfig, Workspace
from tests.browser.conftest import OpenStudio
from tests.browser.studio import TABS
from tests.support.chromium import NARROW, WIDE

pytestmark = [pytest.mark.infrastructure, pytest.mark.timeout(600)]

LONG = 10_000
NAME = 250  # a name has at most 256 characters, a file's part of a path 255 bytes
HOSTILE = {
    "markup": '<img src=x onerror="document.title=1"><script>alert(1)</script>{{7*7}}${7*7}',
    "right to left": "‮שלום עולם‬ مرحبا ‏abc",
    "emoji": "👩‍👩‍👧‍👦🏳️‍🌈 e\u0301 Z̸a̷l̴g̵o̶",
    "long": "very-long-and-without-a-space",
}


def lengthened(text: str, characters: int, kind: str) -> str:
    """A long name is as long as the field takes; the others are what they are."""
    return (text * (characters // len(text) + 1))[:characters] if kind == "long" else text


def hostile_run(workspace: Workspace, folder: Path, kind: str) -> Run:
    """A run that has the text in all that can be named, said, logged, printed and kept."""
    text = HOSTILE[kind]
    name, words = lengthened(text, NAME, kind), lengthened(text, LONG, kind)
    file = lengthened(text, 100, kind).replace("/", "∕")
    (folder / "code").mkdir()
    (folder / "code" / f"{file}.py").write_text(f"# {words}\nprint('''{words}''')\n")
    (folder / f"{file}.md").write_text(f"# {words}\n\n[{text}](javascript:alert(1)) {words}\n")
    (folder / f"{file}.csv").write_text(f'{name},b\n"{words}",2\n')
    with Experiment(workspace, name).start_logging(
        display_name=name,
        description=words,
        tags={name: words},
        properties={name: words},
        snapshot_directory=folder / "code",
    ) as run:
        run.log_params({name: words})
        for step in range(5):
            run.log(name, 1 / (step + 1), step=step)
        for kept in ("md", "csv"):
            run.upload_file(f"outputs/{file}.{kept}", folder / f"{file}.{kept}")
        child = run.child_run(name)
        child.complete()
    return run


def what_is_wrong(page: Page) -> dict[str, Any]:
    """Markup that came alive, or a page that is wider than the window."""
    found: dict[str, Any] = page.evaluate(
        """() => ({
          images: document.querySelectorAll("img[src='x']").length,
          scripts: [...document.scripts].filter((one) => !one.src).length,
          links: document.querySelectorAll("a[href^='javascript']").length,
          wider: Math.max(0, document.scrollingElement.scrollWidth - window.innerWidth),
        })"""
    )
    return {name: count for name, count in found.items() if count}


@pytest.mark.parametrize("kind", HOSTILE)
def test_text_of_runs_stays_text_and_in_its_place(
    open_studio: OpenStudio, workspace: Workspace, tmp_path: Path, kind: str
) -> None:
    run = hostile_run(workspace, tmp_path, kind)
    start = HOSTILE[kind][:20]
    for width in (WIDE, NARROW):
        studio = open_studio(viewport=width)
        studio.open_experiments()
        expect(studio.page.get_by_role("main")).to_contain_text(start)
        assert what_is_wrong(studio.page) == {}
        studio.open_runs(experiment=run.experiment.name)
        expect(studio.page.get_by_role("grid")).to_contain_text(start)
        assert what_is_wrong(studio.page) == {}
        for tab in TABS:
            page = studio.open_run(run.id, tab)
            expect(page.head).to_contain_text(start)
            if tab in ("overview", "metrics", "outputs", "code", "children"):
                expect(studio.page.get_by_role("tabpanel")).to_contain_text(start)
            assert what_is_wrong(studio.page) == {}, tab


def test_what_a_script_prints_is_text(
    open_studio: OpenStudio, workspace: Workspace, tmp_path: Path
) -> None:
    code = tmp_path / "code"
    code.mkdir()
    lines = "".join(f"print({text!r})\n" for text in HOSTILE.values())
    (code / "train.py").write_text(f"{lines}print('x' * {LONG})\nprint('\\x1b[31mred\\x1b[0m')\n")
    run = Experiment(workspace, "printed").submit(
        ScriptRunConfig(source_directory=code, script="train.py")
    )
    run.wait_for_completion()
    studio = open_studio()
    page = studio.open_run(run.id, "console")
    for text in HOSTILE.values():
        expect(page.console).to_contain_text(text[:20])
    expect(page.console.get_by_text("red", exact=True)).to_be_visible()
    assert what_is_wrong(studio.page) == {}
