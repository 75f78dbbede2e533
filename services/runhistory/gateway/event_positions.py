"""Where a subscriber is: the next offset of each partition that it reads, as text.

`run.events@0:120,3:7;run.logs@3:41` is the id of an event: a subscription that begins behind it
goes on with offset 120 of partition 0 of run.events, and so on. Nothing but Kafka is needed to
understand it, so any gateway can go on where another one stopped.
"""

import re
from collections import defaultdict
from typing import Final

from aiokafka import TopicPartition

from runhistory.kafka.log_ends import Positions
from runhistory.kafka.topics import load_topics

_TOPIC: Final = re.compile(r"([a-z_.]+)@([0-9]{1,6}:[0-9]{1,19}(?:,[0-9]{1,6}:[0-9]{1,19})*)")


class InvalidPosition(ValueError):
    """The text is no position in the log."""


def format_positions(positions: Positions) -> str:
    """The text of a position; the same position always has the same text."""
    by_topic: dict[str, list[str]] = defaultdict(list)
    for place in sorted(positions):
        by_topic[place.topic].append(f"{place.partition}:{positions[place]}")
    return ";".join(f"{topic}@{','.join(found)}" for topic, found in by_topic.items())


def parse_positions(text: str) -> Positions:
    """The opposite of `format_positions`.

    Raises:
        InvalidPosition: it has another form, or names a partition that there is not.
    """
    found: Positions = {}
    for part in text.split(";"):
        match = _TOPIC.fullmatch(part)
        topic = load_topics().get(match[1]) if match else None
        if match is None or topic is None:
            raise _invalid(text)
        for pair in match[2].split(","):
            partition, offset = map(int, pair.split(":"))
            place = TopicPartition(match[1], partition)
            if partition >= topic.partitions or offset >= 2**63 or place in found:
                raise _invalid(text)
            found[place] = offset
    return found


def _invalid(text: str) -> InvalidPosition:
    return InvalidPosition(
        f"{text[:200]!r} is no position in the log. Use the id of an event as it came; by hand it "
        "is written topic@partition:offset, such as run.events@3:1200."
    )
