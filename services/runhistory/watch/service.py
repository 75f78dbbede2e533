"""The watch process: hears heartbeats, follows events, and says who is silent, lost or back.

Every few seconds (half a heartbeat) it asks the broker where the heartbeats end. What had been
appended by then is waited for, and then the runs are judged as they were at that moment. So a
watcher that is behind, was frozen or cannot reach the broker judges nobody, and when it can again
it first waits as long as a silence takes (`liveness.Sight`).
"""

import asyncio
import contextlib
import logging
import tempfile
import time
from datetime import datetime
from typing import Any, Final

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from faust.exceptions import FaustError

from runhistory.domain.commands import Command
from runhistory.domain.events import Event
from runhistory.events.cloudevents import MalformedRecord
from runhistory.events.heartbeat import HEARTBEATS_TOPIC, decode_heartbeat
from runhistory.kafka.clients import close, open_consumer
from runhistory.kafka.log_ends import LogEnds
from runhistory.kafka.replay import read_to_end
from runhistory.query.follower import EventFollower
from runhistory.runtime.metrics import WATCH_COMMANDS, WATCH_JUDGED_SECONDS, WATCH_RUNS
from runhistory.runtime.service import Service
from runhistory.watch.liveness import Liveness, Sight, WatchedRun
from runhistory.watch.settings import WatchSettings
from runhistory.watch.stream import Stream
from runhistory.watch.views import ANSWER_SECONDS, View, answers_http

CLIENT: Final = "watch"
REWIND_SECONDS: Final = 60.0
"""So long reading back may take; partitions that were read by then need not be read again."""

log: Any = structlog.get_logger(__name__)


def clock() -> float:
    """This watcher's clock, in seconds: it never jumps."""
    return time.monotonic()


