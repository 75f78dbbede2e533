"""What is kept of runs is as new as all replies that have passed, whatever overtakes what."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    precondition,
    rule,
)

from runhistory.domain.status import RunStatus
from runhistory.events.codec import Reply
from runhistory.gateway.run_cache import ENTRY_BYTES, GONE, Answer, RunCache

WORKSPACE = "default"
RUNS = [f"{number:032x}" for number in range(3)]


def reply(run_id: str, offset: int | None, **changes: Any) -> Reply:
    head = {
        "workspace": WORKSPACE,
        "run_id": run_id,
        "command_id": "c",
        "outcome": "accepted",
        "time": datetime.now(UTC),
        "version": 1,
        "status": RunStatus.RUNNING,
        "watermark": None if offset is None else f"run.events/0/{offset}",
    }
    return Reply(**{**head, **changes})


@dataclass
class _Log:
    """What lies in run.events and in run.replies: the truth."""

    events: list[tuple[str, bool]] = field(default_factory=list)  # run, and whether it is deleted
    replies: list[Reply] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)  # events that there were with each reply

    def newest(self, run_id: str, end: int) -> int:
        """The offset of the run's last event before `end`; -1: there is none."""
        mine = [offset for offset, (run, _) in enumerate(self.events[:end]) if run == run_id]
        return mine[-1] if mine else -1

    def answer(self, run_id: str, end: int) -> Answer | None:
        """What ClickHouse answers when it has all before `end`."""
        offset = self.newest(run_id, end)
        if offset < 0:
            return None
        return GONE if self.events[offset][1] else Answer(offset, b"%010d" % offset)

    def reply_to(self, run_id: str, **changes: Any) -> None:
        said = reply(run_id, self.newest(run_id, len(self.events)), **changes)
        self.replies.append(said)
        self.lengths.append(len(self.events))


@dataclass
class _Reader:
    run_id: str
    answer: Answer | None = None


class SmallWorld(RuleBasedStateMachine):
    """A log, its replies, a sink and readers, each at its own pace; and a cache for one run."""

    max_bytes = ENTRY_BYTES + 20
    readers: Bundle[_Reader] = Bundle("readers")

    def __init__(self) -> None:
        super().__init__()
        self.cache = RunCache(self.max_bytes)
        self.log = _Log()
        self.heard = 0  # replies that passed
        self.stored = 0  # events that ClickHouse has
        self.given = dict.fromkeys(RUNS, -1)  # the newest that a reader got since a beginning

    # ---- commands, at a lifecycle

    @rule(
        run_id=st.sampled_from(RUNS),
        events=st.integers(1, 3),
        deletes=st.sampled_from([False] * 5 + [True]),
    )
    def a_command_is_accepted(self, run_id: str, events: int, deletes: bool) -> None:
        if not self._is_deleted(run_id):
            self.log.events += [(run_id, False)] * (events - 1) + [(run_id, deletes)]
            self.log.reply_to(run_id)

    @precondition(lambda self: self.log.events)
    @rule(event=st.integers(0, 50), outcome=st.sampled_from(["accepted", "unchanged", "refused"]))
    def a_command_changes_nothing(self, event: int, outcome: str) -> None:
        """An old one's retry among them, which brings the old version, but the newest place."""
        run_id, _ = self.log.events[event % len(self.log.events)]
        self.log.reply_to(run_id, outcome=outcome)

    # ---- the follower

    @precondition(lambda self: self.heard < len(self.log.replies))
    @rule(count=st.integers(1, 3))
    def replies_are_heard(self, count: int) -> None:
        for said in self.log.replies[self.heard : self.heard + count]:
            self.cache.hear(said)
            self.heard += 1

    @rule(missed=st.integers(0, 2))
    def the_following_begins_anew(self, missed: int) -> None:
        """After an interruption, or in a new process: then replies may have been missed."""
        self.heard = min(len(self.log.replies), self.heard + missed)
        self.cache.clear()
        self.given = dict.fromkeys(RUNS, -1)

    # ---- the sink

    @precondition(lambda self: self.stored < len(self.log.events))
    @rule(count=st.integers(1, 5))
    def the_sink_inserts(self, count: int) -> None:
        self.stored = min(len(self.log.events), self.stored + count)

    # ---- readers

    @rule(target=readers, run_id=st.sampled_from(RUNS))
    def clickhouse_answers(self, run_id: str) -> _Reader:
        return _Reader(run_id, self.log.answer(run_id, self.stored))

    @rule(reader=consumes(readers))
    def a_reader_is_answered(self, reader: _Reader) -> None:
        """At any time later, in any order."""
        if reader.answer is not None:
            self.cache.learn((WORKSPACE, reader.run_id), reader.answer)
            newest = max(self.given[reader.run_id], reader.answer.offset)
            self.given[reader.run_id] = newest

    @rule(run_id=st.sampled_from(RUNS))
    def all_is_heard_and_stored(self, run_id: str) -> None:
        """Keeping is worth something: this is how it is nearly always."""
        self.stored = len(self.log.events)
        self.replies_are_heard(len(self.log.replies))
        if self.log.newest(run_id, self.stored) >= 0:
            self.log.reply_to(run_id, outcome="refused")
            self.replies_are_heard(1)
        reader = self.clickhouse_answers(run_id)
        self.a_reader_is_answered(reader)
        expected = reader.answer.body or None if reader.answer else None
        assert self.cache.find((WORKSPACE, run_id)) == expected

    # ---- what has to hold

    @invariant()
    def nothing_kept_is_older_than_a_reply_that_passed(self) -> None:
        """Those that were missed count as well."""
        end = self.log.lengths[self.heard - 1] if self.heard else 0
        for run_id, offset in self._kept().items():
            assert offset >= self.log.newest(run_id, end)

    @invariant()
    def memory_is_bounded(self) -> None:
        assert len(self._kept()) <= 1

    def _kept(self) -> dict[str, int]:
        found = {run_id: self.cache.find((WORKSPACE, run_id)) for run_id in RUNS}
        return {run_id: int(body) for run_id, body in found.items() if body is not None}

    def _is_deleted(self, run_id: str) -> bool:
        return any(is_deleted for run, is_deleted in self.log.events if run == run_id)


