"""The worker's main loop: what waits, what fits, what runs, and what an earlier life left."""

import asyncio
import contextlib
import signal
import sys
import time
from typing import Any, Final

import structlog

from runhistory.domain.events import Event, RunCancelRequested, RunClaimed, RunPaused, RunResumed
from runhistory.domain.ids import new_command_id
from runhistory.domain.status import TERMINAL
from runhistory.events.heartbeat import Heartbeat
from runhistory.kafka.commands import CommandClient
from runhistory.kafka.publisher import Publisher
from runhistory.objects.store import ObjectStore
from runhistory.query.follower import EventFollower
from runhistory.runtime.gpus import GpuProbe
from runhistory.runtime.metrics import WORKER_ATTEMPTS, WORKER_FREE_SLOTS, WORKER_WAITING_RUNS
from runhistory.runtime.service import Service
from runhistory.runtime.settings import UnsafeSettings
from runhistory.worker.attempt import Attempt, Stop, Tools
from runhistory.worker.board import Board, KnownRun, first_fit
from runhistory.worker.environments import Environments
from runhistory.worker.gpus import Capacity
from runhistory.worker.heartbeats import Heartbeats, heartbeat_of
from runhistory.worker.home import Home, HomeTaken
from runhistory.worker.recovery import kill_what_is_left, remove_leftovers, settle_lost
from runhistory.worker.settings import WorkerSettings

STOP_SECONDS: Final = 20.0
"""So long the attempts have to stop, keep their files and report, when the worker has to stop."""

LOOK_AGAIN_SECONDS: Final = 1.0

RETIRE: Final = signal.SIGUSR1
"""Asks a worker to end if it has nothing to do."""

BROKEN_PAUSE_SECONDS: Final = 10.0
"""So long a run is left alone that broke on this worker (a full disk) and is still queued."""

log: Any = structlog.get_logger(__name__)


