"""Tables fit the terminal, whatever its width, and lose nothing."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runhistory.cli import table as tables
from runhistory.cli import terminal
from runhistory.cli.table import Column, table

COLUMNS = (
    Column("name", least=20),
    Column("experiment"),
    Column("status", whole=True),
    Column("points", right=True),
    Column("created", optional=True),
    Column("took", right=True, optional=True),
    Column("id", whole=True),
)
Show = Callable[..., list[str]]
ID = "0193a7b8c9d0e1f2a3b4c5d6e7f80912"
ROW = ("brave_otter_7c11", "digits", "Completed", "30", "2026-11-23 10:00:00", "3 min 07 s", ID)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Show:
    def show(width: int | None, *rows: tuple[str, ...]) -> list[str]:
        monkeypatch.setattr(terminal, "width", lambda: width)
        table(COLUMNS, rows)
        return capsys.readouterr().out.splitlines()

    return show


@pytest.mark.parametrize(
    ("width", "header"),
    [
        (None, "name experiment status points created took id"),
        (120, "name experiment status points created took id"),
        (112, "name experiment status points created id"),
        (90, "name experiment status points id"),
    ],
)
def test_optional_columns_go_until_there_is_room(
    shown: Show, width: int | None, header: str
) -> None:
    lines = shown(width, ROW)
    assert lines[0].split() == header.split()
    assert lines[1].endswith(ID)
    assert all(len(line) <= (width or 1_000) for line in lines)


def test_long_cells_are_folded_at_blanks_and_ids_and_numbers_stay_whole(shown: Show) -> None:
    row = ("a name of some words and more", "an experiment of its own", *ROW[2:])
    lines = shown(96, row)
    assert all(len(line) <= 96 for line in lines)
    assert lines[1].endswith(ID)
    assert [line[:20].strip() for line in lines[1:]] == ["a name of some words", "and more"]


def test_where_folding_is_not_enough_each_row_is_a_block(shown: Show) -> None:
    lines = shown(40, ROW, ROW)
    assert lines[:3] == ["brave_otter_7c11", "  experiment: digits", "  status: Completed"]
    assert f"  id: {ID}" in lines
    assert lines[7:9] == ["", "brave_otter_7c11"]
    assert all(len(line) <= 40 for line in lines)


def test_one_line_is_one_row_in_a_pipe_whatever_the_cells_hold(shown: Show) -> None:
    assert len(shown(None, ("two\nlines", "\x1b[31mred", *ROW[2:]))) == 2
    assert "two\\nlines" in shown(None, ("two\nlines", "\x1b[31mred", *ROW[2:]))[1]


@given(st.text(max_size=200), st.integers(2, 80))
def test_a_folded_cell_has_all_its_letters_and_fits(cell: str, width: int) -> None:
    cell = terminal.harmless(cell)
    lines = tables._folded(cell, width)
    assert "".join("".join(lines).split()) == "".join(cell.split())
    assert all(tables._cell_len(line) <= width for line in lines)


@pytest.mark.parametrize(
    ("variables", "is_terminal", "has_style"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"TERM": "dumb"}, True, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "0"}, False, False),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, True, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
    ],
)
def test_colour_goes_where_it_is_wanted(
    variables: dict[str, str],
    is_terminal: bool,
    has_style: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(terminal, "is_terminal", lambda stream: is_terminal)
    table([Column("status")], [("Completed",)])
    assert ("\x1b[32mCompleted\x1b[0m" in capsys.readouterr().out) is has_style
