"""`Experiment.submit` and `start_logging`: what is sent, how often, and under which ids."""

import hashlib
import subprocess
from pathlib import Path
from typing import Any

import pytest

from runhistory import Environment, Experiment, ScriptRunConfig, Workspace
from runhistory.sdk import http
from runhistory.sdk.errors import Conflict, InvalidConfig, InvalidRequest
from runhistory.sdk.git_facts import git_facts, without_password
from runhistory.snapshots import Manifest
from tests.support.scripted_gateway import Answer, Request, ScriptedGateway


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "LONGEST_PAUSE", 0.01)


@pytest.fixture
def code(nowhere: Path) -> Path:
    folder = nowhere / "code"
    (folder / "pkg").mkdir(parents=True)
    (folder / "train.py").write_text("print(1)")
    (folder / "pkg" / "same.py").write_text("print(1)")
    (folder / "pkg" / "model.py").write_text("x = 2")
    return folder


class Store:
    """Answers as a gateway that keeps blobs."""

    def __init__(self, *kept: bytes) -> None:
        self.blobs = {hashlib.sha256(data).hexdigest(): data for data in kept}
        self.manifests: dict[str, bytes] = {}
        self.created: list[Any] = []
        self.fates: list[Answer] = []

    def __call__(self, request: Request) -> Answer:
        last = request.path.rpartition("/")[2]
        if request.path == "/blobs/missing":
            return Answer(
                200, {"missing": [d for d in request.json["sha256"] if d not in self.blobs]}
            )
        if request.path.startswith("/blobs/"):
            if hashlib.sha256(request.body).hexdigest() != last:
                return Answer(
                    400, {"error": {"code": "digest_mismatch", "message": "Other bytes."}}
                )
            self.blobs[last] = request.body
            return Answer(201, {})
        if request.path.startswith("/snapshots/"):
            self.manifests[last] = request.body
            return Answer(201, {})
        if request.path == "/runs":
            self.created.append(request.json)
            made = Answer(201, {"attempt": 1, "watermark": "run.events/0/2"})
            return self.fates.pop(0) if self.fates else made
        return Answer(200, {"attempt": 1, "watermark": "run.events/0/3"})


@pytest.fixture
def experiment(gateway: ScriptedGateway) -> Experiment:
    return Experiment(Workspace(gateway.url), "digits")


def test_only_missing_blobs_are_sent_then_the_manifest_then_one_command(
    gateway: ScriptedGateway, experiment: Experiment, code: Path
) -> None:
    gateway.script = store = Store(b"x = 2")
    seen: list[tuple[int, int]] = []
    run = experiment.submit(
        ScriptRunConfig(code, "train.py", ["--lr", 0.1]),
        tags={"kind": "test", "n": 1},
        display_name="first try",
        progress=lambda sent, total: seen.append((sent, total)),
    )
    paths = [request.path for request in gateway.requests]
    puts = [path for path in paths if path.startswith("/blobs/") and path != "/blobs/missing"]
    assert puts == [f"/blobs/{hashlib.sha256(b'print(1)').hexdigest()}"]
    assert [path.partition("/")[2].partition("/")[0] for path in paths] == [
        *("blobs", "blobs", "snapshots", "runs"),
    ]
    assert seen == [(0, 8), (8, 8)]
    (command,) = store.created
    assert command["run_id"] == run.id
    content = command["content"]
    assert content["spec"]["arguments"] == ["--lr", "0.1"]
    assert content["tags"] == {"kind": "test", "n": "1"}
    assert content["display_name"] == "first try"
    assert content["created_by"]
    manifest = Manifest.decode(store.manifests[content["spec"]["snapshot_id"]])
    assert [entry.path for entry in manifest.entries] == [
        "pkg",
        "pkg/model.py",
        "pkg/same.py",
        "train.py",
    ]


def test_a_lost_answer_is_the_same_run_again(
    gateway: ScriptedGateway, experiment: Experiment, code: Path
) -> None:
    gateway.script = store = Store()
    store.fates = [Answer(0, None), Answer(503, {}), Answer(200, {"watermark": "run.events/0/2"})]
    run = experiment.submit(ScriptRunConfig(code, "train.py"))
    assert len(store.created) == 3
    assert store.created[0] == store.created[1] == store.created[2]
    assert store.created[0]["run_id"] == run.id


