"""What each process of a stack is started with."""

import re
from pathlib import Path

import pytest

from runhistory.runtime.settings import ServiceSettings
from runhistory.stack.processes import STACK_VARIABLE, STOP_SECONDS, ProcessSpec, process_specs
from runhistory.stack.state import StackFiles


@pytest.fixture
def files(tmp_path: Path) -> StackFiles:
    return StackFiles(tmp_path / "a b")


def _specs(files: StackFiles) -> dict[str, ProcessSpec]:
    jar = files.data / "kafka.jar"
    jar.parent.mkdir(parents=True, exist_ok=True)
    jar.touch()
    found = process_specs(files, base_port=9000, slots=3, jars=[jar])
    return {spec.name: spec for spec in found}


def test_they_start_in_the_order_of_the_page(files: StackFiles) -> None:
    order = ["kafka", "engine", "lifecycle", "sink", "gateway", "watch", "worker", "scheduler"]

    assert list(_specs(files)) == order == list(STOP_SECONDS)


@pytest.mark.parametrize("name", ["lifecycle", "sink", "gateway", "watch", "worker", "scheduler"])
def test_a_service_understands_its_environment(files: StackFiles, name: str) -> None:
    spec = _specs(files)[name]

    settings = ServiceSettings.from_environment(name, spec.environment)

    assert (settings.host, settings.port) == ("127.0.0.1", spec.port)
    assert settings.url == "http://127.0.0.1:9000"
    assert settings.kafka == "127.0.0.1:9010"
    assert settings.instance == name
    assert settings.clickhouse == "http://127.0.0.1:9012"
    assert settings.objects == f"file://{files.data.parent}/a%20b/objects"


def test_the_worker_knows_its_slots_and_its_folder(files: StackFiles) -> None:
    environment = _specs(files)["worker"].environment

    assert environment["RUNHISTORY_WORKER_SLOTS"] == "3"
    assert environment["RUNHISTORY_WORKER_DATA"] == str(files.data / "worker")


def test_what_the_caller_has_set_for_himself_does_not_reach_the_stack(
    files: StackFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNHISTORY_RUN_ID", "of the run that called up")
    monkeypatch.setenv("RUNHISTORY_CLICKHOUSE", "http://elsewhere")
    monkeypatch.setenv("RUNHISTORY_TOKEN", "secret")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")

    for spec in _specs(files).values():
        assert "RUNHISTORY_RUN_ID" not in spec.environment
        assert spec.environment["RUNHISTORY_CLICKHOUSE"] == "http://127.0.0.1:9012"
        assert spec.environment["RUNHISTORY_TOKEN"] == "secret"
        assert spec.environment["HTTPS_PROXY"] == "http://proxy"


def test_every_documented_setting_gets_through_or_is_the_stacks_own(
    files: StackFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).parents[3] / "docs" / "architecture.md").read_text()
    table = page.split("## Settings")[1].split("\n\nA script")[0]
    names = {
        name
        for line in table.splitlines()
        if line.startswith("| `RUNHISTORY_")
        for name in re.findall(r"`(RUNHISTORY_[A-Z_]+)`", line.split(" | ")[0])
    }
    for name in names:
        monkeypatch.setenv(name, "given")
    found = [spec.environment for spec in _specs(files).values()]
    lost = {name for name in names if not any(name in one for one in found)}
    # One broker has no replicas, and a machine's own worker takes all runs of `local`.
    others = {"KAFKA_REPLICATION", "WORKER_TARGET", "WORKER_WORKSPACE"}
    others |= {"MODE", "DETACHED", "EXIT_SECONDS"}  # of a program that logs, not of its runs
    assert lost == {f"RUNHISTORY_{name}" for name in others}
    assert {one["RUNHISTORY_ERASURE_GRACE_SECONDS"] for one in found} == {"given"}


def test_all_carry_the_mark_of_their_stack(files: StackFiles) -> None:
    marks = {spec.environment[STACK_VARIABLE] for spec in _specs(files).values()}

    assert marks == {str(files.data)}
