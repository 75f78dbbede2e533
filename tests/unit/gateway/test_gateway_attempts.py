"""An attempt that exists is never refused, and one that does not is refused for certain."""

from datetime import UTC, datetime
from typing import Literal

import pytest

from runhistory.clickhouse.client import EngineUnavailable
from runhistory.domain.status import RunStatus
from runhistory.events.codec import Reply
from runhistory.gateway.attempts import AttemptNotFound, Attempts, RunNotFound
from runhistory.gateway.event_log import DELETED
from runhistory.gateway.watermarks import NotYetVisible
from runhistory.query.deleted_runs import RunDeleted

RUN = "0" * 31 + "1"


class Projection:
    """ClickHouse with a sink that is behind: `behind` becomes visible by catching up."""

    def __init__(self) -> None:
        self.visible: dict[tuple[str, str], int] = {}
        self.behind: dict[tuple[str, str], int] = {}
        self.lookups = 0
        self.is_away = False
        self.sink_is_away = False

    async def lookup(self, workspace: str, run_id: str) -> int | None:
        self.lookups += 1
        if self.is_away:
            raise EngineUnavailable("away")
        found = self.visible.get((workspace, run_id))
        if found == DELETED:
            raise RunDeleted(run_id)
        return found

    async def catch_up(self, run_id: str) -> None:
        if self.sink_is_away:
            raise NotYetVisible("behind")
        self.visible.update(self.behind)


class Log:
    """The log: it has what is visible and what is behind, and remembers what was asked."""

    def __init__(self, projection: Projection) -> None:
        self._projection, self._read = projection, dict[tuple[str, str], int]()

    def known(self, run: tuple[str, str]) -> int | None:
        return self._read.get(run)

    async def latest_attempt(self, run: tuple[str, str], at_least: int) -> int | None:
        self._read = {**self._projection.visible, **self._projection.behind}
        return self._read.get(run)


@pytest.fixture
def projection() -> Projection:
    return Projection()


@pytest.fixture
def attempts(projection: Projection) -> Attempts:
    return Attempts(projection.lookup, projection.catch_up, Log(projection), max_runs=3)


def reply(
    attempt: int,
    run_id: str = RUN,
    outcome: Literal["accepted", "unchanged", "refused"] = "accepted",
    status: RunStatus | None = RunStatus.RUNNING,
    deleted: bool = False,
) -> Reply:
    return Reply(
        workspace="ws",
        run_id=run_id,
        command_id="c",
        outcome=outcome,
        time=datetime.now(UTC),
        version=1,
        status=status,
        attempt=attempt,
        deleted=deleted,
    )


async def test_what_a_reply_said_needs_no_lookup(
    attempts: Attempts, projection: Projection
) -> None:
    attempts.see(reply(2))
    for attempt in (1, 2):
        await attempts.require("ws", RUN, attempt)
    assert projection.lookups == 0


async def test_a_late_old_reply_takes_nothing_back(attempts: Attempts) -> None:
    attempts.see(reply(2))
    attempts.see(reply(1, outcome="unchanged"))
    await attempts.require("ws", RUN, 2)


async def test_what_is_not_known_is_looked_up_once(
    attempts: Attempts, projection: Projection
) -> None:
    projection.visible["ws", RUN] = 3
    await attempts.require("ws", RUN, 3)
    await attempts.require("ws", RUN, 1)
    assert projection.lookups == 1


async def test_it_waits_for_the_sink_before_it_says_no(
    attempts: Attempts, projection: Projection
) -> None:
    projection.behind["ws", RUN] = 1
    await attempts.require("ws", RUN, 1)


async def test_a_new_attempt_of_a_known_run_is_looked_up(
    attempts: Attempts, projection: Projection
) -> None:
    attempts.see(reply(1))
    projection.behind["ws", RUN] = 2
    await attempts.require("ws", RUN, 2)


@pytest.mark.parametrize("away", ["is_away", "sink_is_away"])
async def test_the_log_knows_while_clickhouse_or_the_sink_is_away(
    attempts: Attempts, projection: Projection, away: str
) -> None:
    setattr(projection, away, True)
    projection.behind["ws", RUN] = 2
    await attempts.require("ws", RUN, 2)
    asked = projection.lookups
    await attempts.require("ws", RUN, 1)
    assert projection.lookups == asked
    with pytest.raises(AttemptNotFound, match="latest is 2"):
        await attempts.require("ws", RUN, 3)
    with pytest.raises(RunNotFound):
        await attempts.require("ws", "f" * 32, 1)


async def test_refusals_and_experiments_teach_nothing(attempts: Attempts) -> None:
    attempts.see(reply(1, outcome="refused"))
    attempts.see(reply(0, status=None))
    with pytest.raises(RunNotFound):
        await attempts.require("ws", RUN, 1)


async def test_a_run_that_was_only_created_exists(
    attempts: Attempts, projection: Projection
) -> None:
    assert not attempts.knows("ws", RUN)
    attempts.see(reply(0, status=RunStatus.NOT_STARTED))
    assert attempts.knows("ws", RUN)
    await attempts.require_run("ws", RUN)
    assert projection.lookups == 0
    with pytest.raises(RunNotFound):
        await attempts.require_run("ws", "f" * 32)


async def test_a_deletion_that_passes_by_is_the_last_word(
    attempts: Attempts, projection: Projection
) -> None:
    attempts.see(reply(1))
    attempts.see(reply(1, deleted=True))
    attempts.see(reply(2))
    for attempt in (0, 1, 2, 3):
        with pytest.raises(RunDeleted):
            await attempts.require("ws", RUN, attempt)
    assert projection.lookups == 0


@pytest.mark.parametrize("away", [None, "is_away", "sink_is_away"])
async def test_a_deletion_before_this_process_is_found_and_kept(
    attempts: Attempts, projection: Projection, away: str | None
) -> None:
    projection.behind["ws", RUN] = DELETED
    if away:
        setattr(projection, away, True)
    for _ in range(2):
        with pytest.raises(RunDeleted):
            await attempts.require("ws", RUN, 1)
    assert projection.lookups <= 2


async def test_no_such_run_and_no_such_attempt(attempts: Attempts, projection: Projection) -> None:
    with pytest.raises(RunNotFound, match="workspace ws"):
        await attempts.require("ws", RUN, 1)
    projection.visible["ws", RUN] = 0
    with pytest.raises(AttemptNotFound, match="not been started"):
        await attempts.require("ws", RUN, 1)
    projection.visible["ws", RUN] = 1
    with pytest.raises(AttemptNotFound, match="latest is 1"):
        await attempts.require("ws", RUN, 2)


async def test_another_workspace_has_no_part_in_it(attempts: Attempts) -> None:
    attempts.see(reply(1))
    with pytest.raises(RunNotFound):
        await attempts.require("other", RUN, 1)


async def test_memory_is_bounded_and_the_forgotten_are_looked_up(
    attempts: Attempts, projection: Projection
) -> None:
    for number in range(5):
        run_id = f"{number:032x}"
        attempts.see(reply(1, run_id))
        projection.visible["ws", run_id] = 1
    for number in range(5):
        await attempts.require("ws", f"{number:032x}", 1)
    assert projection.lookups >= 2