def test_a_refusal_comes_through(
    gateway: ScriptedGateway, experiment: Experiment, code: Path
) -> None:
    gateway.script = store = Store()
    error = {"code": "unknown_compute_target", "message": "Known here: local."}
    store.fates = [Answer(409, {"error": error})]
    with pytest.raises(Conflict, match="Known here: local") as caught:
        experiment.submit(ScriptRunConfig(code, "train.py", compute_target="moon"))
    assert caught.value.code == "unknown_compute_target"


def test_a_script_that_amlignore_leaves_out_is_refused_before_anything_is_sent(
    gateway: ScriptedGateway, experiment: Experiment, code: Path
) -> None:
    (code / ".amlignore").write_text("*.py\n")
    with pytest.raises(InvalidConfig, match=r"\.amlignore leaves the script 'train\.py' out"):
        experiment.submit(ScriptRunConfig(code, "train.py"))
    assert gateway.requests == []


def test_a_link_out_of_the_folder_is_refused_before_anything_is_sent(
    gateway: ScriptedGateway, experiment: Experiment, code: Path
) -> None:
    (code / "out").symlink_to("/etc/passwd")
    with pytest.raises(InvalidConfig, match="out"):
        experiment.submit(ScriptRunConfig(code, "train.py"))
    assert gateway.requests == []


def test_a_file_that_changes_while_it_is_sent_is_named(
    gateway: ScriptedGateway, experiment: Experiment, code: Path
) -> None:
    store = Store()

    def change(request: Request) -> Answer:
        if request.path == "/blobs/missing":
            (code / "pkg" / "model.py").write_text("x = 3")
        return store(request)

    gateway.script = change
    with pytest.raises(InvalidRequest, match=r"model\.py changed"):
        experiment.submit(ScriptRunConfig(code, "train.py"))
    assert store.created == []


@pytest.mark.parametrize(
    "given",
    [
        {"display_name": "x" * 300},
        {"tags": {"": "x"}},
        {"tags": {"a": "x" * 20_000}},
        {"description": "x" * 20_000},
    ],
)
def test_limits_are_enforced_before_anything_is_sent(
    gateway: ScriptedGateway, experiment: Experiment, code: Path, given: dict[str, Any]
) -> None:
    with pytest.raises(InvalidRequest):
        experiment.submit(ScriptRunConfig(code, "train.py"), **given)
    assert gateway.requests == []


@pytest.mark.parametrize("name", ["", "x" * 257, "a\nb", None])
def test_an_experiment_needs_a_name(gateway: ScriptedGateway, name: Any) -> None:
    with pytest.raises(InvalidRequest, match="experiment"):
        Experiment(Workspace(gateway.url), name)


def test_the_environment_is_in_the_spec(
    gateway: ScriptedGateway, experiment: Experiment, code: Path
) -> None:
    gateway.script = store = Store()
    environment = Environment("cpu", requirements=["numpy"], environment_variables={"A": 1})
    experiment.submit(ScriptRunConfig(code, "train.py", environment=environment, slots=2, gpus=1))
    spec = store.created[0]["content"]["spec"]
    assert spec["environment"]["requirements"] == ["numpy"]
    assert spec["environment"]["variables"] == {"A": "1"}
    assert spec["resources"] == {"slots": 2, "gpus": 1}


