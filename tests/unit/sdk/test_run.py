"""`Run` as it is read: metrics, files, logs, waiting."""

import hashlib
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runhistory import Experiment, Run, Workspace
from runhistory.sdk import events, follow, http
from runhistory.sdk.errors import Conflict, InvalidRequest, NotFound, RunFailed, RunHistoryError
from runhistory.snapshots import scan
from tests.support import event_messages
from tests.support.scripted_gateway import Answer, Request, ScriptedGateway

RUN_ID = "0190a1b2c3d47e5f8a9b0c1d2e3f4a5b"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "LONGEST_PAUSE", 0.01)
    monkeypatch.setattr(follow, "PAUSE", 0.01)


@pytest.fixture
def run(gateway: ScriptedGateway) -> Run:
    return Run(Experiment(Workspace(gateway.url), "digits"), RUN_ID)


NO_RECORDS: dict[str, Any] = {"records": [], "next_cursor": None}


def details(status: str = "Running", **more: Any) -> dict[str, Any]:
    return {
        "run_id": RUN_ID,
        "status": status,
        "attempt": 1,
        "tags": {},
        "experiment": "digits",
        **more,
    }


@pytest.mark.parametrize("run_id", ["", "x" * 32, RUN_ID.upper(), RUN_ID[:8], "../x", None, 7])
def test_what_is_no_run_id_is_refused_before_it_gets_into_a_path(
    gateway: ScriptedGateway, run_id: Any
) -> None:
    with pytest.raises(InvalidRequest, match="find_run"):
        Run.get(Workspace(gateway.url), run_id)
    assert gateway.requests == []


@pytest.mark.parametrize(("attempts", "asked"), [("latest", None), ("all", ["all"]), (2, ["2"])])
def test_the_attempts_that_are_asked_for_are_those_of_points_and_records(
    gateway: ScriptedGateway, run: Run, attempts: Any, asked: list[str] | None
) -> None:
    gateway.script = lambda request: Answer(200, {"series": [], **NO_RECORDS})
    run.get_metrics("loss", attempts=attempts)
    assert [request.query.get("attempt") for request in gateway.requests] == [asked] * 2


@pytest.mark.parametrize("attempts", ["newest", "", "2", 0, -1, True, None, 1.0])
def test_what_is_no_choice_of_attempts_is_refused(run: Run, attempts: Any) -> None:
    with pytest.raises(InvalidRequest, match="'latest', 'all'"):
        run.get_metrics(attempts=attempts)


def test_one_value_reads_back_as_it_is_and_several_as_a_list(
    gateway: ScriptedGateway, run: Run
) -> None:
    series = [
        {"key": "best", "steps": [0], "values": [0.5]},
        {"key": "loss", "steps": [0, 1, 2], "values": [1, "NaN", "-Infinity"]},
        {"key": "empty", "steps": [], "values": []},
    ]
    gateway.script = lambda request: Answer(
        200, {"series": series} if request.path.endswith("/metrics") else NO_RECORDS
    )
    found = run.get_metrics()
    assert found.keys() == {"best", "loss"}
    assert found["best"] == 0.5
    assert repr(found["loss"]) == "[1.0, nan, -inf]"
    assert gateway.requests[-2].query == {"system": ["false"]}
    series = [{"key": "system/cpu", "steps": [0], "values": [3.0]}]
    assert run.get_metrics("system/cpu") == {"system/cpu": 3.0}
    assert gateway.requests[-2].query == {"key": ["system/cpu"], "system": ["false"]}
    assert gateway.requests[-1].query == {"key": ["system/cpu"], "limit": ["10000"]}


def test_reading_metrics_flushes_and_carries_the_watermark(
    gateway: ScriptedGateway, run: Run
) -> None:
    def script(request: Request) -> Answer:
        if request.method == "POST":
            return Answer(202, {"watermark": "run.metrics/5/42"})
        answers = {"metrics": {"series": []}, "records": NO_RECORDS}
        return Answer(200, answers.get(request.path.rpartition("/")[2], details()))

    gateway.script = script
    run.log("loss", 1)
    run.get_metrics()
    assert gateway.requests[-3].path == f"/runs/{RUN_ID}/attempts/1/metrics"
    assert gateway.requests[-2].query == {"system": ["false"], "watermark": ["run.metrics/5/42"]}


def test_a_run_that_was_not_started_cannot_be_logged_to(gateway: ScriptedGateway, run: Run) -> None:
    gateway.script = lambda request: Answer(200, details("Queued", attempt=0))
    with pytest.raises(Conflict, match="Queued"):
        run.log("loss", 1)


