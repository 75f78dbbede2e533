"""Curves in a line of text."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runhistory.cli.sparkline import BARS, PLAIN_BARS, bars_for, sparkline


@pytest.mark.parametrize(
    ("values", "drawn"),
    [
        ([], ""),
        ([1.0], "▄"),
        ([2, 2, 2], "▄▄▄"),
        ([0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█"),
        ([7, 0], "█▁"),
        ([0, math.nan, 7], "▁!█"),
        ([math.inf, math.nan], "!!"),
        ([-1e308, 1e308], "▁█"),
        ([1e308, 1e308], "▄▄"),
    ],
)
def test_known_curves(values: list[float], drawn: str) -> None:
    assert sparkline(values) == drawn


def test_many_values_are_drawn_as_means_of_equal_shares() -> None:
    assert sparkline([0, 0, 7, 7, 0, 0, math.nan, 7], width=4) == "▁█▁█"


@given(st.lists(st.floats(), max_size=200), st.integers(1, 40))
def test_any_values_fit(values: list[float], width: int) -> None:
    drawn = sparkline(values, width)
    assert len(drawn) == min(len(values), width)
    assert set(drawn) <= set(BARS) | {"!"}


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=24))
def test_a_higher_value_never_has_a_lower_bar(values: list[int]) -> None:
    drawn = sparkline(values, width=24)
    pairs = sorted(zip(values, (BARS.index(bar) for bar in drawn), strict=True))
    assert [bar for _, bar in pairs] == sorted(bar for _, bar in pairs)


def test_a_terminal_without_block_letters_gets_plain_ones() -> None:
    assert bars_for("utf-8") == BARS
    assert bars_for("latin-1") == PLAIN_BARS
    assert bars_for(None) == PLAIN_BARS
