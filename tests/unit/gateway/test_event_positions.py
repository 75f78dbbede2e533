"""The id of an event: any position survives being written, and nothing else is read as one."""

import contextlib

import pytest
from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from runhistory.gateway.event_positions import (
    InvalidPosition,
    format_positions,
    parse_positions,
)
from runhistory.kafka.topics import load_topics, partitions_of

PLACES = [place for topic in load_topics() for place in partitions_of(topic)]
POSITIONS = st.dictionaries(st.sampled_from(PLACES), st.integers(0, 2**63 - 1), min_size=1)


@given(POSITIONS)
def test_a_position_is_read_as_it_was_written(positions: dict[TopicPartition, int]) -> None:
    text = format_positions(positions)
    assert parse_positions(text) == positions
    assert text.isascii()
    assert not set(text) & set(" \r\n\0")


@given(POSITIONS)
def test_the_order_in_which_it_was_gathered_does_not_show(
    positions: dict[TopicPartition, int],
) -> None:
    other = dict(reversed(positions.items()))
    assert format_positions(positions) == format_positions(other)


def test_it_is_as_short_as_the_docs_say() -> None:
    positions = {
        TopicPartition("run.events", 0): 120,
        TopicPartition("run.events", 3): 7,
        TopicPartition("run.logs", 3): 41,
    }
    assert format_positions(positions) == "run.events@0:120,3:7;run.logs@3:41"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "latest",
        "run.events",
        "run.events@",
        "run.events@3",
        "run.events@3:",
        "run.events@3:-1",
        "run.events@3:1 ",
        "run.events@3:1;",
        "run.events@3:1,3:2",
        "run.events@3:1;run.events@3:1",
        "run.events@8:1",
        "run.events@3:9223372036854775808",
        "run.events@3:٣",
        "nothing@0:1",
        "run.events/3/1",
    ],
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidPosition, match=r"run\.events@3:1200"):
        parse_positions(text)


@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    with contextlib.suppress(InvalidPosition):
        assert parse_positions(text)
