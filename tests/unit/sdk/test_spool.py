"""The spool as a state machine: whatever is appended, done, cut off or killed, in any order."""

import errno
import os
import shutil
import tempfile
from collections import deque
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from runhistory.sdk import spool as spool_module
from runhistory.sdk.batch import Attachment, Batch
from runhistory.sdk.segment import FRAME
from runhistory.sdk.spool import Spool

bodies = st.binary(max_size=60)
attachments = st.lists(
    st.builds(Attachment, st.just("images/a.png"), st.binary(max_size=9), st.just("c")), max_size=2
).map(tuple)


class SpoolMachine(RuleBasedStateMachine):
    """Beside the spool the batches that are not done. `grew` says what the last call wrote: a
    process that is killed in the middle of it leaves the file cut anywhere in there."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.model: deque[Batch] = deque()
        self.next_seq = 0
        self.can_write = True
        self.unnoted: list[Batch] = []  # done, which a full disk could not take a note of
        self.is_reopened = False
        self.write = os.pwrite

    @initialize(segment_bytes=st.integers(1, 400))
    def begin(self, segment_bytes: int) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(spool_module, "SEGMENT_BYTES", segment_bytes)
        self.patch.setattr(spool_module, "RETRY_SECONDS", 0.0)
        self.patch.setattr(os, "pwrite", self.pwrite)
        self.spool = Spool(lambda: self.folder, "points", max_bytes=10**9)

    def pwrite(self, fd: int, data: bytes, at: int) -> int:
        """As the system's, a few bytes at a time; on a full disk it takes some and then none."""
        if not self.can_write and len(data) < 20:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self.write(fd, data[: max(1, len(data) // 2)], at)

    @precondition(lambda self: not self.is_reopened)
    @rule(body=bodies, attachments=attachments, items=st.integers(1, 9))
    def append(self, body: bytes, attachments: tuple[Attachment, ...], items: int) -> None:
        batch = Batch(self.next_seq, items, body, attachments)
        self.next_seq += 1
        self.spool.append(batch)
        self.model.append(batch)

    @precondition(lambda self: self.model)
    @rule()
    def take_one_off(self) -> None:
        batch = self.spool.first()
        assert batch == self.model.popleft()
        self.spool.done(batch)
        self.unnoted = [] if self.can_write else [*self.unnoted, batch]

    @rule()
    def fill_or_empty_the_disk(self) -> None:
        self.can_write = not self.can_write

    @rule()
    def sync(self) -> None:
        self.spool.sync()

    @rule()
    def die_and_come_back(self) -> None:
        """Killed between two calls: what was held in memory is gone, all the rest is there."""
        held = self.spool.held_items
        while held:
            held -= self.model.pop().items
        was_whole = not self.spool.damage
        self.come_back()
        if was_whole:
            assert self.spool.damage == []

    @precondition(lambda self: self.model and not self.spool.held_items and self.can_write)
    @rule(cut=st.integers(1, 10_000))
    def die_in_the_middle_of_an_append(self, cut: int) -> None:
        """Killed while the last batch was written: it is gone, and what was before is there."""
        self.spool.append(Batch(self.next_seq, 1, b"half of this is on disk"))
        if self.spool.held_items:
            return self.die_and_come_back()
        last = max(self.folder.glob("*.seg"))
        size = FRAME.size + len(b"half of this is on disk") + 7
        os.truncate(last, max(0, last.stat().st_size - 1 - cut % (size - 1)))
        self.come_back()

    @precondition(lambda self: len(self.model) > 1 and not self.spool.held_items)
    @rule(cut=st.integers(1, FRAME.size))
    def die_in_the_middle_of_a_note(self, cut: int) -> None:
        """Killed while an acknowledgement was noted: the batch is there once more."""
        before = sorted(self.folder.glob("*.seg"))
        batch = self.spool.first()
        assert batch is not None
        self.spool.done(batch)
        after = sorted(self.folder.glob("*.seg"))
        if self.can_write and set(before) <= set(after):
            os.truncate(after[-1], after[-1].stat().st_size - cut)
        else:  # its segment went with it, or there is no note
            self.unnoted = [*self.unnoted, self.model.popleft()]
            if self.can_write:
                self.unnoted = []
        self.come_back()

    def come_back(self) -> None:
        self.spool.close()
        self.spool = Spool.reopen(self.folder, "points")
        self.is_reopened = True
        again = self.spool.batches - len(self.model)
        assert 0 <= again <= len(self.unnoted)
        self.model.extendleft(reversed(self.unnoted[len(self.unnoted) - again :]))
        self.unnoted = []

    @rule()
    def another_writer(self) -> None:
        if self.is_reopened:
            while (batch := self.spool.first()) is not None:
                assert batch == self.model.popleft()
                self.spool.done(batch)
            assert not self.model
            self.spool.close()
            self.is_reopened, self.unnoted = False, []
            shutil.rmtree(self.folder)
            self.folder.mkdir()
            self.spool = Spool(lambda: self.folder, "points", max_bytes=10**9)

    @invariant()
    def it_has_what_is_not_done(self) -> None:
        if hasattr(self, "spool"):
            assert self.spool.batches == len(self.model)
            assert self.spool.items == sum(batch.items for batch in self.model)
            assert self.spool.first() == (self.model[0] if self.model else None)

    def teardown(self) -> None:
        if hasattr(self, "spool"):
            self.spool.close()
            self.patch.undo()
        shutil.rmtree(self.folder)


SpoolMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestSpoolMachine = SpoolMachine.TestCase


@pytest.mark.parametrize(
    ("sync_seconds", "after_append", "after_sync", "at_the_end"),
    [(0, 1, 1, 1), (3600.0, 0, 0, 2), (1e-9, 0, 2, 2), (None, 0, 0, 0)],
)
def test_when_it_is_synced(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sync_seconds: float | None,
    after_append: int,
    after_sync: int,
    at_the_end: int,
) -> None:
    """At once, after so long, or never. Segment and folder are synced by two calls."""
    calls: list[int] = []
    monkeypatch.setattr(os, "fsync", calls.append)
    spool = Spool(lambda: tmp_path, "points", max_bytes=10**9, sync_seconds=sync_seconds)
    spool.append(Batch(0, 1, b"x"))
    assert len(calls) == after_append
    spool.sync()
    assert len(calls) == after_sync
    spool.sync(at_once=True)
    assert len(calls) == at_the_end
    spool.close()


@pytest.mark.parametrize("damage", ["a flipped bit", "deleted", "zeros"])
def test_what_is_lost_of_a_living_spool_is_said_and_the_rest_goes_on(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    damage: str,
) -> None:
    monkeypatch.setattr(spool_module, "SEGMENT_BYTES", 1)  # a segment for each batch
    spool = Spool(lambda: tmp_path, "points", max_bytes=10**9)
    for seq in range(3):
        spool.append(Batch(seq, 10, b"content"))
    path = tmp_path / "points-00000002.seg"
    if damage == "deleted":
        path.unlink()
    elif damage == "zeros":
        path.write_bytes(bytes(path.stat().st_size))
    else:
        data = bytearray(path.read_bytes())
        data[-3] ^= 1
        path.write_bytes(data)
    found = []
    while (batch := spool.first()) is not None:
        found.append(batch.seq)
        spool.done(batch)
    assert found == [0, 2]
    assert "10 points or records" in caplog.text
    spool.append(Batch(3, 1, b"more"))
    assert spool.first() == Batch(3, 1, b"more")
    spool.close()
