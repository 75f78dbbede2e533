"""Who is silent, who lives again, who is lost, which GPU idles: the rules. No I/O, no clock.

Events say which attempts there are, heartbeats that they live. Two times belong to each sign of
life. `seen` (µs since 1970) is the log's: every watcher reads the same one, so it goes into the
ids of commands and into what people are told. `heard` is in seconds of this watcher's own clock,
and how long a silence is, is counted by that one: no two machines' clocks are ever compared.

A silence counts only where the watcher could have heard something. So a question comes with a
`Sight`: since when the log, and the gateway that interactive runs speak to, have been in view
without a gap. Until that is as long as a silence takes, nobody is judged: after an outage
everybody has the time to be heard again.

Ids follow from the cause (the attempt, the sign that was the last one, the version that brought
the status), so two watchers, or one that was killed and started anew, send the same command, and
the lifecycle applies it once. What is due stays due until its event has come: nothing is missed
because a command got lost.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from runhistory.domain.commands import Command, ReportLife, ReportLost, ReportSilence, WarnRun
from runhistory.domain.events import (
    EnvironmentRecorded,
    Event,
    FilesAdded,
    RunClaimed,
    RunCreated,
    RunEvent,
    RunExited,
    RunNotResponding,
    RunStarted,
    RunWarned,
)
from runhistory.domain.status import FOLLOWS, TERMINAL, RunStatus
from runhistory.events.heartbeat import Heartbeat
from runhistory.watch.settings import WatchSettings

S = RunStatus
GPU_IDLE: Final = "GpuIdle"
"""The code of the warning that a GPU of the attempt has nothing to do."""

_WATCHED: Final = frozenset(status for status in S if S.NOT_RESPONDING in FOLLOWS[status])
# What the attempt itself brings about, so that it was alive then. A user may do all else.
_SIGNS: Final = (RunClaimed, RunStarted, RunExited, FilesAdded, EnvironmentRecorded)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Sign(Struct, frozen=True):
    """A sign of life of an attempt: by the log's time (µs) and by the watcher's clock (s)."""

    attempt: int
    seen: int
    heard: float

    def or_later(self, other: "Sign | None") -> "Sign":
        """The later one; of several attempts the latest counts alone."""
        if other is None or other.attempt < self.attempt:
            return self
        if other.attempt > self.attempt:
            return other
        return Sign(self.attempt, max(self.seen, other.seen), max(self.heard, other.heard))


class Sight(Struct, frozen=True):
    """Since when all has been in view, by the watcher's clock; None: it is not now."""

    log: float | None
    gateway: float | None

    def since(self, run: "WatchedRun") -> float | None:
        """Since when a sign of life of the run would have come through."""
        if self.log is None or not run.is_interactive:
            return self.log
        return None if self.gateway is None else max(self.log, self.gateway)

    def quiet_since(self, run: "WatchedRun", sign: Sign) -> float:
        """Since when the run might have said something and did not. Who could not reach the
        gateway, to say that he is over for example, has the whole time again when it is back."""
        if not run.is_interactive or self.gateway is None:
            return sign.heard
        return max(sign.heard, self.gateway)


class WatchedRun(Struct, frozen=True, kw_only=True):
    """A run that is not over. `status_version`: of the event that brought its status.

    `is_recorded`: it was recorded without a gateway and is sent now, so nobody speaks for it: a
    sync that rests is no death. `sign`: the last sign of life among its events. `silent_since`: the
    last one of all before it was called NotResponding, as that event says it (µs).
    """

    workspace: str
    run_id: str
    is_interactive: bool
    is_recorded: bool = False
    version: int
    status: RunStatus
    status_version: int
    attempt: int
    sign: Sign | None = None
    silent_since: int = 0
    warned: frozenset[str] = frozenset()


