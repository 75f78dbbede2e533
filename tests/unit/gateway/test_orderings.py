"""Tables that are kept: found by question and time, and never more than there is room for."""

from datetime import UTC, datetime

from runhistory.gateway.orderings import ENTRY_BYTES, Orderings
from runhistory.query.run_table import RunOrdering

TIME = datetime(2026, 11, 23, tzinfo=UTC)


def ordering(runs: int, second: int = 0) -> RunOrdering:
    return RunOrdering(TIME.replace(second=second), bytes(range(16)) * runs)


def test_one_is_found_by_its_question_and_time() -> None:
    kept = Orderings()
    kept.keep(b"a", ordering(1))
    assert kept.find(b"a", TIME) == ordering(1)
    assert kept.find(b"b", TIME) is None
    assert kept.find(b"a", TIME.replace(second=1)) is None


def test_the_one_used_longest_ago_goes() -> None:
    kept = Orderings(max_bytes=2 * ENTRY_BYTES + 32)
    for second in (0, 1):
        kept.keep(b"a", ordering(1, second))
    kept.find(b"a", TIME)
    kept.keep(b"a", ordering(1, 2))
    found = [kept.find(b"a", TIME.replace(second=second)) for second in range(3)]
    assert [one is not None for one in found] == [True, False, True]


def test_one_that_is_made_anew_takes_the_others_place() -> None:
    kept = Orderings(max_bytes=ENTRY_BYTES + 32)
    for runs in (2, 1, 2):
        kept.keep(b"a", ordering(runs))
    assert kept.find(b"a", TIME) == ordering(2)


def test_one_that_is_too_great_is_not_kept() -> None:
    kept = Orderings(max_bytes=ENTRY_BYTES)
    kept.keep(b"a", ordering(1))
    assert kept.find(b"a", TIME) is None


def test_a_window_of_an_ordering() -> None:
    found = RunOrdering(TIME, b"".join(bytes([n] * 16) for n in range(5)))
    assert found.total == 5
    assert found.window(3, 10) == ["03" * 16, "04" * 16]
    assert found.window(5, 1) == []
