"""What the scheduler knows of runs and compute targets: a fold of run.events. Pure.

Only script runs that are not over count, and of these where they want to run, whether they wait,
and which worker holds them.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from runhistory.domain.events import (
    ComputeTargetDeleted,
    ComputeTargetEvent,
    Event,
    RunClaimed,
    RunCreated,
    RunEvent,
    RunQueued,
)
from runhistory.domain.state import OutOfOrder
from runhistory.domain.status import TERMINAL, RunStatus
from runhistory.domain.values import NodePool, Resources

WAITING: Final = frozenset({RunStatus.QUEUED, RunStatus.PROVISIONING})
_NOT_YET: Final = frozenset({RunStatus.NOT_STARTED, RunStatus.STARTING})


class Target(NamedTuple):
    """A compute target: names are those of one workspace."""

    workspace: str
    name: str


class OpenRun(Struct, frozen=True, kw_only=True):
    """A script run that is not over, after its event number `version`."""

    run_id: str
    target: Target
    resources: Resources
    version: int
    status: RunStatus
    queued: datetime | None = None
    queued_version: int = 0
    worker_id: str | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether no worker has it yet."""
        return self.status in WAITING

    @property
    def is_held(self) -> bool:
        """Whether a worker has it."""
        return self.worker_id is not None and self.status not in WAITING | _NOT_YET


class Declared(Struct, frozen=True):
    """What was said last of a compute target; no pool: it was deleted."""

    version: int
    pool: NodePool | None


class Board:
    """The open runs and the compute targets of all workspaces."""

    def __init__(self) -> None:
        self._runs: dict[str, OpenRun] = {}
        self._partitions: dict[str, int] = {}
        self.targets: dict[Target, Declared] = {}

    def apply(self, event: Event, partition: int) -> str | None:
        """Take in the next event of `partition`; the id of what it concerns.

        Raises:
            OutOfOrder: events of a run are missing in between.
        """
        if isinstance(event, ComputeTargetEvent):
            return self._declare(event)
        if isinstance(event, RunCreated):
            return self._begin(event, partition)
        run = self._runs.get(event.run_id)
        if run is None or not isinstance(event, RunEvent) or event.version <= run.version:
            return None
        if event.version != run.version + 1:
            raise OutOfOrder(f"{event.event_id} came where version {run.version + 1} was due")
        if event.status in TERMINAL:
            self._drop(run.run_id)
        else:
            self._runs[run.run_id] = _after(run, event)
        return run.run_id

    def forget(self, partition: int) -> None:
        """Drop all runs of a partition. What is known of targets stays: newer versions win."""
        for run_id in [run_id for run_id, at in self._partitions.items() if at == partition]:
            self._drop(run_id)

    def get(self, run_id: str) -> OpenRun | None:
        """The run, while it is open."""
        return self._runs.get(run_id)

    def waiting(self) -> dict[Target, list[OpenRun]]:
        """The runs that wait, first come first, by their target."""
        found: dict[Target, list[OpenRun]] = defaultdict(list)
        for run in self._runs.values():
            if run.is_waiting:
                found[run.target].append(run)
        for runs in found.values():
            runs.sort(key=lambda run: (run.queued is None, run.queued, run.run_id))
        return found

    def held(self) -> list[OpenRun]:
        """The runs that workers have."""
        return [run for run in self._runs.values() if run.is_held]

    def _declare(self, event: ComputeTargetEvent) -> str | None:
        target = Target(event.workspace, event.name)
        known = self.targets.get(target)
        if known is not None and known.version >= event.version:
            return None
        pool = None if isinstance(event, ComputeTargetDeleted) else getattr(event, "pool", None)
        self.targets[target] = Declared(event.version, pool)
        return event.run_id

    def _begin(self, event: RunCreated, partition: int) -> str | None:
        spec = event.content.spec
        if spec is None or event.run_id in self._runs:
            return None
        self._partitions[event.run_id] = partition
        self._runs[event.run_id] = OpenRun(
            run_id=event.run_id,
            target=Target(event.workspace, spec.compute_target),
            resources=spec.resources,
            version=event.version,
            status=event.status,
        )
        return event.run_id

    def _drop(self, run_id: str) -> None:
        self._runs.pop(run_id, None)
        self._partitions.pop(run_id, None)


def slots_held(runs: Iterable[OpenRun]) -> dict[str, int]:
    """How many slots the runs have of each worker, by its id."""
    found: dict[str, int] = defaultdict(int)
    for run in runs:
        found[run.worker_id or ""] += run.resources.slots
    return found


def _after(run: OpenRun, event: RunEvent) -> OpenRun:
    run = replace(run, version=event.version, status=event.status)
    match event:
        case RunQueued():
            return replace(run, queued=event.time, queued_version=event.version)
        case RunClaimed():
            return replace(run, worker_id=event.worker_id)
        case _:
            return run
