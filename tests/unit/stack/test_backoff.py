"""How long a process that died has to wait."""

from hypothesis import given
from hypothesis import strategies as st

from runhistory.stack.backoff import (
    FIRST_SECONDS,
    LONGEST_AFTER_READY,
    LONGEST_SECONDS,
    STABLE_SECONDS,
    Backoff,
)


def test_it_doubles_up_to_half_a_minute_while_it_never_becomes_ready() -> None:
    backoff = Backoff()

    waits = [backoff.after_run_of(0.2, was_ready=False) for _ in range(7)]
    assert waits == [1, 2, 4, 8, 16, 30, 30]


def test_one_that_became_ready_waits_for_seconds_however_often_it_dies() -> None:
    backoff = Backoff()

    waits = [backoff.after_run_of(20.0, was_ready=True) for _ in range(5)]
    assert waits == [1, 2, 4, 5, 5]


def test_a_stable_minute_starts_afresh() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.after_run_of(0.2, was_ready=False)

    assert backoff.after_run_of(STABLE_SECONDS, was_ready=True) == FIRST_SECONDS
    assert backoff.after_run_of(0.2, was_ready=False) == 2 * FIRST_SECONDS


@given(st.lists(st.tuples(st.floats(0, 1e6), st.booleans())))
def test_it_stays_within_its_bounds_and_shrinks_only_for_what_worked(
    lives: list[tuple[float, bool]],
) -> None:
    backoff, before = Backoff(), 0.0
    for life, was_ready in lives:
        wait = backoff.after_run_of(life, was_ready=was_ready)
        assert FIRST_SECONDS <= wait <= (LONGEST_AFTER_READY if was_ready else LONGEST_SECONDS)
        assert was_ready or life >= STABLE_SECONDS or wait >= before
        before = wait
