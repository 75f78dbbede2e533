"""The scheduler's main loop: look at nodes and runs, decide, act, tell.

Nothing that it does needs to be remembered: each step looks at what is (run.events, the nodes'
processes), so a scheduler that was killed at any moment goes on where it was. What it says has
an id that follows from its cause, and is said again until its effect is seen: a repetition is
the same command or event.

A node that died holding runs is started again at once: its worker finds them in its folder
and ends them as WorkerLost, which nobody else could say so soon.
"""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Collection
from typing import Any, Final

import structlog

from runhistory.domain.compute import BUILT_IN_TARGET, built_in_pool
from runhistory.domain.events import Event
from runhistory.domain.values import NodePool
from runhistory.query.follower import EventFollower
from runhistory.runtime.gpus import GpuProbe
from runhistory.runtime.metrics import SCHEDULER_NODES, SCHEDULER_WAITING_RUNS
from runhistory.runtime.service import Service
from runhistory.runtime.settings import UnsafeSettings
from runhistory.scheduler.board import Board, OpenRun, Target, slots_held
from runhistory.scheduler.local_node import IN_ORDER, LocalNode, Phase
from runhistory.scheduler.local_nodes import (
    STOP_SECONDS,
    LocalNodes,
    SchedulerTaken,
    node_environment,
)
from runhistory.scheduler.patience import Patience
from runhistory.scheduler.pool import ALWAYS_THERE, Gpus, Node, Waiting, decide
from runhistory.scheduler.settings import SchedulerSettings
from runhistory.scheduler.telling import Teller

STARTING_BEAT: Final = 0.2
NODES_BEAT: Final = 1.0
IDLE_BEAT: Final = 10.0
"""Seconds between two looks: while nodes start, while some live or are to start soon, else."""

log: Any = structlog.get_logger(__name__)


def beat(phases: Collection[Phase], *, holds_back: bool) -> float:
    """Seconds until the next look when no event comes, by the phases of the nodes that live.

    `holds_back`: a node that failed is to be started again soon.
    """
    if "started" in phases:
        return STARTING_BEAT
    return NODES_BEAT if phases or holds_back else IDLE_BEAT