class TestFiles:
    def test_names_are_quoted_on_the_way(
        self, gateway: ScriptedGateway, run: Run, nowhere: Path
    ) -> None:
        name = "outputs/a b%41?#μ 🎉&=+.bin"
        gateway.script = lambda request: Answer(200, details())
        (nowhere / "file").write_bytes(b"content")
        run.upload_file(name, nowhere / "file")
        request = gateway.requests[-1]
        assert request.path == f"/runs/{RUN_ID}/attempts/1/files/{name}"
        assert request.body == b"content"
        assert list(request.query) == ["command_id"]

    def test_a_stream_is_kept_too(self, gateway: ScriptedGateway, run: Run, nowhere: Path) -> None:
        gateway.script = lambda request: Answer(200, details())
        (nowhere / "file").write_bytes(b"content")
        with (nowhere / "file").open("rb") as stream:
            stream.seek(3)
            run.upload_file("x", stream)
        assert gateway.requests[-1].body == b"tent"

    def test_an_empty_file_is_kept(self, gateway: ScriptedGateway, run: Run, nowhere: Path) -> None:
        gateway.script = lambda request: Answer(200, details())
        (nowhere / "file").write_bytes(b"")
        run.upload_file("x", "file")
        assert gateway.requests[-1].method == "PUT"
        assert gateway.requests[-1].body == b""

    @pytest.mark.parametrize(
        "name", ["../x", "/etc/passwd", "a/../b", "", "a//b", "a/", ".", "a\nb"]
    )
    def test_a_name_that_climbs_out_is_refused_before_anything_is_sent(
        self, gateway: ScriptedGateway, run: Run, nowhere: Path, name: str
    ) -> None:
        (nowhere / "file").write_bytes(b"content")
        gateway.script = lambda request: Answer(200, details())
        with pytest.raises(InvalidRequest, match="named"):
            run.upload_file(name, "file")
        with pytest.raises(InvalidRequest, match="named"):
            run.download_file(name, "here")
        assert gateway.requests == []

    def test_a_download_lies_where_it_should(
        self, gateway: ScriptedGateway, run: Run, nowhere: Path
    ) -> None:
        gateway.script = lambda request: Answer(200, b"bytes")
        (nowhere / "folder").mkdir()
        run.download_file("outputs/model.pt")
        run.download_file("outputs/model.pt", "folder")
        run.download_file("outputs/model.pt", "new/deep/name.bin")
        for path in ("model.pt", "folder/model.pt", "new/deep/name.bin"):
            assert (nowhere / path).read_bytes() == b"bytes"
        assert not list(nowhere.rglob("*.partial"))

    def test_a_download_sees_what_was_uploaded_before(
        self, gateway: ScriptedGateway, run: Run, nowhere: Path
    ) -> None:
        def script(request: Request) -> Answer:
            if request.method == "PUT":
                return Answer(200, details() | {"watermark": "run.events/2/9"})
            if request.path.endswith("/files/x"):
                waits = request.query.get("watermark") == ["run.events/2/9"]
                return Answer(200, b"new" if waits else b"old")
            return Answer(200, details())

        gateway.script = script
        (nowhere / "in").write_bytes(b"new")
        run.upload_file("x", "in")
        run.download_file("x", "out")
        assert (nowhere / "out").read_bytes() == b"new"

    def test_a_download_of_what_is_not_there_leaves_nothing(
        self, gateway: ScriptedGateway, run: Run, nowhere: Path
    ) -> None:
        (nowhere / "model.pt").write_bytes(b"old")
        error = {"code": "file_not_found", "message": "No such file."}
        gateway.script = lambda request: Answer(404, {"error": error})
        with pytest.raises(NotFound, match="No such file"):
            run.download_file("model.pt")
        assert [path.name for path in nowhere.iterdir()] == ["model.pt"]
        assert (nowhere / "model.pt").read_bytes() == b"old"

    def test_logs_come_with_the_console_so_far(
        self, gateway: ScriptedGateway, run: Run, nowhere: Path
    ) -> None:
        lines = [
            {"stream": "system", "line": "building"},
            {"stream": "stdout", "line": "epoch=1 μ"},
            {"stream": "stderr", "line": "warning"},
        ]

        def script(request: Request) -> Answer:
            if request.path.endswith("/files"):
                names = ("logs/a/b.txt", "outputs/model.pt")
                return Answer(200, {"files": [{"name": name} for name in names]})
            if request.path.endswith("/logs"):
                return Answer(
                    200, {"lines": [] if "after" in request.query else lines, "cursor": "c"}
                )
            return Answer(200, b"log file")

        gateway.script = script
        paths = run.get_all_logs("there")
        assert paths == ["there/logs/a/b.txt", "there/user_logs/std_log.txt"]
        assert (nowhere / paths[0]).read_text() == "log file"
        assert (nowhere / paths[1]).read_text("utf-8") == "epoch=1 μ\nwarning\n"

    def test_the_exact_code_comes_back_as_a_zip(
        self, gateway: ScriptedGateway, run: Run, nowhere: Path
    ) -> None:
        code = nowhere / "code"
        (code / "empty").mkdir(parents=True)
        (code / "run.sh").write_text("#!/bin/sh")
        (code / "run.sh").chmod(0o755)
        (code / "link").symlink_to("run.sh")
        tree = scan(code)

        def script(request: Request) -> Answer:
            last = request.path.rpartition("/")[2]
            if request.path.startswith("/snapshots/"):
                return Answer(200, tree.manifest.encode())
            if request.path.startswith("/blobs/"):
                return Answer(200, tree.paths[last].read_bytes())
            return Answer(200, details(snapshot_id=tree.snapshot_id))

        gateway.script = script
        path = run.restore_snapshot(path="restored")
        with zipfile.ZipFile(path) as archive:
            modes = {info.filename: info.external_attr >> 16 for info in archive.infolist()}
            assert archive.read("run.sh") == b"#!/bin/sh"
            assert archive.read("link") == b"run.sh"
        assert modes.keys() == {"empty/", "link", "run.sh"}
        assert stat.S_IMODE(modes["run.sh"]) == 0o755
        assert stat.S_ISLNK(modes["link"])
        assert [entry.name for entry in (nowhere / "restored").iterdir()] == [Path(path).name]

    def test_other_bytes_than_were_kept_are_refused(
        self, gateway: ScriptedGateway, run: Run, nowhere: Path
    ) -> None:
        from runhistory.sdk.download import download

        gateway.script = lambda request: Answer(200, b"damaged")
        digest = hashlib.sha256(b"kept").hexdigest()
        with pytest.raises(RunHistoryError, match="not those that were kept"):
            download(run._client.connection, "/blobs/x", nowhere / "out", sha256=digest)
        assert list(nowhere.iterdir()) == []


