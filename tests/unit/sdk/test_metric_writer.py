"""Points through the writer under a gateway that fails at random, and at the ends of a process."""

import json
import logging
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runhistory.events.metric_batch import check
from runhistory.sdk import metric_writer, outbox, spool
from runhistory.sdk.errors import (
    FlushTimeout,
    InvalidMetric,
    NotFound,
    RunHistoryError,
    Unauthorized,
    Unavailable,
)
from runhistory.sdk.metric_encoding import encode
from runhistory.sdk.metric_writer import MetricWriter
from tests.support.spools import in_memory, no_end, spools_in

Points = list[tuple[str, int, float]]


class Gateway:
    """Keeps what it takes. `plan` says for each request: take it, lose the answer, or refuse."""

    def __init__(self, plan: list[str] | None = None) -> None:
        self.plan = list(plan or [])
        self.batches: dict[tuple[str, int], bytes] = {}
        self.requests = 0

    def send(self, body: bytes) -> None:
        self.requests += 1
        fate = self.plan.pop(0) if self.plan else "take"
        if fate == "down":
            raise Unavailable("nobody there", status=503)
        batch = check(body)  # the real gateway's own check
        known = self.batches.setdefault((batch.writer, batch.seq), body)
        assert known == body, "a batch changed between two tries"
        if fate == "lost answer":
            raise Unavailable("timeout")

    def points(self, writer: str) -> Points:
        found: Points = []
        for (_, _), body in sorted(item for item in self.batches.items() if item[0][0] == writer):
            batch = check(body)
            found += [
                (batch.keys[index - 1], step, float(value))
                for index, step, value in zip(
                    batch.key_index, batch.steps, batch.values, strict=True
                )
            ]
        return found

    def seqs(self, writer: str) -> list[int]:
        return sorted(seq for name, seq in self.batches if name == writer)


def no_records(batch: object) -> None:
    pytest.fail("no record was logged")


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "LONGEST_PAUSE", 0.002)


@pytest.fixture
def writer_to(tmp_path: Path) -> Iterator[Callable[..., MetricWriter]]:
    made: list[MetricWriter] = []

    def make(send: Any, max_bytes: int = 2**30) -> MetricWriter:
        made.append(
            MetricWriter(
                lambda batch: send(batch.body),
                no_records,
                no_end,
                "run r",
                spools=spools_in(tmp_path / "spool", max_bytes=max_bytes),
                interval=0.01,
            )
        )
        return made[-1]

    yield make
    for writer in made:
        writer.delivery.end()


names = st.sampled_from(["loss", "val/acc", 'quote"\\', "μ"])
values = st.floats(allow_nan=True, allow_infinity=True)
steps = st.none() | st.integers(-(2**63), 2**63 - 1)
fates = st.sampled_from(["take", "down", "lost answer"])


@settings(max_examples=60, deadline=None)
@given(
    logged=st.lists(st.tuples(names, values, steps), max_size=60),
    plan=st.lists(fates, max_size=25),
    batch_points=st.integers(1, 7),
    flush_after=st.sets(st.integers(0, 60), max_size=3),
)
def test_every_point_is_in_exactly_one_batch_in_order(
    logged: list[tuple[str, float, int | None]],
    plan: list[str],
    batch_points: int,
    flush_after: set[int],
) -> None:
    """Whatever the gateway does, it ends with every point once, in order, and seqs have no hole."""
    gateway = Gateway(plan)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outbox, "BATCH_ITEMS", batch_points)
        patch.setattr(outbox, "LONGEST_PAUSE", 0.002)
        writer = MetricWriter(
            lambda batch: gateway.send(batch.body),
            no_records,
            no_end,
            "run r",
            spools=in_memory,
            interval=0.001,
        )
        expected: Points = []
        counted: dict[str, int] = {}
        for i, (name, value, step) in enumerate(logged):
            writer.log(name, value, step)
            if step is None:
                step = counted[name] = counted.get(name, -1) + 1
            expected.append((name, step, value))
            if i in flush_after:
                writer.delivery.flush(20)
                assert same(gateway.points(writer.id), expected)
        writer.delivery.close(20)
    assert same(gateway.points(writer.id), expected)
    assert gateway.seqs(writer.id) == list(range(len(gateway.batches)))
    assert writer.delivery.waiting == ""


