"""Which runs share an environment."""

from pathlib import Path

import pytest

from runhistory.domain.values import Environment
from runhistory.worker.builder import EnvironmentFailed
from runhistory.worker.recipes import Recipe, base_requirements, wanted_environment


def recipe(folder: Path, spec: Environment | None = None) -> Recipe:
    wanted = wanted_environment(spec or Environment(), folder)
    assert wanted is not None
    return wanted.recipe


def lines(folder: Path, text: str) -> Recipe:
    (folder / "requirements.txt").write_text(text)
    return recipe(folder)


def test_without_requirements_it_is_the_workers_own(tmp_path: Path) -> None:
    assert wanted_environment(Environment(), tmp_path) is None


def test_an_empty_list_is_an_environment_of_its_own(tmp_path: Path) -> None:
    assert recipe(tmp_path, Environment(requirements=())).lines == ()


def test_the_spec_comes_before_the_file(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("six\n")
    assert recipe(tmp_path, Environment(requirements=("idna",))).lines == ("idna",)


def test_names_and_variables_of_an_environment_make_no_difference(tmp_path: Path) -> None:
    one = Environment(name="a", requirements=("six",), variables={"A": "1"})
    two = Environment(name="b", requirements=("six",))
    assert recipe(tmp_path, one).hash == recipe(tmp_path, two).hash


def test_comments_and_blank_lines_make_no_difference(tmp_path: Path) -> None:
    assert lines(tmp_path, "six\n").hash == lines(tmp_path, "# tools\n\nsix  # why\n").hash


@pytest.mark.parametrize("text", ["six==1.16\n", "idna\n", "six\nidna\n"])
def test_other_lines_are_another_environment(tmp_path: Path, text: str) -> None:
    assert lines(tmp_path, "six\n").hash != lines(tmp_path, text).hash


def test_another_python_is_another_environment(tmp_path: Path) -> None:
    one, two = (
        Environment(requirements=(), python_version=version) for version in ("3.11", "3.12")
    )
    assert recipe(tmp_path, one).hash != recipe(tmp_path, two).hash


def test_files_that_are_named_count_with_their_lines(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "more.txt").write_text("-r deep.txt\n")
    (tmp_path / "sub" / "deep.txt").write_text("six\n")
    before = lines(tmp_path, "-r sub/more.txt\n")
    (tmp_path / "sub" / "deep.txt").write_text("six<2\n")
    assert before.hash != lines(tmp_path, "-r sub/more.txt\n").hash


def test_files_that_name_each_other_come_to_an_end(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("-r requirements.txt\nsix\n")
    assert "six" in lines(tmp_path, "-r a.txt\n").lines


def test_a_named_file_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailed, match=r"nowhere\.txt"):
        lines(tmp_path, "-r nowhere.txt\n")


@pytest.mark.parametrize(
    "line", ["-e .", "--editable=./lib", ".", "./lib", "../lib", "/opt/lib", "lib @ file:///x"]
)
def test_folders_of_the_run_are_not_shared(tmp_path: Path, line: str) -> None:
    assert lines(tmp_path, f"{line}\n").needs_checkout


@pytest.mark.parametrize("line", ["six", "torch>=2.0", "lib @ https://host/lib.whl", "-r a.txt"])
def test_what_comes_from_elsewhere_is_shared(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.txt").write_text("six\n")
    assert not lines(tmp_path, f"{line}\n").needs_checkout


def test_the_sdk_needs_no_server_library() -> None:
    names = " ".join(base_requirements())
    assert "msgspec" in names
    assert "aiokafka" not in names
