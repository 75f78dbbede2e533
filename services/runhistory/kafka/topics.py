"""Topics as schemas/topics.yaml declares them: created when missing, checked when present.

The supervisor of a one-machine stack does so. Elsewhere `python -m runhistory.kafka.topics` is run
once before the services start, with RUNHISTORY_KAFKA and RUNHISTORY_KAFKA_REPLICATION set.
"""

import asyncio
import os
import re
import sys
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, Final, Literal

import msgspec
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from aiokafka.partitioner import DefaultPartitioner, murmur2
from msgspec import Struct

from runhistory.events.contract import schemas_directory

_DAY_MS: Final = 86_400_000
_TIMESTAMP_TYPES: Final = {"create": "CreateTime", "append": "LogAppendTime"}
MAX_MESSAGE_BYTES: Final = 4_194_304


class Topic(Struct, frozen=True, forbid_unknown_fields=True):
    """One topic. All records of a key lie in one partition (murmur2), in order.

    `timestamps`: whether a record's time is when its sender made it, or when it was appended.
    """

    purpose: str
    key: str
    partitions: int
    retention: str
    types: tuple[str, ...]
    compression: str | None = None
    timestamps: Literal["create", "append"] = "create"

    @property
    def retention_ms(self) -> int:
        """Kafka's `retention.ms`; -1 keeps for ever."""
        if self.retention == "for ever":
            return -1
        match = re.fullmatch(r"(\d+) days?", self.retention)
        if match is None:
            raise TopicsInvalid(f"retention is 'for ever' or 'N days', not {self.retention!r}")
        return int(match[1]) * _DAY_MS


class _TopicsFile(Struct, frozen=True, forbid_unknown_fields=True):
    partitioner: str
    replication: int
    topics: dict[str, Topic]


class TopicsInvalid(Exception):
    """topics.yaml, or a topic that exists already, is not as it has to be."""


@cache
def _topics_file() -> _TopicsFile:
    import yaml

    path = schemas_directory() / "topics.yaml"
    try:
        found = msgspec.convert(yaml.safe_load(path.read_text("utf-8")), _TopicsFile)
    except msgspec.ValidationError as error:
        raise TopicsInvalid(f"{path.name}: {error}") from error
    if found.partitioner != "murmur2":
        raise TopicsInvalid("the partitioner is murmur2: clients in other languages rely on it")
    if found.topics["run.commands"].partitions != found.topics["run.events"].partitions:
        raise TopicsInvalid("run.commands and run.events need the same number of partitions")
    return found


def load_topics() -> dict[str, Topic]:
    """Every topic by its name.

    Raises:
        TopicsInvalid: topics.yaml breaks a rule.
    """
    return dict(_topics_file().topics)


@cache
def partitions_of(topic: str) -> Sequence[TopicPartition]:
    """Every partition of a topic; the count is fixed, and `ensure_topics` has checked it."""
    declared = _topics_file().topics[topic]
    return tuple(TopicPartition(topic, number) for number in range(declared.partitions))


def place_of(topic: str, key: str) -> TopicPartition:
    """The partition in which all records of `key` lie: by murmur2, as for every client."""
    places = partitions_of(topic)
    numbers = range(len(places))
    return places[partition_of(key.encode(), numbers, numbers)]


def partition_of(key: bytes | None, partitions: Sequence[int], available: Sequence[int]) -> int:
    """aiokafka's default partitioner, which remembers the keys that come again and again."""
    if key is None:
        anywhere: int = DefaultPartitioner()(None, partitions, available)
        return anywhere
    return partitions[_hash(key) % len(partitions)]


@lru_cache(maxsize=65_536)
def _hash(key: bytes) -> int:
    found: int = murmur2(key) & 0x7FFFFFFF  # in Python, byte by byte
    return found


async def ensure_topics(bootstrap: str, replication: int | None = None) -> None:
    """Create the topics that are missing and check the others. Safe to repeat and to race.

    Raises:
        TopicsInvalid: a topic exists with another number of partitions.
        aiokafka.errors.KafkaError: the broker is away, or refuses.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, client_id="runhistory-topics")
    await admin.start()
    try:
        existing = set(await admin.list_topics())
        missing = {name: topic for name, topic in load_topics().items() if name not in existing}
        await _create(admin, missing, replication or _topics_file().replication)
        await _check(admin, sorted(set(load_topics()) - set(missing)))
    finally:
        await admin.close()


async def _create(admin: AIOKafkaAdminClient, topics: dict[str, Topic], replication: int) -> None:
    if not topics:
        return
    response: Any = await admin.create_topics(
        [_new_topic(name, topic, replication) for name, topic in topics.items()]
    )
    for name, code, *_ in response.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise error(f"topic {name} could not be created")


def _new_topic(name: str, topic: Topic, replication: int) -> NewTopic:
    configs = {
        "retention.ms": str(topic.retention_ms),
        "retention.bytes": "-1",
        "max.message.bytes": str(MAX_MESSAGE_BYTES),
        "cleanup.policy": "delete",
        "message.timestamp.type": _TIMESTAMP_TYPES[topic.timestamps],
        "min.insync.replicas": str(max(1, replication - 1)),
    }
    return NewTopic(
        name=name,
        num_partitions=topic.partitions,
        replication_factor=replication,
        topic_configs=configs,
    )


async def _check(admin: AIOKafkaAdminClient, names: list[str]) -> None:
    if not names:
        return
    for found in await admin.describe_topics(names):
        due = load_topics()[found["topic"]].partitions
        if len(found["partitions"]) != due:
            raise TopicsInvalid(
                f"topic {found['topic']} has {len(found['partitions'])} partitions and topics.yaml "
                f"says {due}. Partition counts are fixed for a topic's life: correct the file, or "
                "use another Kafka."
            )


def main(environment: Mapping[str, str] = os.environ) -> None:
    """Create and check the topics of RUNHISTORY_KAFKA; the exit code tells whether all is well."""
    replication = environment.get("RUNHISTORY_KAFKA_REPLICATION") or None
    if replication is not None and (not replication.isdecimal() or int(replication) < 1):
        sys.exit(
            f"RUNHISTORY_KAFKA_REPLICATION has to be a number of brokers, not {replication!r}."
        )
    if not (bootstrap := environment.get("RUNHISTORY_KAFKA")):
        sys.exit("RUNHISTORY_KAFKA has to name a broker: host:port, or several with commas.")
    try:
        asyncio.run(ensure_topics(bootstrap, int(replication) if replication else None))
    except (TopicsInvalid, KafkaError) as error:
        sys.exit(f"The topics are not as they have to be: {error}")


if __name__ == "__main__":
    main()