class Liveness:
    """All runs that are not over, and the last sign of life of each. A board of run.events."""

    def __init__(self, settings: WatchSettings, heard_at: Callable[[datetime], float]) -> None:
        """`heard_at` puts the time of an event on the watcher's clock."""
        self._settings, self._heard_at = settings, heard_at
        self._runs: dict[int, dict[str, WatchedRun]] = {}
        self._signs: dict[int, dict[str, Sign]] = {}

    def apply(self, event: Event, partition: int) -> WatchedRun | None:
        """Take in an event; the run after it. One that is known already changes nothing."""
        runs = self._runs.setdefault(partition, {})
        run = runs.get(event.run_id)
        if isinstance(event, RunCreated) and run is None:
            run = _begin(event)
        elif run is None or not isinstance(event, RunEvent) or event.version <= run.version:
            return None
        else:
            run = _after(run, event)
        if isinstance(event, RunStarted) and event.decided is not None:
            run = replace(run, is_recorded=True)
        if isinstance(event, _SIGNS):
            seen = event.decided or event.time  # of a recorded run: when it was sent
            sign = Sign(run.attempt, microseconds(seen), self._heard_at(seen))
            run = replace(run, sign=sign.or_later(run.sign))
        runs[run.run_id] = run
        if run.status in TERMINAL:
            del runs[run.run_id]
            self._signs.get(partition, {}).pop(run.run_id, None)
        return run

    def forget(self, partition: int) -> None:
        """Drop the runs of a partition, before its events are read anew."""
        self._runs.pop(partition, None)

    def beat(self, heartbeat: Heartbeat, partition: int, seen: int, heard: float) -> list[Command]:
        """Take in a heartbeat, appended at `seen`; what is to be said because of it."""
        signs = self._signs.setdefault(partition, {})
        sign = Sign(heartbeat.attempt, seen, heard)
        signs[heartbeat.run_id] = sign.or_later(signs.get(heartbeat.run_id))
        run = self._runs.get(partition, {}).get(heartbeat.run_id)
        if run is None or run.attempt != heartbeat.attempt:
            return []
        return [*self._life(run, partition), *self._idle_gpus(run, heartbeat)]

    def due(self, partition: int, as_of: float, sight: Sight) -> list[Command]:
        """What is to be said about the runs of `partition`, as they were at `as_of`.

        The caller has read all that had been appended to the partition's heartbeats by then.
        """
        found: list[Command] = []
        for run in self._runs.get(partition, {}).values():
            found += self._life(run, partition) or self._silence(run, partition, as_of, sight)
        self._let_go(partition, as_of)
        return found

    @property
    def any_interactive(self) -> bool:
        """Whether signs of life are expected through the gateway."""
        return any(run.is_interactive and run.attempt for run in self._watched())

    @property
    def attempts(self) -> int:
        """How many attempts signs of life are expected of."""
        return sum(
            run.status in _WATCHED or run.status is S.NOT_RESPONDING for run in self._watched()
        )

    def _watched(self) -> Iterator[WatchedRun]:
        runs = (run for runs in self._runs.values() for run in runs.values())
        return (run for run in runs if not run.is_recorded)

    def _sign(self, run: WatchedRun, partition: int) -> Sign | None:
        """The last sign of life of the run's latest attempt."""
        sign = self._signs.get(partition, {}).get(run.run_id)
        if sign is None or sign.attempt != run.attempt:
            return run.sign
        return sign.or_later(run.sign)

    def _life(self, run: WatchedRun, partition: int) -> list[Command]:
        sign = self._sign(run, partition)
        if run.status is not S.NOT_RESPONDING or sign is None or sign.seen <= run.silent_since:
            return []
        return [
            ReportLife(
                workspace=run.workspace,
                run_id=run.run_id,
                command_id=f"life:{run.attempt}:{run.status_version}",
                attempt=run.attempt,
            )
        ]

    def _silence(
        self, run: WatchedRun, partition: int, as_of: float, sight: Sight
    ) -> list[Command]:
        sign, in_view = self._sign(run, partition), sight.since(run)
        if run.is_recorded or sign is None or in_view is None:
            return []
        if as_of - in_view < self._settings.not_responding:
            return []
        quiet = as_of - sight.quiet_since(run, sign)
        cause = f"{run.attempt}:{sign.seen}:{run.status_version}"
        last_seen = _EPOCH + timedelta(microseconds=sign.seen)
        about: dict[str, Any] = {"workspace": run.workspace, "run_id": run.run_id}
        if run.status in _WATCHED and quiet >= self._settings.not_responding:
            return [
                ReportSilence(
                    **about,
                    command_id=f"silence:{cause}",
                    attempt=run.attempt,
                    last_seen=last_seen,
                )
            ]
        if run.status is S.NOT_RESPONDING and quiet >= self._settings.lost:
            return [
                ReportLost(
                    **about,
                    command_id=f"lost:{cause}",
                    attempt=run.attempt,
                    last_seen=last_seen,
                    message=_lost_message(run, last_seen),
                )
            ]
        return []

    def _idle_gpus(self, run: WatchedRun, heartbeat: Heartbeat) -> Iterator[Command]:
        """One warning for each GPU and stretch of idleness; the sender's clock alone counts."""
        if run.status is not S.RUNNING:
            return
        for gpu, since in heartbeat.gpu_idle_since.items():
            idle = (heartbeat.time - since).total_seconds()
            command_id = f"gpu-idle:{run.attempt}:{gpu}:{microseconds(since)}"
            if idle >= self._settings.gpu_idle and command_id not in run.warned:
                yield WarnRun(
                    workspace=run.workspace,
                    run_id=run.run_id,
                    command_id=command_id,
                    code=GPU_IDLE,
                    message=f"GPU {gpu} has had nothing to do for {_span(idle)}. "
                    "Cancel the run if it hangs; if it needs no GPU, submit it without one.",
                    attempt=run.attempt,
                )

    def _let_go(self, partition: int, as_of: float) -> None:
        """Forget old signs of runs that are over, or that nobody knows."""
        runs, signs = self._runs.get(partition, {}), self._signs.get(partition, {})
        oldest = as_of - self._settings.lost
        over = [one for one, sign in signs.items() if one not in runs and sign.heard < oldest]
        for run_id in over:
            del signs[run_id]


def microseconds(time: datetime) -> int:
    """A time as µs since 1970."""
    return (time - _EPOCH) // timedelta(microseconds=1)


def _begin(event: RunCreated) -> WatchedRun:
    return WatchedRun(
        workspace=event.workspace,
        run_id=event.run_id,
        is_interactive=event.content.type == "interactive",
        version=event.version,
        status=event.status,
        status_version=event.version,
        attempt=event.attempt,
    )


def _after(run: WatchedRun, event: RunEvent) -> WatchedRun:
    changed = event.status is not run.status or event.attempt != run.attempt
    run = replace(
        run,
        version=event.version,
        status=event.status,
        status_version=event.version if changed else run.status_version,
        attempt=event.attempt,
    )
    match event:
        case RunNotResponding():
            return replace(run, silent_since=microseconds(event.last_seen))
        case RunWarned(code=code) if code == GPU_IDLE:
            return replace(run, warned=run.warned | {event.command_id})
        case _:
            return run


def _lost_message(run: WatchedRun, last_seen: datetime) -> str:
    who = "Its process" if run.is_interactive else "Its worker"
    return (
        f"Nothing was heard of attempt {run.attempt} since {last_seen:%F %T} UTC. {who} died, was "
        "frozen, or lost the network. What it had logged until then is kept."
    )


def _span(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} seconds"
