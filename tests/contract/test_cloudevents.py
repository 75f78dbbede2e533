"""The headers of every record: all of CloudEvents' attributes, derived from the message."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runhistory.domain.commands import COMMANDS
from runhistory.domain.events import EVENTS
from runhistory.events.cloudevents import MalformedRecord, Record, attribute, format_time
from runhistory.events.codec import (
    LIFECYCLE_SOURCE,
    Reply,
    Watermark,
    decode_command,
    decode_event,
    decode_reply,
    encode_command,
    encode_event,
    encode_reply,
)
from tests.support import wire
from tests.support.wire_strategies import ZONES, values_of

COMPLETE = {
    "ce_specversion",
    "ce_id",
    "ce_type",
    "ce_source",
    "ce_subject",
    "ce_time",
    "ce_dataschema",
    "content-type",
}


def attributes(record: Record, type: str) -> dict[str, str]:
    """The record's headers, when they are complete and stand once each."""
    found = {name: value.decode() for name, value in record.headers}
    assert set(found) == COMPLETE
    assert len(found) == len(record.headers)
    assert found["ce_specversion"] == "1.0"
    assert found["content-type"] == "application/json"
    assert found["ce_type"] == type
    assert found["ce_dataschema"] == wire.schema(type)["$id"]
    assert urlsplit(found["ce_dataschema"]).scheme == "urn"
    assert found["ce_source"]
    assert record.key.decode() == found["ce_subject"] == json.loads(record.value)["run_id"]
    assert datetime.fromisoformat(found["ce_time"]).utcoffset() == UTC.utcoffset(None)
    return found


@given(st.data())
@settings(max_examples=10, deadline=None)
@pytest.mark.parametrize("type", sorted(EVENTS))
def test_an_events_headers_follow_from_the_event(type: str, data: st.DataObject) -> None:
    event = data.draw(values_of(EVENTS[type]))
    record = encode_event(event)
    found = attributes(record, type)
    assert found["ce_id"] == f"{event.run_id}:{event.version}"
    assert found["ce_source"] == LIFECYCLE_SOURCE
    assert datetime.fromisoformat(found["ce_time"]) == event.time
    assert encode_event(event) == record
    assert decode_event(record.headers, record.value) == event


@given(st.data())
@settings(max_examples=10, deadline=None)
@pytest.mark.parametrize("type", sorted(COMMANDS))
def test_a_commands_headers_carry_its_id_and_its_source(type: str, data: st.DataObject) -> None:
    command = data.draw(values_of(COMMANDS[type]))
    record = encode_command(command, "runhistory/gateway")
    found = attributes(record, type)
    assert found["ce_id"] == command.command_id
    assert found["ce_source"] == "runhistory/gateway"
    assert decode_command(record.headers, record.value) == command


@given(values_of(Reply))
@settings(deadline=None)
def test_a_replys_headers_follow_from_the_reply(reply: Reply) -> None:
    record = encode_reply(reply)
    found = attributes(record, Reply.TYPE)
    assert found["ce_id"] == f"reply:{reply.command_id}"
    assert datetime.fromisoformat(found["ce_time"]) == reply.time
    assert decode_reply(record.value) == reply


MALFORMED: dict[str, tuple[Iterable[tuple[str, bytes]], bytes]] = {
    "no type": ([], b"{}"),
    "unknown type": ([("ce_type", b"run.exploded.v1")], b"{}"),
    "type no UTF-8": ([("ce_type", b"\xff")], b"{}"),
    "no JSON": ([("ce_type", b"run.completed.v1")], b"\xff"),
    "empty": ([("ce_type", b"run.completed.v1")], b""),
    "another's data": ([("ce_type", b"run.completed.v1")], b'{"run_id":1}'),
    "no object": ([("ce_type", b"run.completed.v1")], b"[]"),
    "huge nesting": ([("ce_type", b"run.completed.v1")], b'{"x":' + b"[" * 100_000),
}


@pytest.mark.parametrize(("headers", "value"), MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_no_event_of_ours_is_malformed(
    headers: list[tuple[str, bytes]], value: bytes
) -> None:
    with pytest.raises(MalformedRecord):
        decode_event(headers, value)


def test_an_absent_attribute_is_named() -> None:
    with pytest.raises(MalformedRecord, match="subject"):
        attribute([("ce_id", b"1")], "subject")


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=ZONES))
def test_times_keep_their_microseconds_in_utc(time: datetime) -> None:
    text = format_time(time)
    assert text.endswith("Z")
    assert len(text) == len("2026-11-23T19:05:38.000001Z")
    assert datetime.fromisoformat(text) == time


@given(st.from_regex(r"[a-z./-]{1,20}", fullmatch=True), st.integers(0), st.integers(0))
def test_watermarks_come_back_from_their_text(topic: str, partition: int, offset: int) -> None:
    mark = Watermark(topic, partition, offset)
    assert Watermark.parse(str(mark)) == mark


@pytest.mark.parametrize("text", ["", "a", "a/1", "/1/2", "a/-1/2", "a/1/x", "a/1/2/", "a/1/²"])
def test_other_texts_are_no_watermarks(text: str) -> None:
    with pytest.raises(ValueError, match="topic/partition/offset"):
        Watermark.parse(text)
