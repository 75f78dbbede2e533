"""ScriptRunConfig and Environment say at once what cannot work."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runhistory import Environment, ScriptRunConfig
from runhistory.sdk.errors import InvalidConfig, Unsupported


@pytest.fixture
def code(nowhere: Path) -> Path:
    (nowhere / "train.py").write_text("print('hello')")
    (nowhere / "pkg").mkdir()
    (nowhere / "pkg" / "evaluate.py").write_text("")
    (nowhere / ".venv").mkdir()
    (nowhere / ".venv" / "hidden.py").write_text("")
    (nowhere / "notes.txt").write_text("")
    return nowhere


def test_arguments_may_be_numbers_and_paths_and_stay_as_they_are(code: Path) -> None:
    arguments = [
        "--lr",
        0.1,
        "--n",
        3,
        "--flag",
        True,
        Path("a/b"),
        np.float32(0.5),
        "a \"b\" 'c' μ 🎉",
        "",
    ]
    spec = ScriptRunConfig(code, "train.py", arguments).as_spec("0" * 64)
    assert spec.arguments == (
        *("--lr", "0.1", "--n", "3", "--flag", "True", "a/b", "0.5", "a \"b\" 'c' μ 🎉", ""),
    )


@pytest.mark.parametrize("argument", [None, ["nested"], {"a": 1}, b"bytes", "nul\0", "\ud800"])
def test_an_argument_that_no_process_can_be_given_is_named(code: Path, argument: Any) -> None:
    with pytest.raises(InvalidConfig, match=r"arguments\[1\]"):
        ScriptRunConfig(code, "train.py", ["fine", argument])


def test_arguments_in_one_text_are_refused(code: Path) -> None:
    with pytest.raises(InvalidConfig, match="must be a list"):
        ScriptRunConfig(code, "train.py", "--lr 0.1")


@pytest.mark.parametrize("script", ["tarin.py", "pkg", "pkg/train.py", None, ""])
def test_a_script_that_is_not_there_names_those_that_are(code: Path, script: str | None) -> None:
    with pytest.raises(InvalidConfig, match=r"pkg/evaluate\.py, train\.py\.") as caught:
        ScriptRunConfig(code, script)
    assert "hidden" not in str(caught.value)


def test_a_script_outside_of_the_folder_is_refused(code: Path) -> None:
    (code.parent / "outside.py").write_text("")
    for script in ("../outside.py", str(code.parent / "outside.py")):
        with pytest.raises(InvalidConfig, match="must lie in"):
            ScriptRunConfig(code, script)


def test_a_folder_that_is_not_there_is_refused(code: Path) -> None:
    with pytest.raises(InvalidConfig, match="no folder"):
        ScriptRunConfig(code / "missing", "train.py")


@pytest.mark.parametrize("script", ["./pkg/evaluate.py", "pkg//evaluate.py", "absolute"])
def test_a_script_has_one_name(code: Path, script: str) -> None:
    script = str(code / "pkg" / "evaluate.py") if script == "absolute" else script
    assert ScriptRunConfig(code, script).script == "pkg/evaluate.py"


@pytest.mark.parametrize("name", ["distributed_job_config", "resume_from", "docker_runtime_config"])
def test_what_azure_ml_has_and_we_have_not_is_refused_by_name(code: Path, name: str) -> None:
    given: dict[str, Any] = {name: 1}
    with pytest.raises(Unsupported, match=name):
        ScriptRunConfig(code, "train.py", **given)


@pytest.mark.parametrize("resources", [{"slots": 0}, {"gpus": -1}, {"slots": 10**6}, {"gpus": "1"}])
def test_resources_have_limits(code: Path, resources: dict[str, Any]) -> None:
    with pytest.raises(InvalidConfig, match="slots and gpus"):
        ScriptRunConfig(code, "train.py", **resources)


@pytest.mark.parametrize("seconds", [0, -1, 1.5, "60", True, 10**10])
def test_a_duration_that_cannot_be_is_told_in_a_sentence(code: Path, seconds: Any) -> None:
    says = r"max_run_duration_seconds cannot be .* whole seconds from 1 to .* no limit"
    with pytest.raises(InvalidConfig, match=says):
        ScriptRunConfig(code, "train.py", max_run_duration_seconds=seconds)
    config = ScriptRunConfig(code, "train.py", max_run_duration_seconds=60)
    assert config.as_spec("0" * 64).max_duration_seconds == 60
    config.run_config.max_run_duration_seconds = seconds
    with pytest.raises(InvalidConfig, match=says):
        config.as_spec("0" * 64)


def test_an_environment_from_a_file(code: Path) -> None:
    (code / "req.txt").write_text("numpy>=2\n# a comment\n--index-url https://example.org\n")
    environment = Environment.from_pip_requirements("cpu", code / "req.txt")
    spec = ScriptRunConfig(code, "train.py", environment=environment).as_spec("0" * 64)
    assert spec.environment.requirements == (
        "numpy>=2",
        "# a comment",
        "--index-url https://example.org",
    )


@pytest.mark.parametrize(
    "line", ["-r other.txt", "-c limits.txt", "-e .", "./wheel.whl", "--requirement x"]
)
def test_a_requirement_that_needs_another_file_is_refused(line: str) -> None:
    with pytest.raises(InvalidConfig, match="another file"):
        Environment(requirements=["numpy", line])


@pytest.mark.parametrize(
    "variables", [{"A B": "x"}, {"": "x"}, {"A": None}, {"A": "nul\0"}, {"1A": "x"}]
)
def test_environment_variables_are_checked(variables: dict[str, Any]) -> None:
    with pytest.raises(InvalidConfig):
        Environment(environment_variables=variables)


def test_numbers_in_environment_variables_become_text() -> None:
    environment = Environment(environment_variables={"N": 3, "LR": 0.1})
    assert environment.as_value().variables == {"N": "3", "LR": "0.1"}
