"""The commands that change what is said about runs and experiments, and completion."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from runhistory.cli.main import app
from runhistory.cli.reading import whole_seconds
from tests.unit.cli.canned_gateway import CannedGateway
from tests.unit.cli.conftest import invoke
from tests.unit.cli.test_commands import RUN, RUN_DETAILS, RUN_SUMMARY

OTHER = "0193a7b8c9d0e1f2a3b4c5d6e7f80913"
SECOND_CHILD = "0193a7b8c9d0e1f2a3b4c5d6e7f80914"
DIGITS: dict[str, Any] = {
    "experiment_id": "e" * 32,
    "name": "digits",
    "description": "handwritten",
    "tags": {"team": "vision"},
    "archived": False,
    "created": "2026-11-23T10:00:00.000000Z",
    "last_activity": "2026-11-23T10:00:00.000000Z",
    "runs": {"Completed": 2, "Failed": 1},
}


@pytest.fixture
def run(gateway: CannedGateway) -> CannedGateway:
    """A gateway with one run."""
    gateway.answers["/runs/*/commands"] = {"run_id": RUN, "status": "Completed"}
    gateway.answers["/runs/*"] = RUN_DETAILS
    return gateway


def sent(gateway: CannedGateway) -> list[dict[str, Any]]:
    """The commands that came, without their ids."""
    commands = [json.loads(body) for body in gateway.bodies]
    for command in commands:
        assert command.pop("command_id")
    return commands


def test_tags_are_set_and_removed_and_shown(run: CannedGateway) -> None:
    shown = invoke("tag", RUN, "a=1", "b=x=y", "--remove", "c")
    assert shown.output == "team=vision\n"
    assert sent(run) == [
        {"type": "set_tags", "tags": {"a": "1", "b": "x=y"}},
        {"type": "remove_tags", "names": ["c"]},
    ]
    assert json.loads(invoke("tag", RUN, "--json").stdout) == {"team": "vision"}
    assert len(run.bodies) == 2


def test_a_run_is_described(run: CannedGateway) -> None:
    assert invoke("describe", RUN, "best of all", "--name", "best").exit_code == 0
    assert sent(run) == [{"type": "describe", "description": "best of all", "display_name": "best"}]


@pytest.mark.parametrize("command", ["pause", "resume", "archive", "reactivate"])
def test_a_command_to_a_run(run: CannedGateway, command: str) -> None:
    shown = invoke(command, RUN)
    assert shown.exit_code == 0
    assert RUN in shown.stdout
    assert sent(run) == [{"type": command}]


def test_deleting_asks_and_takes_no_for_an_answer(run: CannedGateway) -> None:
    refused = CliRunner().invoke(app, ["delete", RUN, OTHER], input="n\n", prog_name="runhistory")
    assert refused.exit_code == 1
    assert "these 2 runs for good?" in refused.stderr
    assert "digits" in refused.stderr
    assert run.bodies == []
    agreed = CliRunner().invoke(app, ["delete", RUN], input="y\n", prog_name="runhistory")
    assert agreed.exit_code == 0
    assert sent(run) == [{"type": "delete"}]


def test_of_several_runs_the_others_go_on_when_one_is_refused(run: CannedGateway) -> None:
    run.refuse(f"/runs/{RUN}/commands", 409, "not_allowed", "cancel it first")
    shown = invoke("delete", RUN, OTHER, "--yes")
    assert shown.exit_code == 1
    assert "cancel it first" in shown.stderr
    assert shown.stdout == f"{OTHER} is deleted.\n"


def test_nothing_is_done_when_one_of_several_means_nothing(run: CannedGateway) -> None:
    run.refuse("/runs/resolve", 404, "run_not_found", "No run is meant by 'nobody'.")
    assert invoke("archive", RUN, "nobody").exit_code == 1
    assert run.bodies == []


@pytest.fixture
def sweep(run: CannedGateway) -> CannedGateway:
    """A gateway with a run that is over, and its two children: one of them goes on."""
    children = [RUN_SUMMARY | {"run_id": other} for other in (SECOND_CHILD, OTHER)]
    run.answers["/runs"] = {"runs": children, "next_cursor": None}
    run.answers[f"/runs/{OTHER}"] = RUN_DETAILS | {"status": "Queued"}
    return run


def commanded(gateway: CannedGateway) -> list[str]:
    """Which runs were sent a command, in order."""
    return [path.split("/")[2] for path, _ in gateway.asked if path.endswith("/commands")]


def test_those_of_a_sweep_that_go_on_are_cancelled(sweep: CannedGateway) -> None:
    shown = invoke("cancel", RUN, "--children", "--reason", "enough")
    assert shown.exit_code == 0
    assert commanded(sweep) == [OTHER]
    assert sent(sweep) == [{"type": "cancel", "reason": "enough"}]
    query = next(query for path, query in sweep.asked if path == "/runs")
    assert {("parent", RUN), ("recursive", "true"), ("archived", "all")} <= set(query)

    sweep.answers[f"/runs/{OTHER}"] = RUN_DETAILS
    shown = invoke("cancel", RUN, "--children")
    assert (shown.exit_code, len(sweep.bodies)) == (0, 1)
    assert "they are all over" in shown.stderr


def test_of_a_sweep_the_parent_is_deleted_last(sweep: CannedGateway) -> None:
    assert invoke("delete", RUN, "--children", "--yes").exit_code == 0
    assert commanded(sweep) == [SECOND_CHILD, OTHER, RUN]
    assert invoke("archive", RUN, "--children").exit_code == 0
    assert commanded(sweep)[3:] == [RUN, OTHER, SECOND_CHILD]


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("15m", 900), ("2h", 7_200), ("1d", 86_400)]
)
def test_durations_as_people_write_them(text: str, seconds: int) -> None:
    assert whole_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0h", "m", "-5", "1.5h", "2 h", "5w", "½h", "١h"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="15m"):
        whole_seconds(text)


def test_a_submission_says_all_that_a_run_may_have(gateway: CannedGateway, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("print(1)")
    gateway.answers |= {
        "/blobs/missing": {"missing": []},
        "/snapshots/*": {},
        "/runs": {"outcome": "accepted"},
        "/runs/*": RUN_DETAILS,
        "/runs/resolve": {"run_id": OTHER},
    }
    said = ["--description", "d", "--property", "a=b=c", "--parent", "sweep"]
    call = ["submit", str(tmp_path), "--script", "train.py", "--max-duration", "2h"]
    shown = invoke(*call, *said)
    assert shown.exit_code == 0, shown.stderr
    created = [json.loads(body) for body in gateway.bodies]
    content = next(one["content"] for one in created if "content" in one)
    assert (content["description"], content["parent_run_id"]) == ("d", OTHER)
    assert content["properties"]["a"] == "b=c"
    assert content["spec"]["max_duration_seconds"] == 7_200


def test_runs_are_filtered(gateway: CannedGateway) -> None:
    gateway.answers["/runs"] = {"runs": [RUN_SUMMARY], "next_cursor": None}
    gateway.answers["/runs/resolve"] = {"run_id": OTHER}
    asked = ["--tag", "a=b:c", "--tag", "d", "--property", "git.dirty=false", "--archived"]
    assert invoke("runs", *asked, "--parent", "@latest", "--children").exit_code == 0
    query = gateway.asked[-1][1]
    assert {("tag", "a:b:c"), ("tag", "d"), ("property", "git.dirty:false")} <= set(query)
    assert {("parent", OTHER), ("recursive", "true"), ("archived", "true")} <= set(query)
    assert invoke("runs", "--children").exit_code == 0
    assert ("children", "true") in gateway.asked[-1][1]


def test_show_tells_where_a_run_belongs(gateway: CannedGateway) -> None:
    gateway.answers["/runs/*"] = RUN_DETAILS | {
        "parent_run_id": OTHER,
        "reproduces": OTHER,
        "children": 3,
        "archived": True,
        "params": {"lr": "0.1"},
        "environment": {"python_version": "3.12.1", "packages_count": 7, "platform": "linux"},
    }
    shown = invoke("show", RUN).stdout
    lines = {tuple(line.split(maxsplit=1)) for line in shown.splitlines() if " " in line.strip()}
    assert {
        ("parent", OTHER),
        ("reproduces", OTHER),
        ("children", "3"),
        ("archived", "yes"),
        ("params", "lr = 0.1"),
        ("python", "3.12.1, 7 packages, linux"),
        ("script", "train.py --name 'two words'"),
    } <= lines
    assert "GpuIdle" in shown


def test_experiments_are_listed_with_or_without_the_word(gateway: CannedGateway) -> None:
    gateway.answers["/experiments"] = {"experiments": [DIGITS]}
    assert "2 Completed, 1 Failed" in invoke("experiments").stdout
    assert json.loads(invoke("experiments", "list", "--json").stdout) == [DIGITS]
    assert gateway.asked[-1][1] == [("archived", "false")]
    invoke("experiments", "list", "--archived")
    assert gateway.asked[-1][1] == [("archived", "true")]


def test_commands_to_an_experiment(gateway: CannedGateway) -> None:
    gateway.answers["/experiments/commands"] = {"outcome": "accepted"}
    gateway.answers["/experiments/digits"] = DIGITS
    assert "handwritten" in invoke("experiments", "show", "digits").stdout
    assert invoke("experiments", "tag", "digits", "a=b", "-r", "c").stdout == "team=vision\n"
    for command in ("archive", "reactivate"):
        assert invoke("experiments", command, "digits").exit_code == 0
    assert invoke("experiments", "describe", "digits", "new").exit_code == 0
    assert invoke("experiments", "delete", "digits", "--yes").exit_code == 0
    assert sent(gateway) == [
        {"name": "digits", "type": "set_tags", "tags": {"a": "b"}},
        {"name": "digits", "type": "remove_tags", "names": ["c"]},
        {"name": "digits", "type": "archive"},
        {"name": "digits", "type": "reactivate"},
        {"name": "digits", "type": "describe", "description": "new"},
        {"name": "digits", "type": "delete"},
    ]


@pytest.mark.parametrize(("no_color", "is_styled"), [("1", False), ("", True)])
def test_no_color_means_plain_text_on_a_terminal_too(
    gateway: CannedGateway, no_color: str, is_styled: bool
) -> None:
    gateway.answers["/runs"] = {"runs": [RUN_SUMMARY], "next_cursor": None}
    reader, writer = pty.openpty()
    environment = {**os.environ, "NO_COLOR": no_color, "TERM": "xterm-256color", "COLUMNS": "80"}
    subprocess.run(
        [sys.executable, "-c", "from runhistory.cli.main import main; main()", "runs"],
        env=environment, stdout=writer, stderr=writer, check=True,
    )  # fmt: skip
    os.close(writer)
    shown = os.read(reader, 65_536)
    os.close(reader)
    assert RUN.encode() in shown
    assert (b"\x1b[" in shown) is is_styled
