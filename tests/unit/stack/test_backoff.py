"""How long a process that died has to wait."""

from hypothesis import given
from hypothesis import strategies as st

from runhistory.stack.backoff import FIRST_SECONDS, LONGEST_SECONDS, STABLE_SECONDS, Backoff


def test_it_doubles_up_to_half_a_minute() -> None:
    backoff = Backoff()

    assert [backoff.after_run_of(0.2) for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]


def test_a_stable_minute_starts_afresh() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.after_run_of(0.2)

    assert backoff.after_run_of(STABLE_SECONDS) == FIRST_SECONDS
    assert backoff.after_run_of(0.2) == 2 * FIRST_SECONDS


@given(st.lists(st.floats(0, 1e6)))
def test_it_stays_within_its_bounds_and_never_shrinks_without_a_stable_life(
    lives: list[float],
) -> None:
    backoff, before = Backoff(), 0.0
    for life in lives:
        wait = backoff.after_run_of(life)
        assert FIRST_SECONDS <= wait <= LONGEST_SECONDS
        assert life >= STABLE_SECONDS or wait >= before
        before = wait
