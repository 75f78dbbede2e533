"""topics.yaml: every type lies in one topic, and the topics keep the promises of the design."""

from collections import Counter

import pytest

from runhistory.domain.commands import COMMANDS
from runhistory.domain.events import EVENTS
from runhistory.events.codec import Reply
from runhistory.events.heartbeat import Heartbeat
from runhistory.events.log_batch import LOG_LINES_WRITTEN
from runhistory.events.metric_batch import METRICS_LOGGED
from runhistory.events.node_events import NODE_EVENTS
from runhistory.events.record_batch import RECORDS_LOGGED
from runhistory.events.schemas import MESSAGES
from runhistory.kafka.topics import Topic, load_topics

TOPICS = load_topics()
KEPT = {name: topic for name, topic in TOPICS.items() if topic.retention == "for ever"}


def test_every_type_lies_in_one_topic_and_every_type_of_a_topic_has_code() -> None:
    assert Counter(type for topic in TOPICS.values() for type in topic.types) == Counter(
        list(MESSAGES)
    )


def test_types_lie_where_their_readers_look() -> None:
    assert set(TOPICS["run.commands"].types) == set(COMMANDS)
    assert set(TOPICS["run.events"].types) == set(EVENTS)
    assert TOPICS["run.replies"].types == (Reply.TYPE,)
    assert TOPICS["run.metrics"].types == (METRICS_LOGGED,)
    assert TOPICS["run.logs"].types == (LOG_LINES_WRITTEN,)
    assert TOPICS["compute.events"].types == tuple(NODE_EVENTS)
    assert TOPICS["run.heartbeats"].types == (Heartbeat.TYPE,)
    assert TOPICS["run.records"].types == (RECORDS_LOGGED,)


@pytest.mark.parametrize("name", TOPICS)
def test_a_topic_says_all_it_must(name: str) -> None:
    topic = TOPICS[name]
    assert topic.purpose
    assert topic.key == ("target_id" if name.startswith("compute.") else "run_id")
    assert topic.partitions > 0
    assert topic.retention_ms == -1 or topic.retention_ms >= 86_400_000


def test_what_is_stored_has_a_place_for_dead_letters_that_are_kept() -> None:
    letters = {name.removesuffix(".dlq") for name in TOPICS if name.endswith(".dlq")}
    stored = {name for name in KEPT if not name.endswith(".dlq")}
    kept = {"run.events", "run.metrics", "run.logs", "run.records", "compute.events"}
    assert stored == letters == kept
    assert {f"{name}.dlq" for name in letters} <= set(KEPT)


def test_a_runs_commands_and_events_lie_in_partitions_of_one_number() -> None:
    assert TOPICS["run.commands"].partitions == TOPICS["run.events"].partitions


def test_a_runs_heartbeats_and_events_lie_in_partitions_of_one_number() -> None:
    assert TOPICS["run.heartbeats"].partitions == TOPICS["run.events"].partitions
    assert TOPICS["run.heartbeats"].timestamps == "append"


def test_retention_is_read_to_the_day() -> None:
    week = Topic(purpose="", key="", partitions=1, retention="7 days", types=())
    assert week.retention_ms == 7 * 24 * 60 * 60 * 1000
