"""What a worker knows of the runs on its compute target: a fold of run.events. Pure.

Every event says which status holds after it, so no knowledge of the life-cycle is needed here.
Runs that are over are dropped at once; later events of theirs (a tag) are passed over.
"""

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from runhistory.domain.events import (
    Event,
    RunClaimed,
    RunCreated,
    RunEvent,
    RunQueued,
)
from runhistory.domain.state import OutOfOrder
from runhistory.domain.status import TERMINAL, RunStatus
from runhistory.domain.values import Resources, ScriptSpec


class KnownRun(Struct, frozen=True, kw_only=True):
    """An open script run of this target, after its event number `version`."""

    workspace: str
    run_id: str
    experiment: str
    spec: ScriptSpec
    version: int
    status: RunStatus
    attempt: int
    queued: datetime | None = None
    claim_id: str | None = None
    worker_id: str | None = None

    @property
    def resources(self) -> Resources:
        """What an attempt needs."""
        return self.spec.resources


class Board:
    """The open runs of one target, in one workspace or in all."""

    def __init__(self, target: str, workspace: str | None = None) -> None:
        self._target, self._workspace = target, workspace
        self._runs: dict[str, KnownRun] = {}
        self._partitions: dict[str, int] = {}

    def apply(self, event: Event, partition: int) -> KnownRun | None:
        """Take in the next event of `partition`; the run after it, if it concerns this target.

        An event that is already known changes nothing and gives None.

        Raises:
            OutOfOrder: events of the run are missing in between; read the partition anew.
        """
        if isinstance(event, RunCreated):
            return self._begin(event, partition)
        run = self._runs.get(event.run_id)
        if run is None or not isinstance(event, RunEvent) or event.version <= run.version:
            return None
        if event.version != run.version + 1:
            raise OutOfOrder(f"{event.event_id} came where version {run.version + 1} was due")
        run = _after(run, event)
        if run.status in TERMINAL:
            self._drop(run.run_id)
        else:
            self._runs[run.run_id] = run
        return run

    def get(self, run_id: str) -> KnownRun | None:
        """The run, while it is open."""
        return self._runs.get(run_id)

    def held_by(self, worker_id: str) -> list[KnownRun]:
        """Open runs whose last claim names this worker."""
        return [run for run in self._runs.values() if run.worker_id == worker_id]

    def queue(self) -> list[KnownRun]:
        """Runs that wait, first come first."""
        waits = (RunStatus.QUEUED, RunStatus.PROVISIONING)
        waiting = [run for run in self._runs.values() if run.status in waits]
        return sorted(waiting, key=lambda run: (run.queued is None, run.queued, run.run_id))

    def forget(self, partition: int) -> None:
        """Drop all runs of a partition, before it is read anew."""
        for run_id in [run_id for run_id, at in self._partitions.items() if at == partition]:
            self._drop(run_id)

    def _begin(self, event: RunCreated, partition: int) -> KnownRun | None:
        spec = event.content.spec
        if spec is None or spec.compute_target != self._target or event.run_id in self._runs:
            return None
        if self._workspace is not None and event.workspace != self._workspace:
            return None
        run = KnownRun(
            workspace=event.workspace,
            run_id=event.run_id,
            experiment=event.content.experiment,
            spec=spec,
            version=event.version,
            status=event.status,
            attempt=event.attempt,
        )
        self._runs[run.run_id], self._partitions[run.run_id] = run, partition
        return run

    def _drop(self, run_id: str) -> None:
        self._runs.pop(run_id, None)
        self._partitions.pop(run_id, None)


def first_fit(queue: Iterable[KnownRun], slots: int, gpus: int) -> KnownRun | None:
    """The first run in `queue` that `slots` free slots and `gpus` free GPUs are enough for.

    A large run does not hold up smaller ones behind it.
    """
    return next(
        (run for run in queue if run.resources.slots <= slots and run.resources.gpus <= gpus),
        None,
    )


def _after(run: KnownRun, event: RunEvent) -> KnownRun:
    run = replace(run, version=event.version, status=event.status, attempt=event.attempt)
    match event:
        case RunQueued():
            return replace(run, queued=event.time)
        case RunClaimed():
            return replace(run, claim_id=event.claim_id, worker_id=event.worker_id)
        case _:
            return run