class Scheduler:
    """Manages the nodes of one folder. Everything happens on one event loop."""

    def __init__(self, service: Service, nodes: LocalNodes) -> None:
        self._service, self._nodes, self._board = service, nodes, Board()
        settings = service.settings
        self._local_slots = settings.local_slots
        self._gpus = len(GpuProbe().uuids)
        self._changed = asyncio.Event()
        self._tell = Teller(settings.kafka)
        self._follower = EventFollower(
            settings.kafka, settings.clickhouse, self._board, self._on_change, "scheduler-events"
        )
        self._idle_since: dict[str, float] = {}  # worker -> when it was last seen to hold a run
        self._patience: dict[Target, Patience] = {}

    async def run(self) -> None:
        """Until the service stops; the nodes are stopped then."""
        following = asyncio.create_task(self._follower.run(), name="events")
        try:
            await self._wait(self._follower.caught_up, following)
            log.info("scheduler_ready", nodes=sum(node.lives for node in self._nodes.all()))
            while not self._service.stopping.is_set():
                self._changed.clear()
                await self._step()
                await self._wait(self._changed, following, self._beat())
            await self._stop_nodes()
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            await self._tell.stop()

    def _on_change(self, concerns: str, event: Event) -> None:
        run = self._board.get(concerns)
        if run is not None and run.worker_id is not None:
            self._idle_since[run.worker_id] = time.monotonic()
        self._changed.set()

    async def _wait(
        self, event: asyncio.Event, following: "asyncio.Task[None]", seconds: float | None = None
    ) -> None:
        """Until `event`, the service's stop, or so long; raises what `following` raises."""
        waiting = [
            asyncio.create_task(event.wait()),
            asyncio.create_task(self._service.stopping.wait()),
        ]
        await asyncio.wait(
            [*waiting, following], timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
        for one in waiting:
            one.cancel()
        if following.done():
            following.result()

    def _beat(self) -> float:
        phases = {node.record.phase for node in self._nodes.all() if node.lives}
        holds_back = not all(patience.is_over() for patience in self._patience.values())
        return beat(phases, holds_back=holds_back)

    async def _step(self) -> None:
        held = self._board.held()
        await self._look_at_nodes({run.worker_id or "" for run in held})
        waiting = self._board.waiting()
        known = {target for target, said in self._board.targets.items() if said.pool is not None}
        living = {node.target for node in self._nodes.all() if node.lives}
        for target in sorted({*known, *living, *waiting}):
            await self._manage(target, waiting.get(target, []), held)
        await self._tell.nodes(self._nodes.all())
        self._show(waiting)

    async def _look_at_nodes(self, holders: set[str]) -> None:
        """See which came up and which ended; what died with runs begins its next life."""
        for node in self._nodes.all():
            record = node.record
            if node.ended() or (not node.lives and record.phase in ("started", "ready")):
                self._bury(node, holds=record.worker_id in holders)
            elif record.phase == "started" and await asyncio.to_thread(node.answers):
                node.enter("ready")
                self._patience_with(node.target).worked()
                self._idle_since[record.worker_id] = time.monotonic()
                log.info("node_ready", node=node.name, worker_id=record.worker_id)
            is_down = not node.lives and self._patience_with(node.target).is_over()
            if is_down and record.worker_id in holders:
                self._start(node.target, record.number, record.slots)

    def _bury(self, node: LocalNode, *, holds: bool) -> None:
        # Of one that an earlier scheduler started nobody knows whether it was ready meanwhile.
        if node.record.phase == "started" and node.exit_code is not None:
            self._patience_with(node.target).failed(node.last_words())
        in_order = node.record.phase == "ready" and not holds and node.exit_code in IN_ORDER
        if in_order:
            node.enter("released")
            log.info("node_released", node=node.name)
            return
        node.enter("lost", f"Its process ended ({node.exit_code}). {node.last_words()}")
        log.warning("node_lost", node=node.name, exit_code=node.exit_code)

    async def _manage(self, target: Target, waiting: list[OpenRun], held: list[OpenRun]) -> None:
        pool, patience = self._pool(target), self._patience_with(target)
        decision = decide(
            pool,
            self._living(target, slots_held(held), held),
            [Waiting(run.run_id, run.resources.slots, run.resources.gpus) for run in waiting],
            gpus=Gpus(self._gpus, self._gpus - sum(run.resources.gpus for run in held)),
            may_start=patience.is_over(),
        )
        for number in decision.start:
            assert pool is not None
            self._start(target, number, pool.slots)
        for node in self._nodes.of(target):
            if node.record.number in decision.release:
                node.retire()
        await self._tell.runs(target, waiting, decision, patience.trouble)

    def _living(self, target: Target, used: dict[str, int], held: list[OpenRun]) -> list[Node]:
        """The target's nodes, as the decision sees them."""
        now, found = time.monotonic(), []
        if target.name == BUILT_IN_TARGET:
            ours = {node.record.worker_id for node in self._nodes.all()}
            others = sum(
                run.resources.slots
                for run in held
                if run.target.name == BUILT_IN_TARGET and run.worker_id not in ours
            )
            found.append(Node(number=ALWAYS_THERE, slots=self._local_slots, used=others))
        for node in self._nodes.of(target):
            record = node.record
            is_idle = record.phase == "ready" and not used.get(record.worker_id)
            since = self._idle_since.setdefault(record.worker_id, now)
            found.append(
                Node(
                    number=record.number,
                    slots=record.slots,
                    used=used.get(record.worker_id, 0),
                    idle_seconds=now - since if is_idle else None,
                )
            )
            if not is_idle:
                self._idle_since[record.worker_id] = now
        return found

    def _pool(self, target: Target) -> NodePool | None:
        """The target's pool; None: it was deleted."""
        declared = self._board.targets.get(target)
        if declared is not None and declared.pool is not None:
            return declared.pool
        return built_in_pool(self._local_slots) if target.name == BUILT_IN_TARGET else None

    def _start(self, target: Target, number: int, slots: int) -> None:
        try:
            node = self._nodes.start(target, number, slots)
        except OSError as error:
            log.warning("node_not_started", target=target.name, number=number, error=str(error))
            self._patience_with(target).failed(str(error))
            return
        log.info("node_started", node=node.name, worker_id=node.record.worker_id)

    async def _stop_nodes(self) -> None:
        """Stop all nodes, as with `runhistory down`; kill those that do not end in time."""
        living = [node for node in self._nodes.all() if node.lives]
        log.info("scheduler_stopping", nodes=len(living))
        for node in living:
            node.send(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while living := [node for node in living if not node.ended()]:
            if time.monotonic() > deadline:
                for node in living:
                    node.send(signal.SIGKILL)
            await asyncio.sleep(0.05)
        for node in self._nodes.all():
            if node.record.phase in ("started", "ready"):
                node.enter("released")
        with contextlib.suppress(Exception):
            await self._tell.nodes(self._nodes.all())

    def _patience_with(self, target: Target) -> Patience:
        return self._patience.setdefault(target, Patience())

    def _show(self, waiting: dict[Target, list[OpenRun]]) -> None:
        SCHEDULER_NODES.set(sum(node.lives for node in self._nodes.all()))
        SCHEDULER_WAITING_RUNS.set(sum(map(len, waiting.values())))
        self._tell.forget({run.run_id for runs in waiting.values() for run in runs})
        if self._follower.is_following:
            self._service.health.ready()
        else:
            self._service.health.not_ready("the broker does not answer")


async def main(service: Service) -> None:
    """Run the scheduler; exits with 2 where its settings or its folder forbid it."""
    try:
        settings = SchedulerSettings.from_environment(service.settings)
        nodes = LocalNodes(settings.data, node_environment())
    except (UnsafeSettings, SchedulerTaken) as error:
        log.error("scheduler_refused", error=str(error))
        sys.exit(2)
    try:
        await Scheduler(service, nodes).run()
    finally:
        nodes.close()