def poll(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def same(left: Points, right: Points) -> bool:
    """Equal, NaN being NaN."""
    return repr(left) == repr(right)


def test_points_of_many_threads_are_all_there_each_threads_in_order(
    writer_to: Callable[..., MetricWriter],
) -> None:
    gateway = Gateway(["down", "lost answer"] * 10)
    writer = writer_to(gateway.send)

    def work(number: int) -> None:
        for i in range(2_000):
            writer.log(f"thread-{number}", i)
            writer.log("shared", 1.0)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.delivery.flush(30)
    points = gateway.points(writer.id)
    for number in range(8):
        own = [(step, value) for name, step, value in points if name == f"thread-{number}"]
        assert own == [(i, float(i)) for i in range(2_000)]
    assert sorted(step for name, step, _ in points if name == "shared") == list(range(16_000))


def test_a_given_step_does_not_move_the_count(writer_to: Callable[..., MetricWriter]) -> None:
    gateway = Gateway()
    writer = writer_to(gateway.send)
    for step in (None, 100, None, -(2**63), None):
        writer.log("loss", 0.0, step)
    writer.delivery.flush(10)
    assert [step for _, step, _ in gateway.points(writer.id)] == [0, 100, 1, -(2**63), 2]


def test_a_refused_call_takes_nothing_and_counts_nothing(
    writer_to: Callable[..., MetricWriter],
) -> None:
    gateway = Gateway()
    writer = writer_to(gateway.send)
    writer.log("loss", 1.0)
    for name, value, step in (
        ("loss", {}, None),
        ("loss", "\ud800", None),
        ("loss", "x" * 60_000, None),
        ("loss", 1.0, 2**63),
        ("", 1.0, None),
    ):
        with pytest.raises(InvalidMetric):
            writer.log(name, value, step)
    with pytest.raises(InvalidMetric):
        writer.log_list("loss", [2.0, object()])
    writer.log_list("loss", [2.0, 3])
    writer.delivery.flush(10)
    assert gateway.points(writer.id) == [("loss", 0, 1.0), ("loss", 1, 2.0), ("loss", 2, 3.0)]


def test_log_returns_at_once_while_the_gateway_hangs(
    writer_to: Callable[..., MetricWriter],
) -> None:
    release = threading.Event()

    def hang(body: bytes) -> None:
        release.wait(30)

    writer = writer_to(hang)
    writer.log("loss", 0.0)
    deadline = time.monotonic() + 5
    while writer._points and time.monotonic() < deadline:
        time.sleep(0.005)  # until the thread is inside `hang`
    began = time.thread_time()
    for i in range(20_000):
        writer.log("loss", i)
    microseconds = (time.thread_time() - began) / 20_000 * 1e6
    assert microseconds < 20  # 1 to 2 on an idle machine
    with pytest.raises(FlushTimeout, match=r"20,001 points of run r"):
        writer.delivery.flush(0.05)
    release.set()
    writer.delivery.flush(30)


def test_a_batch_that_is_refused_is_dropped_loudly_and_the_rest_arrives(
    writer_to: Callable[..., MetricWriter], caplog: pytest.LogCaptureFixture
) -> None:
    gateway = Gateway()

    def send(body: bytes) -> None:
        if b'"bad"' in body:
            raise RunHistoryError("key_index counts from 1", status=400)
        gateway.send(body)

    writer = writer_to(send)
    with caplog.at_level(logging.ERROR, logger="runhistory"):
        writer.log("bad", 1.0)
        writer.delivery.flush(10)
        writer.log("good", 1.0)
        writer.delivery.flush(10)
    assert gateway.points(writer.id) == [("good", 0, 1.0)]
    assert gateway.seqs(writer.id) == [1]  # the hole shows the loss
    assert "REFUSED" in caplog.text
    assert "key_index counts from 1" in caplog.text


def test_a_404_of_the_first_moments_is_not_believed(
    writer_to: Callable[..., MetricWriter],
) -> None:
    gateway = Gateway()
    early = iter([True, True, True])

    def send(body: bytes) -> None:
        if next(early, False):
            raise NotFound("no such attempt", status=404)
        gateway.send(body)

    writer = writer_to(send)
    writer.log("loss", 1.0)
    writer.delivery.flush(10)
    assert gateway.points(writer.id) == [("loss", 0, 1.0)]


def test_a_404_that_stays_is_believed(
    writer_to: Callable[..., MetricWriter], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "DOUBT", 0.02)

    def send(body: bytes) -> None:
        raise NotFound("no such attempt", status=404)

    writer = writer_to(send)
    writer.log("loss", 1.0)
    writer.delivery.flush(10)
    assert writer.delivery.waiting == ""


def test_a_token_that_is_not_good_any_more_loses_nothing(
    writer_to: Callable[..., MetricWriter], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "DOUBT", 0.0)
    gateway, tries = Gateway(), iter(range(20))

    def send(body: bytes) -> None:
        if next(tries, None) is not None:
            raise Unauthorized("The token is wrong.", status=401)
        gateway.send(body)

    writer = writer_to(send)
    writer.log("loss", 1.0)
    writer.delivery.flush(10)
    assert gateway.points(writer.id) == [("loss", 0, 1.0)]


def test_an_unwritable_spool_is_said_once_and_everything_is_sent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "RETRY_SECONDS", 0.0)
    (tmp_path / "file").touch()
    gateway = Gateway()
    writer = MetricWriter(
        lambda batch: gateway.send(batch.body),
        no_records,
        no_end,
        "run r",
        spools=spools_in(tmp_path / "file" / "spool"),
        interval=0.001,
    )
    with caplog.at_level(logging.WARNING, logger="runhistory"):
        for i in range(3):
            writer.log("loss", i)
            writer.delivery.flush(10)
        assert len(caplog.records) == 1
        assert "RUNHISTORY_SPOOL" in caplog.text
    writer.delivery.close(10)
    assert gateway.points(writer.id) == [("loss", i, float(i)) for i in range(3)]


