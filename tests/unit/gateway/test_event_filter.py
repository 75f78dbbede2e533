"""What a subscriber gets, and which partitions are read for it."""

import json
from typing import Any

import pytest
from aiokafka import ConsumerRecord
from hypothesis import given
from hypothesis import strategies as st

from runhistory.domain.commands import COMMANDS
from runhistory.domain.events import EVENTS
from runhistory.domain.ids import experiment_id, new_run_id
from runhistory.events.cloudevents import MalformedRecord
from runhistory.events.codec import Reply
from runhistory.gateway.event_filter import InvalidFilter, make_filter, subscribable_types
from runhistory.gateway.published import Published
from runhistory.kafka.topics import load_topics, place_of

RUN, OTHER = new_run_id(), new_run_id()
BULK = ("metrics.logged.v1", "logs.written.v1")


def published(type: str = "run.completed.v1", **changes: Any) -> Published:
    data = {
        "workspace": "ws",
        "run_id": RUN,
        "experiment_id": experiment_id("ws", "first"),
        **changes,
    }
    return Published(record(type, json.dumps(data).encode()))


def record(type: str, value: bytes | None) -> Any:
    names = ("id", "type", "source", "subject", "time", "dataschema")
    headers = [(f"ce_{name}", type.encode()) for name in names]
    return ConsumerRecord(
        "run.events", 3, 41, 0, 0, RUN.encode(), value, None, 0, 0, tuple(headers)
    )


@pytest.mark.parametrize(
    ("asked", "admitted"),
    [
        ({}, True),
        ({"types": ["run.completed.v1"]}, True),
        ({"types": ["run.completed"]}, True),
        ({"types": ["run.*"]}, True),
        ({"types": ["*"]}, True),
        ({"types": ["run.failed", "run.completed"]}, True),
        ({"types": ["run.failed"]}, False),
        ({"types": ["experiment.*"]}, False),
        ({"run_ids": [OTHER, RUN]}, True),
        ({"run_ids": [OTHER]}, False),
        ({"experiments": ["first"]}, True),
        ({"experiments": ["second"]}, False),
        ({"experiments": ["first"], "types": ["run.failed"]}, False),
        ({"experiments": ["first"], "run_ids": [OTHER]}, False),
    ],
)
def test_each_condition_narrows(asked: dict[str, Any], admitted: bool) -> None:
    assert make_filter("ws", **asked).admits(published()) is admitted


def test_another_workspace_is_never_seen() -> None:
    for asked in ({}, {"types": ["*"]}, {"run_ids": [RUN]}, {"experiments": ["first"]}):
        assert not make_filter("other", **asked).admits(published())


def test_an_experiments_own_events_belong_to_it() -> None:
    own = published("experiment.created.v1", run_id=experiment_id("ws", "first"), experiment_id="")
    assert make_filter("ws", experiments=["first"]).admits(own)
    assert not make_filter("ws", experiments=["second"]).admits(own)


@given(st.sampled_from(sorted(EVENTS)), st.data())
def test_a_beginning_with_a_star_admits_exactly_what_begins_so(
    type: str, data: st.DataObject
) -> None:
    prefix = type[: data.draw(st.integers(1, len(type)))]
    wanted = make_filter("ws", types=[f"{prefix}*"])
    for other in EVENTS:
        assert wanted.admits(published(other)) is other.startswith(prefix)


@given(st.sampled_from(sorted(EVENTS)))
def test_a_type_without_its_version_means_no_other(type: str) -> None:
    wanted = make_filter("ws", types=[type.rpartition(".v")[0]])
    assert [other for other in EVENTS if wanted.admits(published(other))] == [type]


def test_what_comes_in_bulk_is_read_only_when_named() -> None:
    assert not {"run.metrics", "run.logs"} & set(make_filter("ws").topics)
    assert not {"run.metrics", "run.logs"} & set(make_filter("ws", types=["*"]).topics)
    assert make_filter("ws", types=["run.*"]).topics == ("run.events",)
    assert make_filter("ws", types=[*BULK, "run.*"]).topics == (
        "run.events",
        "run.logs",
        "run.metrics",
    )


def test_a_run_reads_its_own_partitions_alone() -> None:
    wanted = make_filter("ws", run_ids=[RUN], types=[*BULK, "run.*"])
    assert wanted.places() == sorted(
        place_of(topic, RUN) for topic in ("run.events", "run.logs", "run.metrics")
    )
    everything = make_filter("ws", types=["run.*"]).places()
    assert len(everything) == load_topics()["run.events"].partitions


def test_everything_that_happens_can_be_subscribed_to_and_no_wish() -> None:
    found = set(subscribable_types())
    assert found >= set(EVENTS) | set(BULK)
    assert not found & {*COMMANDS, Reply.TYPE}


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"types": ["run.finished"]}, "run.completed.v1"),
        ({"types": ["run.create.v1"]}, "there is no"),
        ({"types": ["metrics.*"]}, "metrics.logged.v1"),
        ({"types": [""]}, "there is no"),
        ({"types": ["metrics.logged"], "experiments": ["first"]}, "run="),
        ({"run_ids": [new_run_id() for _ in range(101)]}, "100"),
    ],
)
def test_what_cannot_be_is_refused_and_says_what_can(asked: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidFilter, match=says):
        make_filter("ws", **asked)


@pytest.mark.parametrize("value", [None, b"", b"[]", b"{", b'{"run_id":"x"}', b"\xff"])
def test_what_is_no_event_is_none(value: bytes | None) -> None:
    with pytest.raises(MalformedRecord):
        Published(record("run.completed.v1", value))


def test_a_message_is_one_line_of_json_whatever_the_client_wrote() -> None:
    value = b'{"workspace":"ws",\r\n"values":[1,\n2],"text":"a\\nb"}'
    event, data, *rest = Published(record("metrics.logged.v1", value)).message.split(b"\n")
    assert (event, rest) == (b"event: metrics.logged.v1", [b"", b""])
    found = json.loads(data.removeprefix(b"data: "))
    assert found["data"] == {"workspace": "ws", "values": [1, 2], "text": "a\nb"}
    assert found["watermark"] == "run.events/3/41"
    assert found["specversion"] == "1.0"