class TestInteractive:
    def commands(self, gateway: ScriptedGateway) -> list[Any]:
        return [r.json for r in gateway.requests if r.path.endswith("/commands")]

    def test_leaving_the_block_completes(
        self, gateway: ScriptedGateway, experiment: Experiment
    ) -> None:
        gateway.script = store = Store()
        with experiment.start_logging(tags={"a": "b"}) as run:
            run.log("loss", 1)
        assert store.created[0]["content"]["type"] == "interactive"
        assert store.created[0]["start"] is True
        assert [command["type"] for command in self.commands(gateway)] == ["complete"]
        paths = [request.path for request in gateway.requests]
        metrics = f"/runs/{run.id}/attempts/1/metrics"
        assert paths.index(metrics) < len(paths) - 1  # sent before the run is completed

    @pytest.mark.parametrize("code", [None, 0])
    def test_a_clean_exit_completes(
        self, gateway: ScriptedGateway, experiment: Experiment, code: int | None
    ) -> None:
        gateway.script = Store()
        with pytest.raises(SystemExit), experiment.start_logging():
            raise SystemExit(code)
        assert self.commands(gateway)[-1]["type"] == "complete"

    @pytest.mark.parametrize(
        "error", [ValueError("μ\ud800 bad"), SystemExit(3), KeyboardInterrupt()]
    )
    def test_an_exception_fails_it(
        self, gateway: ScriptedGateway, experiment: Experiment, error: BaseException
    ) -> None:
        gateway.script = Store()
        with pytest.raises(type(error)), experiment.start_logging():
            raise error
        command = self.commands(gateway)[-1]
        assert command["type"] == "fail"
        assert command["error"]["code"] == type(error).__name__
        assert "Traceback" in command["error"]["details"]

    @pytest.mark.parametrize("end", ["complete", "fail", "cancel"])
    def test_what_was_ended_inside_is_not_ended_again(
        self, gateway: ScriptedGateway, experiment: Experiment, end: str
    ) -> None:
        gateway.script = Store()
        with experiment.start_logging() as run:
            getattr(run, end)()
        assert [command["type"] for command in self.commands(gateway)] == [end]

    def test_a_run_that_was_cancelled_from_outside_leaves_its_block_in_peace(
        self, gateway: ScriptedGateway, experiment: Experiment, caplog: pytest.LogCaptureFixture
    ) -> None:
        store = Store()
        error = {"code": "not_allowed", "message": "The run is Canceled."}

        def script(request: Request) -> Answer:
            if b'"complete"' in request.body:
                return Answer(409, {"error": error})
            return store(request)

        gateway.script = script
        with experiment.start_logging():
            pass
        assert "The run is Canceled." in caplog.text

    def test_a_long_error_keeps_its_end(
        self, gateway: ScriptedGateway, experiment: Experiment
    ) -> None:
        gateway.script = Store()
        experiment.start_logging().fail("x" * 50_000 + "the end", "A\nB")
        error = self.commands(gateway)[-1]["error"]
        assert error["message"].endswith("the end")
        assert len(error["message"]) == 16_384
        assert error["code"] == "A B"


class TestGitFacts:
    def git(self, folder: Path, *arguments: str) -> None:
        identity = ("-c", "user.name=a", "-c", "user.email=a@b.c")
        subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)

    def test_of_a_repository(self, code: Path) -> None:
        self.git(code, "init", "-b", "trunk")
        self.git(code, "add", ".")
        self.git(code, "commit", "-m", "first")
        self.git(code, "remote", "add", "origin", "https://user:secret@example.org/x.git")
        facts = git_facts(code)
        assert facts["git.repository"] == "https://example.org/x.git"
        assert facts["git.branch"] == "trunk"
        assert len(facts["git.commit"]) == 40
        assert facts["git.dirty"] == "false"
        (code / "train.py").write_text("changed")
        assert git_facts(code)["git.dirty"] == "true"
        self.git(code, "checkout", "--detach")
        assert "git.branch" not in git_facts(code)

    def test_of_none(self, nowhere: Path) -> None:
        assert git_facts(nowhere) == {}

    def test_without_git(self, code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(code))
        assert git_facts(code) == {}

    @pytest.mark.parametrize(
        ("remote", "shown"),
        [
            ("https://token@example.org/a.git", "https://example.org/a.git"),
            ("https://u:p@example.org:8443/a", "https://example.org:8443/a"),
            ("git@example.org:a/b.git", "git@example.org:a/b.git"),
            ("/some/path", "/some/path"),
        ],
    )
    def test_a_remotes_password_is_not_kept(self, remote: str, shown: str) -> None:
        assert without_password(remote) == shown
