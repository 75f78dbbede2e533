"""What of each attempt a curve shows, and the grid that it is drawn on."""

from hypothesis import given
from hypothesis import strategies as st

from runhistory.query.curve_plan import (
    LEAST,
    MOST,
    Beginning,
    CurveName,
    Segment,
    grid_width,
    make_segments,
)

STEPS = st.integers(LEAST, MOST)


@given(STEPS, STEPS, st.integers(2, 5_000))
def test_a_grid_has_no_more_buckets_than_asked_for(first: int, last: int, buckets: int) -> None:
    first, last = sorted((first, last))
    width = grid_width(first, last, buckets)
    assert last // width - first // width + 1 <= buckets
    assert str(width).rstrip("0") in {"1", "2", "5"}


@given(st.integers(0, 10**9), st.integers(10, 5_000))
def test_a_grid_is_not_much_coarser_than_asked_for(last: int, buckets: int) -> None:
    width = grid_width(0, last, buckets)
    assert width == 1 or width <= 2.5 * (last / (buckets - 1) + 1)


def shown(first_steps: list[int], step: int) -> list[int]:
    """The attempts (from 1) that a step is shown of."""
    beginnings = [Beginning("r", "k", n, first) for n, first in enumerate(first_steps, start=1)]
    _, segments = make_segments(beginnings, "latest")
    return [one.attempt for one in segments if one.low <= step <= one.high]


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=5), st.integers(-12, 12))
def test_a_step_shows_the_newest_attempt_that_has_begun(first_steps: list[int], step: int) -> None:
    begun = [n for n, first in enumerate(first_steps, start=1) if first <= step]
    # Before all beginnings no attempt has a point, whatever is shown there.
    assert not begun or shown(first_steps, step) == [max(begun)]


def test_attempts_side_by_side_and_one_alone() -> None:
    beginnings = [Beginning("r", "k", 2, 5), Beginning("r", "k", 1, 0), Beginning("r", "a", 1, 0)]
    names, segments = make_segments(beginnings, "all")
    assert names == [CurveName("r", "a", 1), CurveName("r", "k", 1), CurveName("r", "k", 2)]
    assert segments[2] == Segment(2, "r", "k", 2, LEAST, MOST)
    names, segments = make_segments(beginnings, 2)
    assert names == [CurveName("r", "k")]
    assert segments == [Segment(0, "r", "k", 2, LEAST, MOST)]


def test_an_attempt_that_a_later_one_hides_wholly_is_not_read() -> None:
    _, segments = make_segments([Beginning("r", "k", 1, LEAST), Beginning("r", "k", 2, LEAST)],
                                "latest")  # fmt: skip
    assert [one.attempt for one in segments] == [2]
