"""One run's page: watched from Queued to Completed, cancelled, reproduced, and its files read."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from runhistory import Experiment, Workspace
from tests.browser.programs import GatedProgram
from tests.browser.studio import RunsPage, Studio
from tests.support.running_stack import RunningStack

pytestmark = [pytest.mark.infrastructure, pytest.mark.timeout(600)]


@pytest.fixture
def full_slots(
    stack: RunningStack, workspace: Workspace, tmp_path: Path
) -> Iterator[list[GatedProgram]]:
    """Runs that keep every slot of the stack, so that another one is queued."""
    programs = [
        GatedProgram(workspace, tmp_path, name=f"before {number}", epochs=1)
        for number in range(stack.slots)
    ]
    yield programs
    for program in programs:
        program.let_go()
        program.run.wait_for_completion()


@pytest.fixture
def program(workspace: Workspace, tmp_path: Path) -> Iterator[GatedProgram]:
    """A run that waits at its first gate, or for a slot."""
    program = GatedProgram(workspace, tmp_path)
    yield program
    program.let_go()
    program.run.wait_for_completion(raise_on_error=False)


def test_a_run_is_watched_from_queued_to_completed(
    studio: Studio, full_slots: list[GatedProgram], program: GatedProgram
) -> None:
    for before in full_slots:
        studio.open_run(before.run.id).expect_status("Running")
    page = studio.open_run(program.run.id, "metrics")
    page.expect_status("Queued")
    all_slots = f"Waits for 1 slot on local: {len(full_slots)} of {len(full_slots)} in use by"
    expect(page.head).to_contain_text(all_slots)
    for before in full_slots:
        expect(page.head.get_by_role("link", name=before.run.display_name)).to_be_visible()
    studio.expect_live()
    studio.page.evaluate("window.neverLoadedAnew = true")

    for before in full_slots:
        before.let_go()
    page.expect_status("Running")
    expect(page.head).not_to_contain_text("Waits for")
    page.chart("loss").expect_last("0.1")
    page.show("console")
    expect(page.console).to_contain_text("epoch 1 is done")
    program.open_gate(1)
    expect(page.console).to_contain_text("epoch 2 is done")
    page.show("metrics")
    page.chart("loss").expect_last("0.05")
    program.open_gate(2)
    page.expect_status("Completed")
    page.show("outputs")
    expect(page.files.get_by_text("report.json")).to_be_visible()
    assert studio.page.evaluate("window.neverLoadedAnew"), "all of it was pushed"


def test_a_run_is_cancelled(studio: Studio, program: GatedProgram) -> None:
    page = studio.open_run(program.run.id)
    page.expect_status("Running")
    studio.page.get_by_role("button", name="Cancel", exact=True).click()
    dialog = studio.page.get_by_role("dialog", name="Cancel this run?")
    studio.page.keyboard.type("it does not learn")  # the field has the focus
    expect(dialog.get_by_role("textbox")).to_have_value("it does not learn")
    dialog.get_by_role("button", name="Cancel the run").click()
    page.expect_status("Canceled")
    expect(studio.page.get_by_role("button", name="Cancel", exact=True)).to_be_hidden()
    assert program.run.get_status() == "Canceled"


def test_a_run_is_reproduced(studio: Studio, program: GatedProgram, workspace: Workspace) -> None:
    program.let_go()
    page = studio.open_run(program.run.id)
    page.expect_status("Completed")
    studio.page.get_by_role("button", name="Reproduce").click()
    said = studio.page.get_by_text("Submitted as ").inner_text()
    expect(page.head.get_by_text("reproduces")).to_be_visible()
    page.expect_status("Completed")
    run_id = studio.page.url.split("?")[0].rpartition("/")[2]
    assert run_id != program.run.id
    again = workspace.find_run(run_id)
    assert again.display_name in said
    assert again.get_details()["reproduces"] == program.run.id
    assert again.get_snapshot_id() == program.run.get_snapshot_id()
    page.show("metrics")
    page.chart("loss").expect_last("0.05")

    page.head.get_by_role("link", name=program.run.display_name).click()
    expect(page.head).to_contain_text(f"reproduced by {again.display_name}")
    page.head.get_by_role("link", name="Compare").click()
    runs = RunsPage(studio.page)
    for run in (program.run, again):
        expect(runs.row(run.display_name).get_by_role("checkbox")).to_be_checked()
    expect(studio.page.get_by_role("figure").first).to_be_visible()


def test_outputs_are_seen_and_downloaded(
    studio: Studio, workspace: Workspace, tmp_path: Path
) -> None:
    table = "name,score\n" + "".join(f"row {n},{n / 8}\n" for n in range(20))
    (tmp_path / "report.json").write_text(json.dumps({"loss": 0.05, "layers": [64, 10]}))
    (tmp_path / "scores.csv").write_text(table)
    (tmp_path / "notes.md").write_text("# How it went\n\n- *well*\n\n<img src=x onerror=alert(1)>")
    with Experiment(workspace, "files").start_logging() as run:
        for name in ("report.json", "scores.csv", "notes.md"):
            run.upload_file(f"outputs/{name}", tmp_path / name)
    page = studio.open_run(run.id, "outputs")

    page.files.get_by_text("scores.csv").click()
    expect(studio.page.get_by_role("cell", name="row 19")).to_be_visible()
    page.files.get_by_text("notes.md").click()
    expect(studio.page.get_by_role("heading", name="How it went")).to_be_visible()
    expect(studio.page.get_by_role("tabpanel")).to_contain_text("<img src=x onerror=alert(1)>")
    page.files.get_by_text("report.json").click()
    expect(studio.page.get_by_role("tabpanel")).to_contain_text("loss: 0.05")
    with studio.page.expect_download() as download:
        studio.page.get_by_role("tabpanel").get_by_text("Download").first.click()
    assert Path(download.value.path()).read_bytes() == (tmp_path / "report.json").read_bytes()
    assert download.value.suggested_filename == "report.json"


def test_the_code_of_a_run_is_read(studio: Studio, program: GatedProgram) -> None:
    page = studio.open_run(program.run.id, "code")
    page.files.get_by_text("helper.py").click()
    expect(studio.page.get_by_role("tabpanel")).to_contain_text("return value / 2")
    page.files.get_by_text("train.py").click()
    for line in filter(None, program.source.splitlines()[:8]):
        expect(studio.page.get_by_role("tabpanel")).to_contain_text(line)
    assert "train.py" in studio.page.url, "the file that is read is in the address"
