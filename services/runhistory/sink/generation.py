"""Make the sinks' consumer group begin a new generation; see where a group stands.

A member joins the group, for a topic that no sink reads, so that it takes nothing away from them.
Kafka lets the group begin a new generation with it and refuses whatever a sink still commits in
the old one: whoever was frozen in the middle of a cycle comes too late. When the member leaves,
that is a new generation again. As long as it stays the group is never empty, so nobody can commit
without being a member.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import CommitFailedError, IllegalStateError

from runhistory.kafka.clients import close, open_consumer
from runhistory.sink.group import GROUP, TopicOffsets

UNREAD: Final = "run.heartbeats"
"""A topic that no sink reads."""
ALONE: Final = "run.metrics.dlq"
"""A topic of one partition, which one member of a group can have."""
PATIENCE_SECONDS: Final = 60.0
"""A member that is frozen is missed for its session's length (10 s)."""
ONLY_ONE: Final = "rebuild"
"""The group that a rebuild is a member of for as long as it runs."""
SESSION_MS: Final = 6_000
"""So long a rebuild that was killed counts as running: the shortest that brokers allow."""
GOODBYE_SECONDS: Final = 10.0


class GroupStuck(Exception):
    """A group does not begin a new generation."""


class NotAlone(Exception):
    """Another rebuild is running."""


class _Listener(ConsumerRebalanceListener):
    """Whether the group has given the member something, and whether it took that back since."""

    def __init__(self) -> None:
        self.joined = asyncio.Event()
        self.lost = False

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self.lost = self.joined.is_set()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self.joined.set()


class OnlyOne:
    """What tells a rebuild that it is the only one still, by asking the broker."""

    def __init__(self, member: AIOKafkaConsumer, listener: _Listener) -> None:
        self._member, self._listener = member, listener

    async def check(self) -> None:
        """Return when it is. Whoever was frozen past its session is not, nor ever again.

        Raises:
            NotAlone: it is not.
            aiokafka.errors.KafkaError: the broker is away.
        """
        try:
            await self._member.commit({TopicPartition(ALONE, 0): 0})
        except (CommitFailedError, IllegalStateError) as error:
            raise NotAlone from error
        if self._listener.lost:
            raise NotAlone


@contextlib.asynccontextmanager
async def new_generation(bootstrap: str) -> AsyncIterator[None]:
    """A new generation of the sinks' group has begun inside, and another one begins at the end.

    Sinks that are running pause for as long as their heartbeats are apart (2 s), twice.

    Raises:
        GroupStuck: it does not come about in PATIENCE_SECONDS.
        aiokafka.errors.KafkaError: the broker is away.
    """
    async with _membership(bootstrap, GROUP, UNREAD):
        yield


@contextlib.asynccontextmanager
async def only_one(bootstrap: str) -> AsyncIterator[OnlyOne]:
    """Nobody else is inside at the same time; what is given tells whether that is so still.

    Who was killed inside counts as being there for a session's length (6 s).

    Raises:
        NotAlone: somebody else is inside.
        GroupStuck, aiokafka.errors.KafkaError: as `new_generation`.
    """
    await wait_for_goodbye(bootstrap, ONLY_ONE)
    async with _membership(bootstrap, ONLY_ONE, ALONE, session_timeout_ms=SESSION_MS) as only:
        await only.check()  # the topic has one partition, which may be somebody else's
        yield only


async def wait_for_goodbye(bootstrap: str, group: str) -> None:
    """Return when nobody is a member of the group; who was killed is one for a little longer.

    Raises:
        NotAlone: somebody goes on being one.
        aiokafka.errors.KafkaError: the broker is away.
    """
    deadline = time.monotonic() + GOODBYE_SECONDS
    while await _has_members(bootstrap, group):
        if time.monotonic() > deadline:
            raise NotAlone
        await asyncio.sleep(0.5)


@contextlib.asynccontextmanager
async def _membership(
    bootstrap: str, group: str, topic: str, **settings: Any
) -> AsyncIterator[OnlyOne]:
    """A member of the group, once it has begun a generation with it; reads nothing."""
    member = await open_consumer(bootstrap, client_id="rebuild", group_id=group, **settings)
    listener = _Listener()
    try:
        member.subscribe([topic], listener=listener)
        try:
            await asyncio.wait_for(listener.joined.wait(), PATIENCE_SECONDS)
        except TimeoutError:
            raise GroupStuck(
                f"The consumer group {group!r} did not settle in {PATIENCE_SECONDS:g} s. Look at "
                "the sink's log, and try again."
            ) from None
        yield OnlyOne(member, listener)
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


async def _has_members(bootstrap: str, group: str) -> bool:
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
