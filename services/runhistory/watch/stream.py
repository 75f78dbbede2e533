"""What Faust carries: the stream of heartbeats to us, and our commands to the lifecycle.

Faust gives each watcher its share of the partitions, and delivers what is appended from then on.
Two things it is not used for, on evidence of its source (0.15.3). It reads uncommitted records
(`drivers/aiokafka.py`: read_committed only with exactly_once, which is not usable), so it would
show events of transactions that were aborted: run.events comes from our own follower. And a table
of its own would write each heartbeat once more, into a changelog topic that it must be allowed to
create; what is needed of the past (some minutes) is read from run.heartbeats itself in less time
than its recovery takes: see `Heartbeats.rewind`.

Delivery: at least once, and it does not matter. A heartbeat that comes again is as old as it was,
and a command that is sent again is the same command.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import faust
from mode import CrashingSupervisor

from runhistory.domain.commands import Command
from runhistory.events.codec import encode_command
from runhistory.events.heartbeat import HEARTBEATS_TOPIC
from runhistory.kafka.commands import COMMANDS_TOPIC

GROUP: Final = "watch"
SOURCE: Final = "runhistory/watch"
_SEND_SECONDS: Final = 15.0

Take = Callable[[Any], Awaitable[None]]
"""Takes one message: `partition`, `offset`, `timestamp` (s since 1970, Kafka's) and `value`."""


class Stream:
    """One Faust application inside our process; `start`, `stop`, and it may crash."""

    def __init__(self, bootstrap: str, instance: str | None, folder: str, take: Take) -> None:
        """`folder` is for Faust alone. `take` is called for one message after the other."""
        self._app = faust.App(
            GROUP,
            broker=[f"kafka://{server}" for server in bootstrap.split(",")],
            datadir=folder,
            store="memory://",
            web_enabled=False,
            topic_disable_leader=True,
            topic_allow_declare=False,
            agent_supervisor=CrashingSupervisor,
            consumer_auto_offset_reset="earliest",
            consumer_group_instance_id=instance,
            broker_session_timeout=10.0,
            broker_heartbeat_interval=3.0,
            broker_request_timeout=20.0,
            producer_request_timeout=_SEND_SECONDS,
            stream_wait_empty=False,
            key_serializer="raw",
            value_serializer="raw",
        )
        self._commands = self._app.topic(COMMANDS_TOPIC)
        topic = self._app.topic(HEARTBEATS_TOPIC)

        async def hear(heartbeats: Any) -> None:
            async for event in heartbeats.events():
                await take(event.message)

        self._app.agent(topic)(hear)

    async def start(self) -> None:
        """Connect and join the group; partitions come later.

        Raises:
            aiokafka.errors.KafkaError: no broker answers.
        """
        await self._app.start()

    async def stop(self) -> None:
        """Leave the group and close."""
        await self._app.stop()

    @property
    def partitions(self) -> set[int]:
        """The partitions of run.heartbeats that are ours now."""
        return {one.partition for one in self._app.consumer.assignment()}

    def check(self) -> None:
        """Return while it works.

        Raises:
            RuntimeError: it crashed, or ended by itself: the process has to be started anew.
        """
        if self._app.crashed or self._app.should_stop:
            raise RuntimeError("the stream ended by itself") from self._app.crash_reason

    async def send(self, command: Command) -> None:
        """Append a command; it is on all in-sync replicas when this returns.

        Raises:
            KafkaError, faust.exceptions.FaustError: it may or may not have been appended.
        """
        record = encode_command(command, SOURCE)
        sent = await self._commands.send(
            key=record.key, value=record.value, headers=dict(record.headers)
        )
        await sent
