"""Which run comes next, and what a worker knows of the runs on its target."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runhistory.domain.commands import (
    CancelRun,
    ClaimRun,
    Command,
    CompleteRun,
    CreateRun,
    FailRun,
    ReportExit,
    SetTags,
    StartRun,
)
from runhistory.domain.decide import Accepted, Context, decide
from runhistory.domain.events import Event
from runhistory.domain.ids import new_command_id, new_run_id
from runhistory.domain.state import OutOfOrder, State, evolve
from runhistory.domain.status import TERMINAL, RunStatus
from runhistory.domain.values import Resources, RunContent, RunError, ScriptSpec
from runhistory.worker.board import Board, KnownRun, first_fit
from runhistory.worker.gpus import Capacity

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CLAIM = "claim-1"


def history(*commands: type[Command], target: str = "local", minutes: int = 0) -> list[Event]:
    """The events of one script run that gets these commands after its creation."""
    run_id, state, events = new_run_id(), None, []
    fields = {
        ClaimRun: {"claim_id": CLAIM, "worker_id": "worker-1"},
        StartRun: {"claim_id": CLAIM},
        ReportExit: {"claim_id": CLAIM, "exit_code": 0},
        CompleteRun: {"claim_id": CLAIM},
        FailRun: {"claim_id": CLAIM, "error": RunError("X", "x")},
        SetTags: {"tags": {"a": "b"}},
        CreateRun: {
            "content": RunContent(
                type="script",
                experiment="e",
                spec=ScriptSpec(script="a.py", snapshot_id="0" * 64, compute_target=target),
            )
        },
    }
    context = Context(NOW + timedelta(minutes=minutes))
    for kind in (CreateRun, *commands):
        command = kind(
            workspace="default",
            run_id=run_id,
            command_id=new_command_id(),
            **fields.get(kind, {}),  # type: ignore[arg-type]
        )
        decision = decide(state, command, context)
        assert isinstance(decision, Accepted), decision
        for event in decision.events:
            state: State | None = evolve(state, event)  # type: ignore[no-redef]
            events.append(event)
    return events


def board_after(*histories: list[Event]) -> Board:
    board = Board("local")
    for events in histories:
        for event in events:
            board.apply(event, 0)
    return board


def test_the_queue_is_first_come_first() -> None:
    late, early = history(minutes=2), history(minutes=1)
    assert [run.run_id for run in board_after(late, early).queue()] == [
        early[0].run_id,
        late[0].run_id,
    ]


def test_runs_of_other_targets_and_claimed_ones_do_not_wait_here() -> None:
    assert board_after(history(target="other"), history(ClaimRun)).queue() == []


@pytest.mark.parametrize(
    "commands",
    [(CancelRun,), (ClaimRun, FailRun), (ClaimRun, StartRun, ReportExit, CompleteRun)],
)
def test_what_is_over_is_forgotten_and_stays_so(commands: tuple[type[Command], ...]) -> None:
    events = history(*commands, SetTags)
    board = board_after(events)
    assert board.get(events[0].run_id) is None
    assert board.queue() == []


def test_a_cancel_is_told_and_the_holder_known() -> None:
    events = history(ClaimRun, StartRun, CancelRun)
    board = board_after(events[:-1])
    run = board.apply(events[-1], 0)
    assert run is not None
    assert (run.status, run.claim_id) == (RunStatus.CANCEL_REQUESTED, CLAIM)
    assert board.held_by("worker-1") == [run]
    assert board.held_by("worker-2") == []


@given(st.integers(0, 5), st.integers(0, 5))
def test_what_comes_twice_changes_nothing(start: int, count: int) -> None:
    events = history(ClaimRun, StartRun)
    once, twice = board_after(events), board_after(events, events[start : start + count])
    assert once.get(events[0].run_id) == twice.get(events[0].run_id)


def test_a_hole_is_noticed_and_the_partition_can_be_read_anew() -> None:
    events = history(ClaimRun, StartRun)
    board = board_after(events[:2])
    with pytest.raises(OutOfOrder):
        board.apply(events[3], 0)
    board.forget(0)
    for event in events:
        board.apply(event, 0)
    run = board.get(events[0].run_id)
    assert run is not None
    assert run.status is RunStatus.RUNNING
    assert run.status not in TERMINAL


def waiting(slots: int, gpus: int) -> KnownRun:
    spec = ScriptSpec(
        script="a.py", snapshot_id="0" * 64, resources=Resources(slots=slots, gpus=gpus)
    )
    return KnownRun(
        workspace="default",
        run_id=new_run_id(),
        experiment="e",
        spec=spec,
        version=3,
        status=RunStatus.QUEUED,
        attempt=0,
    )


queues = st.lists(st.builds(waiting, st.integers(1, 4), st.integers(0, 4)), max_size=8)


@given(queues, st.integers(0, 4), st.integers(0, 4))
def test_the_first_that_fits_is_taken(queue: list[KnownRun], slots: int, gpus: int) -> None:
    fits = [r for r in queue if r.resources.slots <= slots and r.resources.gpus <= gpus]
    assert first_fit(queue, slots, gpus) is (fits[0] if fits else None)


@given(queues, st.integers(1, 4), st.integers(0, 4), st.data())
def test_nothing_is_lent_twice_and_all_comes_back(
    tmp_path_factory: pytest.TempPathFactory,
    queue: list[KnownRun],
    slots: int,
    gpus: int,
    data: st.DataObject,
) -> None:
    locks = tmp_path_factory.mktemp("locks")
    capacity = Capacity(slots, [f"GPU-{number}" for number in range(gpus)], locks)
    leases = []
    while run := first_fit(queue, capacity.free_slots, capacity.free_gpus):
        queue.remove(run)
        lease = capacity.take(run.resources)
        assert lease is not None
        leases.append(lease)
        lent = [uuid for lease in leases for uuid in lease.gpus]
        assert len(lent) == len(set(lent))
        assert sum(lease.slots for lease in leases) + capacity.free_slots == slots
        if data.draw(st.booleans()):
            capacity.give_back(leases.pop(data.draw(st.integers(0, len(leases) - 1))))
    for lease in leases:
        capacity.give_back(lease)
    assert (capacity.free_slots, capacity.free_gpus) == (slots, gpus)