class Life:
    """A run that passes these statuses, a connection for each; the lines come with the second.

    The last line comes when its end was told already.
    """

    def __init__(self, *statuses: str, lines: list[str] | None = None, **more: Any) -> None:
        self.statuses, self.more = statuses, more
        self.early, self.late = (lines or [])[:-1], (lines or [])[-1:]
        self.told = 0

    def __call__(self, request: Request) -> Answer:
        if request.path != "/events":
            status = self.statuses[max(0, self.told - 1)]
            return Answer(200, details(status, **self.more))
        if request.query.get("follow") == ["false"]:
            return Answer(200, self._printed(101, self.late) + event_messages.END)
        self.told = min(self.told + 1, len(self.statuses))
        passed = event_messages.statuses(*self.statuses[: self.told])
        return Answer(200, passed + (self._printed(100, self.early) if self.told > 1 else b""))

    def _printed(self, number: int, lines: list[str]) -> bytes:
        return (
            event_messages.printed(number, [("stdout", line) for line in lines]) if lines else b""
        )


class TestWaiting:
    def test_it_returns_the_details_of_the_end(self, gateway: ScriptedGateway, run: Run) -> None:
        gateway.script = Life("Queued", "Running", "Finalizing", "Completed", exit_code=0)
        ended = run.wait_for_completion()
        assert (ended["status"], ended["exit_code"]) == ("Completed", 0)
        assert run.status == "Completed"

    def test_it_prints_every_line_once_and_each_status(
        self, gateway: ScriptedGateway, run: Run, capsys: pytest.CaptureFixture[str]
    ) -> None:
        gateway.script = Life("Queued", "Running", "Completed", lines=["one", "two", "three"])
        run.wait_for_completion(show_output=True)
        out = capsys.readouterr().out.splitlines()
        assert [line for line in out if not line.startswith("[")] == ["one", "two", "three"]
        assert [line.split()[1] for line in out if line.startswith("[")] == [
            *("Queued", "Running", "Completed"),
        ]

    def test_it_raises_when_the_run_failed(self, gateway: ScriptedGateway, run: Run) -> None:
        error = {"code": "ExitCode", "message": "exited with 3", "details": "KeyError: 'x'"}
        gateway.script = Life("Running", "Failed", error=error)
        with pytest.raises(RunFailed) as caught:
            run.wait_for_completion()
        for part in ("exited with 3", "ExitCode", "KeyError: 'x'"):
            assert part in str(caught.value)
        assert run.wait_for_completion(raise_on_error=False)["status"] == "Failed"

    def test_it_does_not_raise_when_the_run_was_cancelled(
        self, gateway: ScriptedGateway, run: Run
    ) -> None:
        gateway.script = Life("CancelRequested", "Canceled")
        assert run.wait_for_completion()["status"] == "Canceled"

    def test_a_gateway_that_is_away_for_a_while_is_waited_for(
        self, gateway: ScriptedGateway, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(follow, "PATIENCE", 0.05)
        life, asked = Life("Running", "Finalizing", "Completed"), iter(range(1_000))

        def script(request: Request) -> Answer:
            return Answer(503, {}) if next(asked) in {0, 1, 3, 5, 8} else life(request)

        gateway.script = script
        assert run.wait_for_completion()["status"] == "Completed"

    def test_ctrl_c_leaves_the_run_running(
        self,
        gateway: ScriptedGateway,
        run: Run,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        gateway.script = Life("Running")

        def interrupt(seconds: float) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(events, "sleep", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run.wait_for_completion(show_output=True)
        assert "goes on" in capsys.readouterr().err
        assert {request.method for request in gateway.requests} == {"GET"}


def test_runs_are_listed_page_by_page(gateway: ScriptedGateway, run: Run) -> None:
    def script(request: Request) -> Answer:
        page = int(request.query.get("cursor", ["0"])[0])
        runs = [details(run_id=f"{page * 2 + i:032x}") for i in range(2)]
        return Answer(200, {"runs": runs, "next_cursor": str(page + 1) if page < 2 else None})

    gateway.script = script
    found = Run.list(run.experiment, type="script", tags={"a": "b"}, status="Running")
    assert next(found).id == f"{0:032x}"
    assert len(gateway.requests) == 1
    assert [run.id for run in found] == [f"{i:032x}" for i in range(1, 6)]
    assert gateway.requests[0].query == {
        "experiment": ["digits"],
        "type": ["script"],
        "tag": ["a:b"],
        "status": ["Running"],
        "children": ["false"],
        "limit": ["100"],
    }


@pytest.mark.parametrize(
    ("call", "command"),
    [
        (lambda run: run.tag("a"), {"type": "set_tags", "tags": {"a": ""}}),
        (lambda run: run.set_tags({"a": 1}), {"type": "set_tags", "tags": {"a": "1"}}),
        (
            lambda run: run.add_properties({"p": "q"}),
            {"type": "add_properties", "properties": {"p": "q"}},
        ),
        (lambda run: run.cancel(), {"type": "cancel", "reason": ""}),
        (lambda run: run.cancel("no more"), {"type": "cancel", "reason": "no more"}),
        (
            lambda run: run.remove_tags(name for name in "ab"),
            {"type": "remove_tags", "names": ["a", "b"]},
        ),
        (
            lambda run: run.log_params({"lr": 0.1, "layers": [1, 2], "none": None}),
            {"type": "add_params", "params": {"lr": "0.1", "layers": "[1, 2]", "none": ""}},
        ),
    ],
)
def test_commands(
    gateway: ScriptedGateway, run: Run, call: Callable[[Run], None], command: dict[str, Any]
) -> None:
    call(run)
    sent = gateway.requests[-1].json
    assert sent.pop("command_id")
    assert sent == command


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda run: run.log_params(["lr"]), "params must be a dict"),
        (lambda run: run.set_tags({3: "x"}), "tags: 3 is no name"),
        (lambda run: run.tag("two\nlines"), "is no name"),
        (lambda run: run.tag(""), "1 to 256"),
        (lambda run: run.add_properties({"p": "x" * 16_385}), "value of 'p' has 16385"),
        (lambda run: run.set_tags({str(n): n for n in range(1_001)}), "1001 at once"),
        (lambda run: run.remove_tags(3), "a list of names, not 3"),
        (lambda run: run.remove_tags([3]), "3 is no name"),
    ],
)
def test_what_cannot_be_said_of_a_run_is_refused_before_it_is_sent(
    gateway: ScriptedGateway, run: Run, call: Callable[[Run], None], said: str
) -> None:
    with pytest.raises(InvalidRequest, match=said):
        call(run)
    assert gateway.requests == []