class Watch:
    """One watcher. All state is rebuilt from the log; any number of them may run."""

    def __init__(self, service: Service, settings: WatchSettings, folder: str) -> None:
        self._service, self._settings = service, settings
        kafka, clickhouse = service.settings.kafka, service.settings.clickhouse
        self._every = settings.heartbeat / 2
        self._liveness = Liveness(settings, self._heard_at)
        self._follower: EventFollower[WatchedRun] = EventFollower(
            kafka, clickhouse, self._liveness, self._ignore, f"{CLIENT}-events"
        )
        self._stream = Stream(kafka, service.settings.instance, folder, self._take)
        self._ends = LogEnds(kafka, f"{CLIENT}-ends")
        self._log_view = View(patience=4 * self._every + ANSWER_SECONDS)
        self._gateway_view = View(patience=4 * self._every + ANSWER_SECONDS)
        self._live_from: dict[int, int] = {}  # ours and rewound: older records are not news
        self._positions: dict[int, int] = {}
        self._in_view: dict[int, float] = {}
        self._sent: dict[str, float] = {}

    async def run(self) -> None:
        """Until the service stops.

        Raises:
            KafkaError: no broker answers at start.
            RuntimeError: the stream broke.
        """
        following = asyncio.create_task(self._follower.run(), name="events")
        try:
            await self._stream.start()
            while not self._service.stopping.is_set():
                self._stream.check()
                if following.done():
                    following.result()
                if self._follower.caught_up.is_set():
                    await self._turn()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._every):
                        await self._service.stopping.wait()
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            await self._stream.stop()
            await self._ends.stop()

    async def _turn(self) -> None:
        """Judge all that is ours, as it is now."""
        try:
            async with asyncio.timeout(REWIND_SECONDS):
                await self._take_over()
            async with asyncio.timeout(ANSWER_SECONDS):
                as_of = clock()
                ends = await self._ends.ends(_places(self._positions))
        except (KafkaError, OSError, TimeoutError) as error:
            self._log_view.failed()
            self._service.health.not_ready(f"Kafka does not answer: {error!r}")
            log.warning("log_out_of_view", error=repr(error))
            return
        self._log_view.answered(as_of)
        await self._look_at_gateway(as_of)
        if self._positions:
            self._service.health.ready()
        else:
            self._service.health.not_ready("no partition is this watcher's yet")
        if await self._reached({place.partition: end for place, end in ends.items()}):
            await self._judge(as_of)

    async def _take_over(self) -> None:
        """Let go what is not ours any more, and read back what has become ours."""
        ours = self._stream.partitions
        for partition in set(self._positions) - ours:
            del self._positions[partition], self._live_from[partition], self._in_view[partition]
        if new := ours - set(self._positions):
            await self._rewind(new)

    async def _rewind(self, partitions: set[int]) -> None:
        """Read the heartbeats of the last minutes, to know who was heard of before we came."""
        minutes = self._settings.lost + self._settings.not_responding
        starts = await self._ends.at_time(_places(partitions), int((time.time() - minutes) * 1_000))
        consumer = await open_consumer(self._service.settings.kafka, client_id=f"{CLIENT}-rewind")
        try:
            consumer.assign(list(starts))
            consumer.pause(*starts)
            for place, start in starts.items():
                async for record in read_to_end(consumer, place, start):
                    self._hear(record.value, place.partition, record.timestamp / 1_000, None)
                end = await consumer.position(place)
                self._live_from[place.partition] = end
                self._positions[place.partition] = end
                self._in_view[place.partition] = clock()
        finally:
            await close(consumer)
        log.info("partitions_taken_over", partitions=sorted(partitions))

    async def _take(self, message: Any) -> None:
        """Hear a heartbeat that Faust delivers, and say at once what follows from it."""
        live_from = self._live_from.get(message.partition)
        is_news = live_from is not None and message.offset >= live_from
        heard = clock() if is_news else None
        for command in self._hear(message.value, message.partition, message.timestamp, heard):
            await self._say(command)
        if is_news:
            self._positions[message.partition] = message.offset + 1

    def _hear(
        self, value: bytes | None, partition: int, appended: float, heard: float | None
    ) -> list[Command]:
        """What follows from a heartbeat; `heard` now, or None: as long ago as Kafka says."""
        try:
            heartbeat = decode_heartbeat(value or b"")
        except MalformedRecord as error:
            log.warning("heartbeat_not_understood", partition=partition, error=str(error))
            return []
        at = _on_our_clock(appended) if heard is None else heard
        return self._liveness.beat(heartbeat, partition, round(appended * 1_000_000), at)

    async def _look_at_gateway(self, now: float) -> None:
        if not self._liveness.any_interactive:
            return
        if await answers_http(self._service.settings.url):
            self._gateway_view.answered(now)
            return
        if self._gateway_view.since is not None:
            log.warning("gateway_out_of_view", url=self._service.settings.url)
        self._gateway_view.failed()

    async def _reached(self, ends: dict[int, int]) -> bool:
        """Whether all that lies before `ends` has been heard, soon."""
        deadline = clock() + ANSWER_SECONDS
        while any(self._positions.get(one, end) < end for one, end in ends.items()):
            if clock() > deadline:
                log.warning("heartbeats_behind", positions=self._positions, ends=ends)
                return False
            await asyncio.sleep(0.05)
        return True

    async def _judge(self, as_of: float) -> None:
        log_since, gateway_since = self._log_view.since, self._gateway_view.since
        if log_since is None:
            return
        for partition, since in list(self._in_view.items()):
            sight = Sight(log=max(log_since, since), gateway=gateway_since)
            for command in self._liveness.due(partition, as_of, sight):
                await self._say(command)
        WATCH_RUNS.set(self._liveness.attempts)
        WATCH_JUDGED_SECONDS.set(time.time())

    async def _say(self, command: Command) -> None:
        """Send a command, unless that was done a moment ago: its event may be on its way."""
        now = clock()
        self._sent = {one: at for one, at in self._sent.items() if now - at < 2 * self._every}
        asked = f"{command.run_id}:{command.command_id}"
        if asked in self._sent:
            return
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._stream.send(command)
        except (KafkaError, FaustError, OSError, TimeoutError) as error:
            log.warning("command_not_sent", command=command.TYPE, error=repr(error))
            return
        self._sent[asked] = now
        WATCH_COMMANDS.labels(command.TYPE).inc()
        log.info("said", command=command.TYPE, run_id=command.run_id, id=command.command_id)

    def _heard_at(self, time: datetime) -> float:
        """When an event was heard: now, unless it is one of those that came before us."""
        return clock() if self._follower.caught_up.is_set() else _on_our_clock(time.timestamp())

    def _ignore(self, run: WatchedRun, event: Event) -> None:
        """Nothing need be done at once when an event comes."""


def _on_our_clock(then: float) -> float:
    """A time of before (s since 1970) on our clock; never in the future."""
    return clock() - max(0.0, time.time() - then)


def _places(partitions: Any) -> list[TopicPartition]:
    return [TopicPartition(HEARTBEATS_TOPIC, number) for number in sorted(partitions)]


async def main(service: Service) -> None:
    """Run one watcher; started again by its supervisor whenever it dies."""
    for name in ("faust", "mode"):
        logging.getLogger(name).setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="runhistory-watch-") as folder:
        await Watch(service, WatchSettings.from_environment(), folder).run()
