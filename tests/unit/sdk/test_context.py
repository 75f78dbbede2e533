"""`Run.get_context()`: in a submitted run, and outside of one."""

from pathlib import Path
from typing import Any

import pytest

from runhistory import Run
from runhistory.sdk import context
from runhistory.sdk.errors import InvalidMetric, InvalidRequest, NoRunContext, OfflineRunError
from tests.support.scripted_gateway import Answer, ScriptedGateway

RUN_ID = "0190a1b2c3d47e5f8a9b0c1d2e3f4a5b"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "_submitted", None)


@pytest.fixture
def submitted(gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch) -> Run:
    gateway.script = lambda request: Answer(202, {"watermark": "run.metrics/0/1"})
    monkeypatch.setenv("RUNHISTORY_URL", gateway.url)
    monkeypatch.setenv("RUNHISTORY_RUN_ID", RUN_ID)
    monkeypatch.setenv("RUNHISTORY_ATTEMPT", "3")
    monkeypatch.setenv("RUNHISTORY_EXPERIMENT", "digits")
    return Run.get_context()


class TestSubmitted:
    def test_it_is_one_object_and_asks_nothing(
        self, submitted: Run, gateway: ScriptedGateway
    ) -> None:
        assert Run.get_context() is submitted
        assert Run.get_context(allow_offline=False) is submitted
        assert submitted.id == RUN_ID
        assert submitted.experiment.name == "digits"
        assert submitted.attempt == 3
        assert gateway.requests == []

    @pytest.mark.parametrize("end", ["complete", "fail", "with", "with error"])
    def test_the_process_decides_how_it_ends(
        self, submitted: Run, gateway: ScriptedGateway, end: str
    ) -> None:
        submitted.log("loss", 1.0)
        if end == "complete":
            submitted.complete()
        elif end == "fail":
            submitted.fail("bad", "Code")
        elif end == "with":
            with submitted:
                pass
        else:
            with pytest.raises(KeyError), submitted:
                raise KeyError("x")
        assert {request.path for request in gateway.requests} == {
            f"/runs/{RUN_ID}/attempts/3/metrics"
        }

    @pytest.mark.parametrize(
        ("name", "value"),
        [("RUN_ID", "nonsense"), ("ATTEMPT", "0"), ("ATTEMPT", ""), ("ATTEMPT", "x")],
    )
    def test_variables_that_name_no_attempt_are_refused(
        self, monkeypatch: pytest.MonkeyPatch, submitted: Run, name: str, value: str
    ) -> None:
        monkeypatch.setattr(context, "_submitted", None)
        monkeypatch.setenv(f"RUNHISTORY_{name}", value)
        with pytest.raises(NoRunContext, match="RUNHISTORY_RUN_ID"):
            Run.get_context()


class TestOffline:
    def test_without_a_run_it_is_refused_when_asked_to(self) -> None:
        with pytest.raises(NoRunContext, match="runhistory submit"):
            Run.get_context(allow_offline=False)

    def test_it_prints_and_keeps_nothing(
        self, capsys: pytest.CaptureFixture[str], nowhere: Path
    ) -> None:
        (nowhere / "model.bin").write_bytes(b"x")
        with Run.get_context() as run:
            run.log("loss", 1.82)
            run.log("loss", 1.5)
            run.log("val", 1, step=7)
            run.log_list("curve", [1, 2])
            run.tag("kind", "test")
            run.add_properties({"a": 1})
            run.upload_file("outputs/model.bin", "model.bin")
            run.flush()
        assert capsys.readouterr().out.splitlines() == [
            "loss = 1.82 (step 0)",
            "loss = 1.5 (step 1)",
            "val = 1 (step 7)",
            "curve = 1 (step 0)",
            "curve = 2 (step 1)",
            "set_tags: kind = test",
            "add_properties: a = 1",
            "upload_file: outputs/model.bin (not kept)",
            "complete: Completed",
        ]
        assert run.get_metrics() == {}
        assert run.get_file_names() == []
        assert run.get_status() == "Completed"
        assert run.get_tags() == {"kind": "test"}
        assert run.parent is None
        assert run.id.startswith("OfflineRun_")

    def test_it_refuses_what_a_real_run_refuses(self, nowhere: Path) -> None:
        run = Run.get_context()
        bad: list[tuple[Any, Any, Any]] = [("loss", {}, None), ("", 1, None), ("loss", 1, 2**63)]
        for name, value, step in bad:
            with pytest.raises(InvalidMetric):
                run.log(name, value, step=step)
        with pytest.raises(InvalidRequest):
            run.upload_file("../up", __file__)
        with pytest.raises(InvalidRequest, match="cannot be read"):
            run.upload_file("fine", "missing.bin")

    def test_it_says_why_it_failed(self, capsys: pytest.CaptureFixture[str]) -> None:
        run = Run.get_context()
        run.fail("no data", "Empty")
        assert capsys.readouterr().out == "fail: Empty: no data\n"
        assert run.get_status() == "Failed"
        with pytest.raises(ValueError, match="odd"), Run.get_context():
            raise ValueError("odd")
        assert capsys.readouterr().out == "fail: ValueError: odd\n"

    def test_what_it_cannot_give_it_says(self) -> None:
        run = Run.get_context()
        for ask in (
            lambda: run.experiment,
            lambda: run.download_file("x"),
            lambda: run.download_files("x"),
            lambda: run.get_environment(),
            lambda: run.reproduce(),
            lambda: run.diff(run),
            lambda: run.restore_snapshot(),
            lambda: run.wait_for_completion(),
        ):
            with pytest.raises(OfflineRunError, match="offline run"):
                ask()
