"""What the scheduler says: commands about runs that wait, and events about nodes.

Each has an id that follows from its cause, so that saying it again, while nothing came of it, does
no harm.
"""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from runhistory.domain.commands import Command, ProvisionRun, WarnRun
from runhistory.domain.ids import compute_target_id
from runhistory.domain.status import RunStatus
from runhistory.events.cloudevents import Record
from runhistory.events.codec import encode_command
from runhistory.events.node_events import (
    NODES_TOPIC,
    NodeEvent,
    NodeLost,
    NodeReady,
    NodeReleased,
    NodeStarted,
    encode_node_event,
)
from runhistory.kafka.commands import COMMANDS_TOPIC
from runhistory.kafka.publisher import Publisher
from runhistory.scheduler.board import OpenRun, Target
from runhistory.scheduler.local_node import LocalNode, Phase
from runhistory.scheduler.pool import Decision

SOURCE: Final = "runhistory/scheduler"
NO_WORKER: Final = "NoWorker"
"""The code of the warning that no node will ever take a run."""

REPEAT_SECONDS: Final = 5.0
TELL_SECONDS: Final = 5.0

_EVENTS: Final[dict[Phase, type[NodeEvent]]] = {
    "started": NodeStarted,
    "ready": NodeReady,
    "released": NodeReleased,
    "lost": NodeLost,
}

log: Any = structlog.get_logger(__name__)


class Teller:
    """At least once. With the broker away nothing is said, and the next step says it."""

    def __init__(self, bootstrap: str) -> None:
        self._publisher = Publisher(bootstrap, "scheduler")
        self._said: dict[tuple[str, str], float] = {}  # (run, command id) -> when

    async def stop(self) -> None:
        """Close the connection."""
        await self._publisher.stop()

    async def runs(
        self, target: Target, waiting: list[OpenRun], decision: Decision, trouble: str | None
    ) -> None:
        """Tell runs that get a node so, and those that never will why."""
        for run in waiting:
            number = decision.provisioned.get(run.run_id)
            if number is not None and run.status is RunStatus.QUEUED:
                await self._say(run, ProvisionRun, "provision", node=f"{target.name}-{number}")
            reason = decision.hopeless.get(run.run_id) or trouble
            if reason is not None:
                await self._say(
                    run,
                    WarnRun,
                    "no-worker",
                    code=NO_WORKER,
                    message=f"No worker of {target.name} takes this run: {reason}",
                )

    async def _say(self, run: OpenRun, command: type[Command], what: str, **fields: Any) -> None:
        """Send a command about a wait of the run; again, with its id, while nothing came of it."""
        command_id = f"{what}-{run.queued_version}"
        said, now = self._said.get((run.run_id, command_id)), time.monotonic()
        if said is not None and (command is WarnRun or now - said < REPEAT_SECONDS):
            return
        made = command(
            workspace=run.target.workspace, run_id=run.run_id, command_id=command_id, **fields
        )
        if await self._publish(COMMANDS_TOPIC, encode_command(made, SOURCE)):
            self._said[run.run_id, command_id] = now

    async def nodes(self, nodes: list[LocalNode]) -> None:
        """Tell compute.events of each node's phase that was not told; one after the other."""
        for node in nodes:
            if node.record.is_told:
                continue
            if not await self._publish(NODES_TOPIC, encode_node_event(_event(node), SOURCE)):
                return
            node.told()

    def forget(self, open_runs: set[str]) -> None:
        """Nothing is said of other runs any more."""
        self._said = {key: when for key, when in self._said.items() if key[0] in open_runs}

    async def _publish(self, topic: str, record: Record) -> bool:
        """Whether it is in the log; with the broker away, the next step tries again."""
        try:
            async with asyncio.timeout(TELL_SECONDS):
                await self._publisher.publish(topic, record)
            return True
        except TimeoutError:
            log.warning("not_told", topic=topic)
            return False


def _event(node: LocalNode) -> NodeEvent:
    record = node.record
    fields: dict[str, Any] = {"message": record.message} if record.phase == "lost" else {}
    return _EVENTS[record.phase](
        workspace=record.workspace,
        target_id=compute_target_id(record.workspace, record.compute_target),
        compute_target=record.compute_target,
        node=node.name,
        worker_id=record.worker_id,
        life=record.life,
        slots=record.slots,
        time=datetime.fromtimestamp(record.since, UTC),
        **fields,
    )
