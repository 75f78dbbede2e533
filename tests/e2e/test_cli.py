"""The command line against a whole stack: submit, follow, look, download, restore, cancel."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from runhistory.snapshots import scan
from tests.e2e.conftest import Cli
from tests.support.running_stack import RunningStack

pytestmark = pytest.mark.infrastructure


SCRIPT = """
import json, math, os, sys
from pathlib import Path
from helper import value
from runhistory import Run

run = Run.get_context()
for step in range(20):
    run.log("loss", value(step))
run.log("strange", math.nan)
print("arguments:", json.dumps(sys.argv[1:]))
print("a word to stderr", file=sys.stderr)
Path("outputs/model.bin").write_bytes(b"weights")
Path("outputs/deep").mkdir()
Path("outputs/deep/a b.txt").write_text("text")
if "fail" in sys.argv:
    sys.exit(3)
if "wait" in sys.argv:
    import time
    time.sleep(120)
"""


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "train.py").write_text(SCRIPT)
    (folder / "helper.py").write_text("def value(step):\n    return 1 / (1 + step)\n")
    (folder / "helper.py").chmod(0o755)
    (folder / "again.py").symlink_to("train.py")
    (folder / "secret.key").write_text("not for the snapshot")
    (folder / ".amlignore").write_text("*.key\n")
    return folder


def submit(*arguments: str, follow: bool = True) -> list[str]:
    options = ["--script", "train.py", "--experiment", "tiny", *(["--follow"] if follow else [])]
    return ["submit", "code", *options, *arguments]


def read(cli: Cli, *arguments: str) -> Any:
    return json.loads(cli(*arguments, "--json").stdout)


def test_a_run_from_submit_to_restore(cli: Cli, code: Path, tmp_path: Path) -> None:
    followed = cli(*submit("--name", "first try", "--tag", "team=vision"))
    assert "arguments: []\n" in followed.stdout
    assert "a word to stderr\n" in followed.stderr
    assert "first try: Completed after " in followed.stdout
    assert "loss     0.05  0.05    1      20  █" in followed.stdout
    assert "outputs/model.bin" in followed.stdout
    snapshot_id = scan(code).snapshot_id
    assert f"snapshot  {snapshot_id}" in followed.stdout

    (listed,) = read(cli, "runs", "--tag", "team=vision")
    run_id = listed["run_id"]
    assert (listed["display_name"], listed["status"]) == ("first try", "Completed")
    for reference in (run_id, run_id[:20], "first try", "@latest"):
        assert read(cli, "show", reference)["run_id"] == run_id
    timeline = [point["status"] for point in read(cli, "show", run_id)["timeline"]]
    passed = "NotStarted Starting Queued Preparing Running Finalizing Completed"
    assert timeline == passed.split()

    series = {one["key"]: one for one in read(cli, "metrics", run_id)}
    assert series["loss"]["values"] == [1 / (1 + step) for step in range(20)]
    assert series["loss"]["steps"] == list(range(20))
    assert series["strange"]["values"] == ["NaN"]

    printed = cli("logs", run_id, "--stream", "stdout").stdout
    assert printed == "arguments: []\n"
    as_json = cli("logs", run_id, "--json").stdout.splitlines()
    assert {json.loads(line)["stream"] for line in as_json} == {"stdout", "stderr", "system"}

    kept = {file["name"] for file in read(cli, "files", run_id)}
    assert {"outputs/model.bin", "outputs/deep/a b.txt"} <= kept
    cli("download", run_id, "outputs", "--to", "kept")
    assert (tmp_path / "kept/outputs/deep/a b.txt").read_text() == "text"

    assert read(cli, "snapshot", run_id)["snapshot_id"] == snapshot_id
    cli("snapshot", run_id, "--restore", "restored")
    assert scan(tmp_path / "restored").snapshot_id == snapshot_id
    assert not (tmp_path / "restored/secret.key").exists()


def test_a_script_that_exits_3_fails_with_exit_code_1(cli: Cli, code: Path) -> None:
    done = cli(*submit("--", "fail"), ok=False)
    assert done.returncode == 1
    assert "Failed after" in done.stdout
    assert "3" in done.stdout.split("ExitCode", 1)[1].splitlines()[0]
    assert "outputs/model.bin" in done.stdout, "what a failed run wrote is kept"


def test_arguments_reach_the_script_as_they_are(cli: Cli, code: Path) -> None:
    arguments = ["two words", "it's", '"quoted"', "größe=λ", "--lr", "0.1", "$HOME", "*", "", "--"]
    done = cli(*submit("--", *arguments))
    line = next(line for line in done.stdout.splitlines() if line.startswith("arguments: "))
    assert json.loads(line.removeprefix("arguments: ")) == arguments


def test_an_unknown_compute_target_is_refused_with_those_that_exist(cli: Cli, code: Path) -> None:
    done = cli(*submit("--compute-target", "moon"), ok=False)
    assert done.returncode == 1
    assert "moon" in done.stderr
    assert "local" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_is_cancelled_from_another_terminal(cli: Cli, code: Path) -> None:
    run_id = json.loads(cli(*submit("--json", "--", "wait", follow=False)).stdout)["run_id"]
    deadline = time.monotonic() + 60
    while "arguments: " not in cli("logs", run_id).stdout:
        assert time.monotonic() < deadline, cli("show", run_id).stdout
        time.sleep(0.2)
    cli("cancel", run_id, "--reason", "enough")
    cli("logs", run_id, "--follow")
    assert read(cli, "show", run_id)["status"] == "Canceled"
    again = cli("cancel", run_id, ok=False)
    assert again.returncode in (0, 1)
    missing = cli("download", run_id, "outputs/nothing.here", ok=False)
    assert missing.returncode == 1
    assert "outputs/model.bin" in missing.stderr, "the message names what there is"


def test_status_in_json_names_every_process(cli: Cli, stack: RunningStack) -> None:
    found = read(cli, "status", "--data", str(stack.data))
    assert found["is_up"]
    assert {process["name"] for process in found["processes"]} >= {"kafka", "engine", "gateway"}
