"""Does this attempt of this run exist? Asked for every batch, so the answer is kept in memory.

Attempts are numbered 1, 2, 3, … and never vanish, so the highest number seen says all, and an
old answer can be too low but never wrong. The lifecycle's replies raise it as they pass by (all
gateways' and workers' replies, so a claim elsewhere is known here at once). What is not known
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
from runhistory.gateway.watermarks import NotYetVisible

MAX_RUNS: Final = 100_000

Lookup = Callable[[str, str], Awaitable[int | None]]
"""(workspace, run id) -> the run's latest attempt (0 before the first), None: no such run."""

CatchUp = Callable[[str], Awaitable[None]]
"""Returns when ClickHouse has every event that the run has now."""


class Log(Protocol):
    """The log of events, which knows every run."""

    def known(self, run: tuple[str, str]) -> int | None:
        """The run's latest attempt as far as it was read."""

    async def latest_attempt(self, run: tuple[str, str], at_least: int) -> int | None:
        """The run's latest attempt, or one from `at_least` on; None: no such run."""


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
        if reply.outcome != "refused" and reply.status is not None:
            self._learn((reply.workspace, reply.run_id), reply.attempt)

    async def require(self, workspace: str, run_id: str, attempt: int) -> None:
        """Return when `attempt` of the run exists.

        Raises:
            RunNotFound, AttemptNotFound: it does not.
            EventLogUnavailable: it is not known here and cannot be found out now.
        """
        run = (workspace, run_id)
        if attempt <= max(self._latest.get(run, 0), self._log.known(run) or 0):
            return
        try:
            latest = await self._find(run)
            if latest < attempt:
                await self._catch_up(run_id)
                latest = await self._find(run)
        except (EngineUnavailable, ClickHouseError, NotYetVisible):
            found = await self._log.latest_attempt(run, at_least=attempt)
            latest = -1 if found is None else found
        if latest < attempt:
            raise RunNotFound(*run) if latest < 0 else AttemptNotFound(run_id, attempt, latest)

    async def _find(self, run: tuple[str, str]) -> int:
        found = await self._lookup(*run)
        if found is not None:
            self._learn(run, found)
        return self._latest.get(run, -1)

    def _learn(self, run: tuple[str, str], attempt: int) -> None:
        # Taken out and put in again: the dict stays ordered by when a run was last heard of.
        self._latest[run] = max(attempt, self._latest.pop(run, 0))
        if len(self._latest) > self._max_runs:
            del self._latest[next(iter(self._latest))]
