"""Make the sinks' consumer group begin a new generation; see where a group stands.

A member joins the group, for a topic that no sink reads, so that it takes nothing away from them.
Kafka lets the group begin a new generation with it and refuses whatever a sink still commits in
the old one: whoever was frozen in the middle of a cycle comes too late. When the member leaves,
that is a new generation again. As long as it stays the group is never empty, so nobody can commit
without being a member.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from runhistory.kafka.clients import close, open_consumer
from runhistory.sink.group import GROUP, TopicOffsets

TOPIC: Final = "run.metrics.dlq"
"""One that no sink reads."""
PATIENCE_SECONDS: Final = 60.0
"""A member that is frozen is missed for its session's length (10 s)."""


class GroupStuck(Exception):
    """The sinks' group does not begin a new generation."""


class _Joined(ConsumerRebalanceListener):
    def __init__(self) -> None:
        self.event = asyncio.Event()

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Nothing of ours."""

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self.event.set()


@contextlib.asynccontextmanager
async def new_generation(bootstrap: str) -> AsyncIterator[None]:
    """A new generation of the sinks' group has begun inside, and another one begins at the end.

    Sinks that are running pause for as long as their heartbeats are apart (2 s), twice.

    Raises:
        GroupStuck: it does not come about in PATIENCE_SECONDS.
        aiokafka.errors.KafkaError: the broker is away.
    """
    member = await open_consumer(bootstrap, client_id="rebuild", group_id=GROUP)
    joined = _Joined()
    try:
        member.subscribe([TOPIC], listener=joined)
        try:
            await asyncio.wait_for(joined.event.wait(), PATIENCE_SECONDS)
        except TimeoutError:
            raise GroupStuck(
                f"The sinks' consumer group did not settle in {PATIENCE_SECONDS:g} s. Look at "
                "their logs, and try again."
            ) from None
        yield
    finally:
        await close(member)


async def committed_offsets(bootstrap: str, group: str) -> TopicOffsets:
    """How far a group has committed, at least, for each partition that it ever committed.

    An answer may lack partitions, as when the group's coordinator has just moved.

    Raises:
        aiokafka.errors.KafkaError: the broker is away.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, client_id="rebuild-offsets")
    await admin.start()
    try:
        found = await admin.list_consumer_group_offsets(group)
    finally:
        await admin.close()
    return {place: one.offset for place, one in found.items() if one.offset >= 0}


async def has_members(bootstrap: str, group: str) -> bool:
    """Whether somebody is a member of the group now.

    Raises:
        aiokafka.errors.KafkaError: the broker is away.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, client_id="rebuild-members")
    await admin.start()
    try:
        answers: Any = await admin.describe_consumer_groups([group])
    finally:
        await admin.close()
    _error, _group, _state, _type, _protocol, members = answers[0].groups[0][:6]
    return bool(members)
