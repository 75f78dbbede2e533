"""What becomes a row, what is refused, and that counting needs no parser."""

import json
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runhistory.domain.events import RunStarted
from runhistory.domain.status import RunStatus
from runhistory.events.codec import encode_event
from runhistory.events.log_batch import LOG_LINES_WRITTEN, LogLinesWritten
from runhistory.events.metric_batch import MetricsLogged
from runhistory.events.record_batch import RECORDS_LOGGED, RecordsLogged
from runhistory.sink.rows import LANDINGS, Unreadable, event_row, log_row, metric_row, record_row
from tests.support.sink_world import RUN, FakeMessage, metrics
from tests.support.wire_strategies import values_of

ALLOWED = st.characters(exclude_categories=["Cc", "Cs"])
HOSTILE_KEYS = st.text(ALLOWED, min_size=1, max_size=40) | st.sampled_from(
    ['"key_index":[', '],"key_index":[1,1,1],"x":[', '"keys":[', '","', "null", '""', "\\"]
)


@st.composite
def batches(draw: st.DrawFn) -> MetricsLogged:
    keys = draw(st.lists(HOSTILE_KEYS, min_size=1, max_size=5))
    size = draw(st.integers(1, 30))
    column = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=size, max_size=size)
    return MetricsLogged(
        workspace="default",
        run_id=RUN,
        attempt=1,
        writer="w",
        seq=draw(st.integers(0, 2**53)),
        keys=keys,
        key_index=draw(st.lists(st.integers(1, len(keys)), min_size=size, max_size=size)),
        steps=draw(column),
        values=[0.5] * size,
        times=[1] * size,
    )


@given(batches(), st.integers(0, 2**31 - 1), st.integers(0, 2**63 - 1))
def test_a_row_is_the_record_and_its_place(
    batch: MetricsLogged, partition: int, offset: int
) -> None:
    value = msgspec.json.encode(batch)
    row = metric_row(FakeMessage(value, partition=partition, offset=offset, timestamp=77))
    assert b"\n" not in row.json
    place = {"_p": partition, "_o": offset, "_t": 77}
    assert json.loads(row.json) == place | json.loads(value)


@given(batches())
def test_points_and_their_memory_are_counted_without_parsing(batch: MetricsLogged) -> None:
    row = metric_row(FakeMessage(msgspec.json.encode(batch)))
    assert row.rows == len(batch.key_index)
    assert row.memory >= row.rows * max(len(key.encode()) for key in batch.keys)


def test_points_of_a_writer_with_blanks_are_counted_too_many_rather_than_too_few() -> None:
    value = json.dumps(json.loads(metrics(points=500)), indent=1).encode()
    assert metric_row(FakeMessage(value)).rows >= 500


@given(st.lists(st.text(max_size=50) | st.sampled_from(['"times":[1,1,1]', ""]), min_size=1))
def test_log_lines_are_counted(lines: list[str]) -> None:
    row = log_row(_log_message(lines))
    assert row.rows == len(lines)
    assert json.loads(row.json)["lines"] == lines


@given(values_of(RecordsLogged))
def test_a_records_value_is_kept_as_the_text_of_its_json(batch: RecordsLogged) -> None:
    value = msgspec.json.encode(batch)
    row = record_row(_record_message(value))
    found = json.loads(row.json)
    assert row.rows == len(batch.records)
    assert [json.loads(text) for text in found["values"]] == [
        record["value"] for record in json.loads(value)["records"]
    ]
    assert found["files"] == [record.file or "" for record in batch.records]
    assert found["keys"] == [record.key for record in batch.records]


@pytest.mark.parametrize("value", [None, b"{}", b'{"records":[]}', b'{"cut off'])
def test_what_is_no_batch_of_records_is_refused(value: bytes | None) -> None:
    with pytest.raises(Unreadable):
        record_row(_record_message(value))


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"[1,2]",
        b'"text"',
        b"null",
        b'{"cut off":[1,2',
        metrics().replace(b'"seq":0', b'"seq":null'),
        metrics().replace(b'"steps":[0,1]', b'"steps":[0,null]'),
        metrics().replace(b'"steps":[0,1]', b'"steps":[0,""]'),
        metrics().replace(b"[0.5,0.5]", b"[0.5,null]"),
        metrics(key="u" * 300).replace(b"[0.5,0.5]", b"[0.5,null]"),
        metrics().replace(b'"seq"', b'"sequence"'),
        metrics() + metrics(),
        metrics() + b"\n" + metrics(),
    ],
)
def test_what_clickhouse_would_misread_is_refused(value: bytes | None) -> None:
    with pytest.raises(Unreadable):
        metric_row(FakeMessage(value))


