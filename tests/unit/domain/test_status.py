"""FOLLOWS as a graph: it begins at NotStarted, and every way can end."""

from runhistory.domain.status import FOLLOWS, TERMINAL, RunStatus, may_follow


def reachable(start: RunStatus) -> set[RunStatus]:
    found: set[RunStatus] = set()
    open = [start]
    while open:
        for status in FOLLOWS[open.pop()] - found:
            found.add(status)
            open.append(status)
    return found


def test_every_status_has_its_successors_and_the_terminal_none() -> None:
    assert set(FOLLOWS) == set(RunStatus)
    assert {status for status, after in FOLLOWS.items() if not after} == TERMINAL


def test_all_is_reached_from_not_started_and_nothing_leads_back() -> None:
    assert reachable(RunStatus.NOT_STARTED) == set(RunStatus) - {RunStatus.NOT_STARTED}


def test_every_run_can_fail_and_be_canceled_until_it_ends() -> None:
    for status in set(RunStatus) - TERMINAL:
        assert {RunStatus.FAILED, RunStatus.CANCELED} <= reachable(status)
    for status in set(RunStatus) - TERMINAL - {RunStatus.CANCEL_REQUESTED}:
        assert RunStatus.CANCEL_REQUESTED in FOLLOWS[status]


def test_a_requested_cancel_never_completes() -> None:
    assert RunStatus.COMPLETED not in FOLLOWS[RunStatus.CANCEL_REQUESTED]


def test_staying_is_allowed_and_nothing_else_beside_the_table() -> None:
    for before in RunStatus:
        for after in RunStatus:
            assert may_follow(before, after) == (before == after or after in FOLLOWS[before])
