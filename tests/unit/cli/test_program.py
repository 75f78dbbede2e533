"""How the command line names itself in what it suggests, and how tables fit a terminal."""

import os
import sys
from pathlib import Path

import pytest

from runhistory.cli import console


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The program in a virtual environment below the current folder, and none on PATH."""
    monkeypatch.chdir(tmp_path)
    program = tmp_path / ".venv/bin/runhistory"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    monkeypatch.setattr(sys, "argv", [str(program), "runs"])
    monkeypatch.setenv("PATH", "/nowhere")
    return program


def test_a_program_below_this_folder_is_named_from_here(installed: Path) -> None:
    assert console.program() == ".venv/bin/runhistory"


def test_a_program_elsewhere_is_named_as_it_was_called(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert console.program() == str(installed)
    monkeypatch.setattr(sys, "argv", ["../.venv/bin/runhistory"])
    assert console.program() == "../.venv/bin/runhistory"


def test_a_program_in_this_very_folder_can_be_pasted(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(installed.parent)
    assert console.program() == "./runhistory"


def test_a_path_with_a_blank_is_quoted(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "my env/runhistory")])
    assert console.program() == "'my env/runhistory'"


def test_a_program_on_the_path_has_its_name(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(installed.parent))
    assert console.program() == "runhistory"


def test_another_program_of_that_name_on_the_path_is_not_ours(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other/runhistory"
    other.parent.mkdir()
    other.touch(mode=0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(other.parent), str(installed.parent)]))
    assert console.program() == ".venv/bin/runhistory"


def test_an_error_of_another_room_can_be_pasted_too(
    installed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    console.error("Start it with `runhistory up`.")
    assert capsys.readouterr().err == "Error: Start it with `.venv/bin/runhistory up`.\n"