def test_while_the_gateway_is_away_a_batch_is_on_disk_before_it_is_sent(
    writer_to: Callable[..., MetricWriter],
) -> None:
    kept: list[int] = []

    def send(body: bytes) -> None:
        folder = writer.delivery.spools.kept_in
        assert folder is not None
        kept.append(sum(path.stat().st_size for path in folder.glob("points-*.seg")))
        assert body in next(folder.glob("points-*.seg")).read_bytes()

    writer = writer_to(send)
    writer.log("loss", 1.0)
    writer.delivery.flush(10)
    assert kept[0] > 0
    folder = writer.delivery.spools.kept_in
    assert folder is not None
    assert [path.stat().st_size for path in folder.glob("points-*.seg")] == [0]
    writer.delivery.close(10)
    assert not folder.exists()


def test_beyond_the_limit_points_are_dropped_loudly_and_counted(
    writer_to: Callable[..., MetricWriter],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(metric_writer, "MAX_WAITING", 100)
    gateway, up = Gateway(), threading.Event()

    def send(body: bytes) -> None:
        if not up.is_set():
            raise Unavailable("nobody there")
        gateway.send(body)

    writer = writer_to(send, max_bytes=1)
    with caplog.at_level(logging.WARNING, logger="runhistory"):
        writer.log("loss", -1)
        poll(lambda: writer.delivery.spools.points.batches == 1)  # and the spool is full
        for i in range(150):
            writer.log("loss", i)
        assert writer.delivery.dropped == 50
        assert "DROPPED" in caplog.text
        up.set()
        writer.delivery.flush(10)
    found = [value for _, _, value in gateway.points(writer.id)]
    assert found == [float(i) for i in range(-1, 100)]
    assert "50 points or records of run r were dropped" in caplog.text


def test_a_signal_handler_may_log_during_the_very_first_log(
    monkeypatch: pytest.MonkeyPatch, writer_to: Callable[..., MetricWriter]
) -> None:
    """The handler runs on top of the frame that starts the thread, as signal handlers do."""
    gateway = Gateway()
    writer = writer_to(gateway.send)
    start = threading.Thread.start
    started: list[threading.Thread] = []

    def interrupted(thread: threading.Thread) -> None:
        if thread.name == "runhistory-metrics":
            started.append(thread)
            signal.raise_signal(signal.SIGUSR1)
        start(thread)

    before = signal.signal(signal.SIGUSR1, lambda *_: writer.log("handler", 1.0))
    monkeypatch.setattr(writer.delivery, "_on_start", lambda: signal.raise_signal(signal.SIGUSR1))
    monkeypatch.setattr(threading.Thread, "start", interrupted)
    try:
        writer.log("loss", 0.5)
        writer.delivery.flush(5)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert same(
        gateway.points(writer.id), [("loss", 0, 0.5), ("handler", 0, 1.0), ("handler", 1, 1.0)]
    )
    assert len(started) == 1


def test_a_closed_writer_takes_points_again(writer_to: Callable[..., MetricWriter]) -> None:
    gateway = Gateway()
    writer = writer_to(gateway.send)
    for i in range(3):
        writer.log("loss", i)
        writer.delivery.close(10)
    writer.log("loss", 3)
    writer.delivery.flush(10)
    assert gateway.points(writer.id) == [("loss", i, float(i)) for i in range(4)]


def test_nan_and_infinities_are_written_by_name() -> None:
    points = [("a", 0, math.nan, 1), ("a", 1, math.inf, 1), ("a", 2, -math.inf, 1), ("a", 3, 1, 1)]
    (batch,) = encode("w", 0, points)
    assert json.loads(batch.body)["values"] == ["NaN", "Infinity", "-Infinity", 1]
    check(batch.body)


def test_batches_stay_below_the_gateways_limit_with_the_longest_names() -> None:
    points = [
        (f"{i:05d}" + "μ" * 507, 2**63 - 1, -1.2345678901234567e-300, 10**15) for i in range(5_000)
    ]
    batches = encode("w", 7, points)
    assert [batch.seq for batch in batches] == list(range(7, 7 + len(batches)))
    kept = [key for batch in batches for key in check(batch.body).keys]
    assert kept == [name for name, *_ in points]
    assert sum(batch.items for batch in batches) == 5_000
