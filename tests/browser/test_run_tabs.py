"""What each part of a run's page shows and can change, and that it is live."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from runhistory import Experiment, Run, Workspace
from runhistory.runtime.settings import PORT_OFFSETS
from tests.browser.conftest import OpenStudio
from tests.browser.studio import Studio
from tests.browser.told import Teller, run_of_two_attempts
from tests.support.running_stack import RunningStack

pytestmark = [pytest.mark.infrastructure, pytest.mark.timeout(600)]


@pytest.fixture
def run(workspace: Workspace) -> Run:
    return Experiment(workspace, "tabs").start_logging(
        display_name="the run", properties={"dataset": "digits-v3", "git.commit": "0123abc"}
    )


def card(studio: Studio, title: str) -> Locator:
    return studio.page.get_by_role("region", name=title, exact=True)


def test_a_run_of_several_attempts(
    studio: Studio, workspace: Workspace, stack: RunningStack
) -> None:
    engine_url = f"http://127.0.0.1:{stack.port + PORT_OFFSETS['engine']}"
    run_id = run_of_two_attempts(workspace, engine_url, "tried twice")
    first, second = (Teller(workspace, run_id, attempt=attempt) for attempt in (1, 2))
    first.print("of the first")
    first.measure(loss=[5, 4, 3, 2])
    second.print("of the second")
    second.measure(loss=[5, 1])
    page = studio.open_run(run_id)
    expect(page.head).to_contain_text("attempt 2")
    expect(card(studio, "Timeline").get_by_role("listitem")).to_have_count(5)

    page.show("metrics")
    page.chart("loss").expect_last("1")
    studio.page.get_by_label("Attempt").select_option("1")
    page.chart("loss").expect_last("2")
    page.show("console")
    expect(page.console).to_contain_text("of the first")
    expect(page.console).to_contain_text("attempt 2")
    studio.page.get_by_label("Attempt").select_option("2")
    expect(page.console).not_to_contain_text("of the first")
    expect(page.console).to_contain_text("of the second")


def test_several_gpus_are_in_one_chart_for_each_figure(
    studio: Studio, workspace: Workspace, run: Run
) -> None:
    loads = {f"system/gpu/{gpu}/utilization": [10.0 * gpu, 20.0 * gpu] for gpu in range(4)}
    memory = {f"system/gpu/{gpu}/memory_used_bytes": [1e9, 2e9] for gpu in range(4)}
    Teller(workspace, run.id).measure(**loads, **memory, **{"system/cpu_percent": [50, 75]})
    page = studio.open_run(run.id, "system")
    page.chart("CPU of the host, %").expect_last("75")
    gpus = studio.page.get_by_role("region", name="GPUs")
    expect(gpus.get_by_role("listitem")).to_have_text([f"GPU {gpu}" for gpu in range(4)])
    chart = page.chart("GPU: utilization")
    chart.show_table()
    table = chart.figure.get_by_role("table")
    expect(table.get_by_role("row").filter(has_text="GPU 3")).to_contain_text("60")
    expect(page.chart("GPU: memory used, GB").plot).to_be_visible()


def test_a_failed_run_says_why_first(studio: Studio, workspace: Workspace, run: Run) -> None:
    page = studio.open_run(run.id)
    page.expect_status("Running")
    studio.expect_live()
    error = {"code": "OutOfMemory", "message": "It asked for 2 GiB.", "details": "a\n" * 99 + "end"}
    workspace.connection.send("POST", f"/runs/{run.id}/commands", {"type": "fail", "error": error})
    notice = studio.page.get_by_role("alert")
    expect(notice).to_contain_text("It failed: OutOfMemory")
    expect(notice).to_contain_text("It asked for 2 GiB.")
    expect(notice.get_by_text("end")).to_be_in_viewport()
    page.expect_status("Failed")
    notice.get_by_role("link", name="console").click()
    expect(studio.page).to_have_url(re.compile("tab=console"))


def test_children_come_and_go_on_while_they_are_looked_at(studio: Studio, run: Run) -> None:
    before = run.child_run("fold 1")
    studio.open_run(run.id, "children")
    panel = studio.page.get_by_role("tabpanel")
    expect(panel.get_by_role("row").filter(has_text="fold 1")).to_contain_text("Running")
    studio.expect_live()
    after = run.child_run("fold 2")
    expect(panel.get_by_role("row").filter(has_text="fold 2")).to_contain_text("Running")
    before.complete()
    expect(panel.get_by_role("row").filter(has_text="fold 1")).to_contain_text("Completed")
    after.complete()
    panel.get_by_role("link", name="fold 2").click()
    expect(studio.page.get_by_role("heading", name="fold 2")).to_be_visible()
    studio.page.get_by_role("link", name="the run", exact=True).click()
    expect(studio.page.get_by_role("heading", name="the run")).to_be_visible()


def test_notes_and_tags_are_written_and_stay(studio: Studio, run: Run) -> None:
    studio.open_run(run.id)
    notes, tags = card(studio, "Notes"), card(studio, "Tags")
    notes.get_by_role("button", name="Write").click()
    notes.get_by_role("textbox", name="Notes").fill("It learns *fast*.\n\n- and well")
    notes.get_by_role("button", name="Save").click()
    expect(notes.get_by_role("listitem")).to_have_text("and well")
    studio.page.get_by_role("button", name="Tag", exact=True).click()
    dialog = studio.page.get_by_role("dialog", name="Tag this run")
    dialog.get_by_label("Name").fill("candidate")
    dialog.get_by_label("Value").fill("yes")
    dialog.get_by_role("button", name="Set the tag").click()
    expect(tags).to_contain_text("candidate")
    studio.page.reload()
    expect(notes.get_by_role("listitem")).to_have_text("and well")
    assert run.get_tags() == {"candidate": "yes"}
    tags.get_by_role("button", name="Take the tag candidate away").click()
    expect(tags).not_to_contain_text("candidate")
    assert run.get_tags() == {}


def test_properties_and_git_state_and_environment_are_told(studio: Studio, run: Run) -> None:
    studio.open_run(run.id)
    expect(card(studio, "Properties")).to_contain_text("digits-v3")
    expect(card(studio, "Git")).to_contain_text("0123abc")
    environment = card(studio, "Environment")
    expect(environment).to_contain_text("CPython")
    environment.get_by_text("Each package").click()
    expect(environment.get_by_role("listitem").filter(has_text="playwright")).to_be_visible()


def test_events_are_told_as_they_are_in_the_log(studio: Studio, run: Run) -> None:
    studio.open_run(run.id, "events")
    events = studio.page.get_by_role("tabpanel").get_by_role("listitem")
    expect(events.filter(has_text="run.created.v1")).to_contain_text("the run")
    studio.expect_live()
    run.set_tags({"team": "vision"})
    told = events.filter(has_text="run.tags_set.v1")
    expect(told).to_contain_text("team = vision")
    told.locator("summary").click()
    expect(told).to_contain_text(re.compile("run.events, partition \\d+, offset \\d+"))
    expect(studio.page).to_have_url(re.compile(r"event=\d+"))
    studio.page.reload()
    expect(told).to_contain_text("in the log")
    studio.page.get_by_role("button", name="Newest first").click()
    expect(events.first).to_contain_text("run.created.v1")


def test_the_lines_of_python_read_the_run(
    open_studio: OpenStudio, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    studio = open_studio(permissions=["clipboard-read", "clipboard-write"])
    run.log("val/loss", 0.25)
    run.flush()
    page = studio.open_run(run.id)
    expect(card(studio, "Metrics")).to_contain_text("val/loss")
    page.page.get_by_role("button", name="Python").click()
    studio.page.get_by_role("button", name=re.compile("^Copy")).click()
    expect(studio.page.get_by_text("Copied")).to_be_attached()
    lines = studio.page.evaluate("navigator.clipboard.readText()")
    exec(compile(lines, "copied", "exec"), {})
    assert "Running 0.25" in capsys.readouterr().out


def test_images_and_text_are_seen(studio: Studio, run: Run, tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (30, 20), "teal").save(tmp_path / "picture.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG no more")
    (tmp_path / "words.txt").write_text("one\ntwo\n")
    (tmp_path / "model.bin").write_bytes(bytes(1_000))
    (tmp_path / "deep.json").write_text(json.dumps({"a": {"b": [1, {"c": "deep"}]}}))
    page = studio.open_run(run.id, "outputs")
    studio.expect_live()
    for name in ("picture.png", "broken.png", "words.txt", "model.bin", "deep.json"):
        run.upload_file(f"outputs/{name}", tmp_path / name)
    panel = studio.page.get_by_role("tabpanel")
    for name, seen in {
        "picture.png": panel.get_by_text("30 × 20"),
        "broken.png": panel.get_by_text("This is no image that the browser understands."),
        "words.txt": panel.get_by_text("two", exact=True),
        "model.bin": panel.get_by_text("Download it to look inside."),
        "deep.json": panel.get_by_text("deep", exact=False).last,
    }.items():
        page.files.get_by_text(name).click()
        expect(seen).to_be_visible()
