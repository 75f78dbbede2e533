"""Does this attempt of this run exist? Asked for every batch, so the answer is kept in memory.

Attempts are numbered 1, 2, 3, …, so the highest number seen says all, and an old answer can be
too low. They vanish only with their run, which is deleted for good. The lifecycle's replies tell
of both as they pass by (all gateways' and workers' replies, so a claim or a deletion elsewhere is
known here at once). What is not known
is looked up in ClickHouse; a run that was created just before this process started may still be
on its way there, so "there is none" is said only once the sink has read all events that the
run's partition had. While ClickHouse or the sink is away the log itself is read: points are
accepted as long as Kafka is there.
"""

from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from clickhouse_connect.driver.exceptions import ClickHouseError

from runhistory.clickhouse.client import EngineUnavailable
from runhistory.events.codec import Reply
from runhistory.gateway.event_log import DELETED
from runhistory.gateway.watermarks import NotYetVisible
from runhistory.query.deleted_runs import RunDeleted

MAX_RUNS: Final = 100_000

Lookup = Callable[[str, str], Awaitable[int | None]]
"""(workspace, run id) -> the run's latest attempt (0 before the first), None: no such run.

Raises RunDeleted."""

CatchUp = Callable[[str], Awaitable[None]]
"""Returns when ClickHouse has every event that the run has now."""


class Log(Protocol):
    """The log of events, which knows every run."""

    def known(self, run: tuple[str, str]) -> int | None:
        """The run's latest attempt as far as it was read; DELETED is the last word."""

    async def latest_attempt(self, run: tuple[str, str], at_least: int) -> int | None:
        """The run's latest attempt, or one from `at_least` on, or DELETED; None: no such run."""


class RunNotFound(Exception):
    """The workspace has no such run."""

    def __init__(self, workspace: str, run_id: str) -> None:
        super().__init__(
            f"There is no run {run_id} in workspace {workspace}. Create it first, or check the id."
        )


class AttemptNotFound(Exception):
    """The run has no such attempt."""

    def __init__(self, run_id: str, attempt: int, latest: int) -> None:
        what = f"its latest is {latest}" if latest else "it has not been started yet"
        super().__init__(f"Run {run_id} has no attempt {attempt}; {what}.")


class Attempts:
    """Which attempts exist; `require` is free for runs that are known."""

    def __init__(
        self, lookup: Lookup, catch_up: CatchUp, log: Log, max_runs: int = MAX_RUNS
    ) -> None:
        self._lookup, self._catch_up, self._log = lookup, catch_up, log
        self._max_runs = max_runs
        self._latest: dict[tuple[str, str], int] = {}

    def see(self, reply: Reply) -> None:
        """Learn from a reply that passes by."""
        if reply.deleted:
            self._learn((reply.workspace, reply.run_id), DELETED)
        elif reply.outcome != "refused" and reply.status is not None:
            self._learn((reply.workspace, reply.run_id), reply.attempt)

    def knows(self, workspace: str, run_id: str) -> bool:
        """Whether the run is known here already; False says nothing."""
        return self._known((workspace, run_id)) is not None

    async def require_run(self, workspace: str, run_id: str) -> None:
        """Return when the run exists, started or not.

        Raises:
            RunNotFound, RunDeleted, EventLogUnavailable: as `require`.
        """
        await self.require(workspace, run_id, 0)

    async def require(self, workspace: str, run_id: str, attempt: int) -> None:
        """Return when `attempt` of the run exists.

        Raises:
            RunNotFound, RunDeleted, AttemptNotFound: it does not.
            EventLogUnavailable: it is not known here and cannot be found out now.
        """
        run = (workspace, run_id)
        latest = self._known(run)
        if latest is None or DELETED < latest < attempt:
            latest = await self._find_out(run, attempt)
        if latest is None:
            raise RunNotFound(*run)
        if latest == DELETED:
            raise RunDeleted(run_id)
        if latest < attempt:
            raise AttemptNotFound(run_id, attempt, latest)

    def _known(self, run: tuple[str, str]) -> int | None:
        told = [
            latest for latest in (self._latest.get(run), self._log.known(run)) if latest is not None
        ]
        return _newest(told) if told else None

    async def _find_out(self, run: tuple[str, str], attempt: int) -> int | None:
        try:
            latest = await self._find(run)
            if latest is None or latest < attempt:
                await self._catch_up(run[1])
                latest = await self._find(run)
            return latest
        except RunDeleted:
            self._learn(run, DELETED)
            return DELETED
        except (EngineUnavailable, ClickHouseError, NotYetVisible):
            return await self._log.latest_attempt(run, at_least=attempt)

    async def _find(self, run: tuple[str, str]) -> int | None:
        found = await self._lookup(*run)
        if found is not None:
            self._learn(run, found)
        return self._latest.get(run)

    def _learn(self, run: tuple[str, str], attempt: int) -> None:
        # Taken out and put in again: the dict stays ordered by when a run was last heard of.
        self._latest[run] = _newest([attempt, self._latest.pop(run, attempt)])
        if len(self._latest) > self._max_runs:
            del self._latest[next(iter(self._latest))]


def _newest(told: list[int]) -> int:
    """What holds of several answers of any age: a deletion is never taken back."""
    return DELETED if DELETED in told else max(told)