class LargeWorld(SmallWorld):
    """Where nothing has to be forgotten."""

    max_bytes = 1 << 20

    @invariant()
    def nothing_kept_is_older_than_an_answer_that_was_given(self) -> None:
        for run_id, offset in self._kept().items():
            assert offset >= self.given[run_id]

    @invariant()
    def memory_is_bounded(self) -> None:
        assert len(self._kept()) <= len(RUNS)


TestSmallWorld = SmallWorld.TestCase
TestLargeWorld = LargeWorld.TestCase
for _case in (TestSmallWorld, TestLargeWorld):
    _case.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)

RUN = (WORKSPACE, RUNS[0])


def test_what_was_read_is_kept_until_a_reply_names_a_later_event() -> None:
    cache = RunCache()
    cache.hear(reply(RUNS[0], 4))
    cache.learn(RUN, Answer(4, b"one"))
    assert cache.find(RUN) == b"one"
    cache.hear(reply(RUNS[1], 7))
    cache.hear(reply(RUNS[0], 4, outcome="refused"))
    assert cache.find(RUN) == b"one"
    cache.hear(reply(RUNS[0], 9))
    assert cache.find(RUN) is None


def test_what_clickhouse_told_before_it_had_the_newest_is_not_kept() -> None:
    cache = RunCache()
    cache.hear(reply(RUNS[0], 4))
    cache.learn(RUN, Answer(3, b"old"))
    assert cache.find(RUN) is None


def test_of_a_run_that_no_reply_was_about_nothing_is_kept() -> None:
    cache = RunCache()
    cache.learn(RUN, Answer(4, b"one"))
    assert cache.find(RUN) is None
    cache.hear(reply(RUNS[0], 4, workspace="another"))
    cache.learn(RUN, Answer(4, b"one"))
    assert cache.find(RUN) is None


@pytest.mark.parametrize("nothing", [{"watermark": None}, {"status": None}])
def test_replies_about_no_run_are_passed_over(nothing: dict[str, None]) -> None:
    cache = RunCache()
    cache.hear(reply(RUNS[0], 4, **nothing))
    cache.learn(RUN, Answer(4, b"one"))
    assert cache.find(RUN) is None


def test_what_was_found_least_lately_is_forgotten_first() -> None:
    cache = RunCache(max_bytes=2 * (ENTRY_BYTES + 3))
    for number, run_id in enumerate(RUNS):
        cache.hear(reply(run_id, number))
        cache.learn((WORKSPACE, run_id), Answer(number, b"one"))
        cache.find(RUN)
    assert [cache.find((WORKSPACE, run_id)) for run_id in RUNS] == [b"one", None, b"one"]


def test_one_that_is_too_large_is_not_kept_at_all() -> None:
    cache = RunCache(max_bytes=ENTRY_BYTES + 2)
    cache.hear(reply(RUNS[0], 4))
    cache.learn(RUN, Answer(4, b"one"))
    assert cache.find(RUN) is None


def test_a_run_that_a_reader_was_told_is_deleted_does_not_come_back() -> None:
    """The reply to the deletion has not passed, and a reading from before ends."""
    cache = RunCache()
    cache.hear(reply(RUNS[0], 4))
    cache.learn(RUN, Answer(4, b"one"))
    cache.learn(RUN, GONE)
    cache.learn(RUN, Answer(4, b"one"))
    assert cache.find(RUN) is None
