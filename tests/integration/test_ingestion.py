"""Did everything arrive? The answer against a plain recomputation of what was inserted."""

import uuid
from collections import defaultdict
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runhistory.clickhouse.client import open_client
from runhistory.clickhouse.storages import FIRST_STORAGE
from runhistory.domain.ids import new_run_id
from runhistory.domain.ingestion import (
    MOST_LISTED,
    ChangedBatch,
    Ingestion,
    SeqRange,
    WriterIngestion,
)
from runhistory.query.ingestion import load_ingestion
from tests.conftest import Engine
from tests.support.landing import Row, insert, log_row, metric_row, record_row

pytestmark = pytest.mark.infrastructure

LANDINGS = {
    "run.metrics": "metrics_landing",
    "run.records": "records_landing",
    "run.logs": "logs_landing",
}
RECEIVED = datetime(2025, 11, 24, 16, 0, tzinfo=UTC)
"""Kafka's time of every row of tests.support.landing."""

Sent = tuple[str, int, str, int, int]
"""Topic, attempt, writer, seq, and which of several contents."""

SENT = st.lists(
    st.tuples(
        st.sampled_from(sorted(LANDINGS)),
        st.integers(1, 2),
        st.sampled_from(["w0", "w1"]),
        st.integers(0, 12) | st.just(2**53),
        st.integers(0, 2),
    ),
    min_size=1,
    max_size=30,
)


@pytest.fixture
def client(engine: Engine) -> Client:
    return open_client(engine.url)


def _row(workspace: str, run_id: str, sent: Sent) -> Row:
    """A message with content + 1 elements."""
    topic, attempt, writer, seq, content = sent
    numbers = range(content + 1)
    match topic:
        case "run.logs":
            row = log_row(workspace, run_id, seq, [("stdout", str(n)) for n in numbers], attempt)
        case "run.records":
            records: list[Row] = [{"key": "k", "value": str(n)} for n in numbers]
            row = record_row(workspace, run_id, seq, records, attempt)
        case _:
            n = content + 1
            batch = {"seq": seq, "keys": ["k"], "key_index": [1] * n, "steps": [*numbers]}
            more = {"values": ["NaN"] * n, "times": [1] * n}
            row = metric_row(workspace, run_id, {**batch, **more}, attempt)
    return {**row, "writer": writer}


def _expected(sent: list[Sent]) -> Ingestion:
    by_writer: dict[tuple[int, str, str], dict[int, list[int]]] = defaultdict(dict)
    for topic, attempt, writer, seq, content in sent:
        contents = by_writer[attempt, writer, topic].setdefault(seq, [])
        if content not in contents:
            contents.append(content)
    writers = [_expected_writer(*writer, batches) for writer, batches in sorted(by_writer.items())]
    return Ingestion(writers, all(writer.is_whole for writer in writers))


def _expected_writer(
    attempt: int, writer: str, topic: str, batches: dict[int, list[int]]
) -> WriterIngestion:
    missing = [
        SeqRange(before + 1, after - 1)
        for before, after in pairwise([-1, *sorted(batches)])
        if after - before > 1
    ]
    changed = [ChangedBatch(s, len(c)) for s, c in sorted(batches.items()) if len(c) > 1]
    return WriterIngestion(
        topic=topic,
        attempt=attempt,
        writer=writer,
        batches=len(batches),
        points=sum(contents[0] + 1 for contents in batches.values()),
        last_seq=max(batches),
        first_received=RECEIVED,
        last_received=RECEIVED,
        missing_batches=max(batches) + 1 - len(batches),
        missing=missing,
        changed_batches=len(changed),
        changed=changed,
    )


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(sent=SENT, data=st.data())
def test_what_arrived_is_what_python_counts(
    client: Client, sent: list[Sent], data: st.DataObject
) -> None:
    """Whatever is inserted again, in whatever order, before and after merges."""
    workspace, run_id = f"w{uuid.uuid4().hex}", new_run_id()
    rows = [(one[0], _row(workspace, run_id, one)) for one in sent]
    order = data.draw(st.permutations(rows + rows[: len(rows) // 2]))
    for part in (order[: len(rows)], order[len(rows) :]):
        for topic in {topic for topic, _ in part}:
            insert(client, LANDINGS[topic], [row for of, row in part if of == topic])
    expected = _expected(sent)

    assert load_ingestion(client, workspace=workspace, run_id=run_id) == expected
    client.command(f"OPTIMIZE TABLE {FIRST_STORAGE}.batches FINAL")
    assert load_ingestion(client, workspace=workspace, run_id=run_id) == expected


def test_of_many_holes_the_first_are_listed_and_all_are_counted(client: Client) -> None:
    workspace, run_id = f"w{uuid.uuid4().hex}", new_run_id()
    sent: list[Any] = [("run.logs", 1, "w", seq, 0) for seq in range(1, 3 * MOST_LISTED, 2)]
    insert(client, "logs_landing", [_row(workspace, run_id, one) for one in sent])

    (writer,) = load_ingestion(client, workspace=workspace, run_id=run_id).writers

    assert writer.missing_batches == len(sent)
    assert writer.missing == [SeqRange(seq, seq) for seq in range(0, 2 * MOST_LISTED, 2)]
    assert not writer.is_whole


def test_a_run_without_batches_is_whole(client: Client) -> None:
    assert load_ingestion(client, workspace="none", run_id="0" * 32) == Ingestion([], True)