def test_a_key_may_contain_what_looks_suspicious() -> None:
    assert metric_row(FakeMessage(metrics(key='null/""/{loss}'))).rows == 2


@pytest.mark.parametrize("headers", [(), (("ce_type", b"metrics.logged.v2"),), (("x", b"y"),)])
def test_points_of_another_type_are_refused(headers: tuple[tuple[str, bytes], ...]) -> None:
    with pytest.raises(Unreadable):
        metric_row(FakeMessage(metrics(), headers=headers))


def test_a_newer_writers_fields_are_no_reason_to_refuse() -> None:
    value = metrics()[:-1] + b',"added_later":{"a":[1]}}'
    assert json.loads(metric_row(FakeMessage(value)).json)["added_later"] == {"a": [1]}


def test_an_event_keeps_its_attributes_and_its_data_as_a_string() -> None:
    message = _event_message()
    row = json.loads(event_row(message).json)
    assert row["type"] == "run.started.v1"
    assert row["data"].encode() == message.value
    assert set(row) == {
        *("_p", "_o", "_t", "id", "type", "source", "subject", "time", "data"),
    }


@pytest.mark.parametrize("missing", ["ce_id", "ce_type", "ce_source", "ce_subject", "ce_time"])
def test_an_event_without_an_attribute_is_refused(missing: str) -> None:
    event = _event_message()
    headers = tuple(header for header in event.headers if header[0] != missing)
    with pytest.raises(Unreadable, match=missing.removeprefix("ce_")):
        event_row(FakeMessage(event.value, topic="run.events", headers=headers))


@pytest.mark.parametrize("field", ["workspace", "run_id", "version", "status"])
def test_an_event_that_does_not_fit_its_type_is_refused(field: str) -> None:
    event = _event_message()
    data = {**json.loads(event.value or b""), field: None}
    with pytest.raises(Unreadable, match=field):
        event_row(FakeMessage(json.dumps(data).encode(), topic="run.events", headers=event.headers))


def test_an_event_of_a_later_version_only_has_to_name_its_run() -> None:
    data = {"workspace": "default", "run_id": RUN, "version": 9, "command_id": "c", "new": [1]}
    headers = dict(_event_message().headers) | {"ce_type": b"run.teleported.v1"}
    message = FakeMessage(
        json.dumps(data).encode(), topic="run.events", headers=tuple(headers.items())
    )
    assert json.loads(event_row(message).json)["type"] == "run.teleported.v1"
    del data["run_id"]
    with pytest.raises(Unreadable, match="run_id"):
        event_row(FakeMessage(json.dumps(data).encode(), headers=tuple(headers.items())))


def test_every_topic_has_a_table_of_its_own() -> None:
    assert len({landing.table for landing in LANDINGS.values()}) == len(LANDINGS) == 5


def _log_message(lines: list[str]) -> FakeMessage:
    value = msgspec.json.encode(
        LogLinesWritten(
            workspace="default",
            run_id=RUN,
            attempt=1,
            writer="w",
            seq=0,
            streams=["stdout"] * len(lines),
            times=[1] * len(lines),
            lines=lines,
        )
    )
    return FakeMessage(value, topic="run.logs", headers=(("ce_type", LOG_LINES_WRITTEN.encode()),))


def _record_message(value: bytes | None) -> FakeMessage:
    headers = (("ce_type", RECORDS_LOGGED.encode()),)
    return FakeMessage(value, topic="run.records", headers=headers)


def _event_message() -> FakeMessage:
    record = encode_event(
        RunStarted(
            workspace="default",
            run_id=RUN,
            version=2,
            command_id="c",
            time=datetime(2026, 1, 1, tzinfo=UTC),
            status=RunStatus.RUNNING,
            attempt=1,
            experiment_id=RUN,
        )
    )
    return FakeMessage(record.value, topic="run.events", headers=tuple(record.headers))