class Worker:
    """Takes runs of its target while it has room. Everything happens on one event loop."""

    def __init__(self, service: Service, settings: WorkerSettings, home: Home) -> None:
        self._service, self._settings, self._home = service, settings, home
        probe = GpuProbe()
        self._capacity = Capacity(settings.slots, probe.uuids)
        self._board = Board(settings.target, settings.workspace)
        self._changed = asyncio.Event()
        self._attempts: dict[str, Attempt] = {}
        self._claims: set[str] = set()  # of this life, and not over
        self._paused: dict[str, float] = {}  # run -> when it may be tried again
        self._declined: dict[str, int] = {}  # run -> version at which our claim came too late
        self._too_large: set[str] = set()
        self._settling: dict[str, KnownRun] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._follower = EventFollower(
            service.settings.kafka,
            service.settings.clickhouse,
            self._board,
            self._on_change,
            "worker-events",
        )
        self._tools = Tools(
            settings=settings,
            home=home,
            store=ObjectStore.open(settings.objects),
            environments=Environments(home.environments, home.sdk),
            client=CommandClient(service.settings.kafka, "runhistory/worker"),
            publisher=Publisher(service.settings.kafka, "worker-publisher"),
            probe=probe,
        )

    async def run(self) -> None:
        """Until the service stops.

        Raises:
            CannotKill: what an earlier life left cannot be ended.
            aiokafka.errors.KafkaError: no broker answers at start.
        """
        claims = self._home.claims()
        await asyncio.to_thread(kill_what_is_left, self._home, claims)
        async with contextlib.AsyncExitStack() as closing:
            await self._tools.client.start()
            closing.push_async_callback(self._tools.client.stop)
            closing.push_async_callback(self._tools.publisher.stop)
            following = asyncio.create_task(self._follower.run(), name="events")
            closing.callback(following.cancel)
            heartbeats = Heartbeats(
                self._tools.publisher, self._settings.heartbeat_seconds, self._alive
            )
            beating = asyncio.create_task(heartbeats.run(), name="heartbeats")
            closing.callback(beating.cancel)
            await self._until(self._follower.caught_up, following)
            if not self._service.stopping.is_set():
                await self._settle_earlier_life()
            log.info(
                "worker_ready",
                worker_id=self._home.worker_id,
                target=self._settings.target,
                slots=self._settings.slots,
                gpus=self._capacity.gpus,
            )
            asyncio.get_running_loop().add_signal_handler(RETIRE, self._retire_if_idle)
            await self._take_runs(following)
            await self._stop()

    def _retire_if_idle(self) -> None:
        """End now, unless something is held: then nothing changes, and the asker tries again.

        On the event loop, so a run is either claimed before this, or never here.
        """
        if not self._tasks:
            log.info("worker_retires")
            self._service.stopping.set()

    async def _take_runs(self, following: "asyncio.Task[None]") -> None:
        while not self._service.stopping.is_set():
            self._changed.clear()
            self._take_what_fits()
            self._show()
            await self._until(self._changed, following, LOOK_AGAIN_SECONDS)

    async def _until(
        self,
        event: asyncio.Event,
        following: "asyncio.Task[None]",
        seconds: float | None = None,
    ) -> None:
        """Wait for `event`, for the service's stop, or for so long; what `following` raises."""
        waiting = [
            asyncio.create_task(event.wait()),
            asyncio.create_task(self._service.stopping.wait()),
        ]
        try:
            await asyncio.wait(
                [*waiting, following],
                timeout=seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            for one in waiting:
                one.cancel()
        if following.done():
            following.result()

    def _take_what_fits(self) -> None:
        gpus = len(self._capacity.gpus)
        while run := first_fit(
            self._candidates(), self._capacity.free_slots, min(gpus, self._capacity.free_gpus)
        ):
            lease = self._capacity.take(run.resources)
            if lease is None:  # other workers of this machine have the GPUs: looked at again soon
                gpus = run.resources.gpus - 1
                continue
            claim_id = new_command_id()
            attempt = Attempt(self._tools, run, claim_id, lease)
            self._claims.add(claim_id)
            self._attempts[run.run_id] = attempt
            self._spawn(self._run_attempt(attempt, run, claim_id))

    def _candidates(self) -> list[KnownRun]:
        found, now = [], time.monotonic()
        self._paused = {run_id: end for run_id, end in self._paused.items() if end > now}
        for run in self._board.queue():
            if run.run_id in self._paused:
                continue
            if run.run_id in self._attempts or self._declined.get(run.run_id) == run.version:
                continue
            if self._capacity.could_ever_fit(run.resources):
                found.append(run)
            elif run.run_id not in self._too_large:
                self._too_large.add(run.run_id)
                log.warning(
                    "run_waits_for_larger_worker",
                    run_id=run.run_id,
                    needs_slots=run.resources.slots,
                    needs_gpus=run.resources.gpus,
                    slots=self._capacity.slots,
                    gpus=len(self._capacity.gpus),
                )
        return found

    async def _run_attempt(self, attempt: Attempt, run: KnownRun, claim_id: str) -> None:
        outcome = "broken"
        try:
            outcome = await attempt.run()
            if outcome == "declined":
                self._declined[run.run_id] = run.version
                self._claims.discard(claim_id)
        except Exception:
            log.exception("attempt_lost", run_id=run.run_id)
            self._paused[run.run_id] = time.monotonic() + BROKEN_PAUSE_SECONDS
            known = self._board.get(run.run_id)
            if known is not None and known.claim_id == claim_id:
                await self._settle(known)
            else:  # should the claim have been accepted, its event settles it as unknown
                self._claims.discard(claim_id)
        finally:
            WORKER_ATTEMPTS.labels(outcome).inc()
            self._capacity.give_back(attempt.lease)
            del self._attempts[run.run_id]
            self._changed.set()

    def _on_change(self, run: KnownRun, event: Event) -> None:
        """Hears of every event, those of before the start included while it catches up."""
        attempt = self._attempts.get(run.run_id)
        if isinstance(event, RunCancelRequested) and attempt is not None:
            attempt.stop(Stop.CANCELED)
        elif isinstance(event, RunPaused) and attempt is not None:
            attempt.pause(True)
        elif isinstance(event, RunResumed) and attempt is not None:
            attempt.pause(False)
            attempt.idle_gpus.begin_anew()
        elif run.status in TERMINAL and attempt is not None:
            attempt.stop(Stop.OVER)  # it was lost, say, while we were frozen; or it is all done
        if isinstance(event, RunClaimed) and self._follower.caught_up.is_set():
            self._settle_if_unknown(run)
        if run.status in TERMINAL and run.claim_id is not None:
            self._claims.discard(run.claim_id)
        self._changed.set()

    def _settle_if_unknown(self, run: KnownRun) -> None:
        """A claim that nobody here holds: of an earlier life, or of an attempt that broke."""
        if run.worker_id == self._home.worker_id and run.claim_id not in self._claims:
            self._spawn(self._settle(run))

    async def _settle_earlier_life(self) -> None:
        held = {run.claim_id: run for run in self._board.held_by(self._home.worker_id)}
        for claim in self._home.claims():
            if claim.claim_id not in held:  # never accepted (yet), or over
                self._home.forget(claim.claim_id)
        if not self._settings.keep_attempts:
            await asyncio.to_thread(remove_leftovers, self._home, held.values())
        for run in held.values():
            self._spawn(self._settle(run))

    async def _settle(self, run: KnownRun) -> None:
        self._settling[run.run_id] = run
        try:
            await settle_lost(self._tools, run)
        finally:
            del self._settling[run.run_id]

    def _alive(self) -> list[Heartbeat]:
        """A sign of life of each attempt that is held, or whose end is being told."""
        held = [attempt.heartbeat() for attempt in self._attempts.values()]
        settling = [heartbeat_of(run) for run in self._settling.values()]
        return [heartbeat for heartbeat in [*held, *settling] if heartbeat is not None]

    async def _stop(self) -> None:
        """Let every attempt stop. What does not make it in time is for the next life to settle."""
        log.info("worker_stopping", attempts=len(self._attempts))
        for attempt in self._attempts.values():
            attempt.stop(Stop.WORKER)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STOP_SECONDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("task_died", error=repr(error))

    def _show(self) -> None:
        WORKER_FREE_SLOTS.set(self._capacity.free_slots)
        WORKER_WAITING_RUNS.set(len(self._board.queue()))
        if self._follower.is_following and self._tools.client.is_following:
            self._service.health.ready()
        else:
            self._service.health.not_ready("the broker does not answer")


async def main(service: Service) -> None:
    """Run one worker; exits with 2 where its settings or its folder forbid it."""
    try:
        settings = WorkerSettings.from_environment(service.settings)
        home = Home(settings.data)
    except (UnsafeSettings, HomeTaken) as error:
        log.error("worker_refused", error=str(error))
        sys.exit(2)
    try:
        await Worker(service, settings, home).run()
    finally:
        home.close()
