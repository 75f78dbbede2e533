"""Which compute targets exist: never a false refusal, and no look-up for those that are known."""

import asyncio
from datetime import UTC, datetime

import pytest

from runhistory.domain.ids import compute_target_id
from runhistory.events.codec import Reply
from runhistory.gateway.targets import ComputeTargets, UnknownComputeTarget


class World:
    """The log, and ClickHouse, which has of it what was caught up."""

    def __init__(self) -> None:
        self.log: set[str] = set()
        self.clickhouse: set[str] = set()
        self.lookups = 0
        self.targets = ComputeTargets(self._lookup, self._catch_up)

    async def _catch_up(self, target_id: str) -> None:
        await asyncio.sleep(0)
        self.clickhouse = set(self.log)

    async def _lookup(self, workspace: str) -> set[str]:
        self.lookups += 1
        found = set(self.clickhouse)
        await asyncio.sleep(0)
        return found

    def change(self, name: str, *, exists: bool) -> None:
        (self.log.add if exists else self.log.discard)(name)
        self.targets.see(
            Reply(
                workspace="default",
                run_id=compute_target_id("default", name),
                command_id="c",
                outcome="accepted",
                time=datetime.now(UTC),
            )
        )


async def test_local_is_there_and_costs_nothing() -> None:
    world = World()
    await world.targets.require("default", "local")
    assert world.lookups == 0


async def test_a_target_created_a_moment_ago_is_found_and_then_known() -> None:
    world = World()
    world.change("pool", exists=True)
    for _ in range(3):
        await world.targets.require("default", "pool")
    assert world.lookups == 1


async def test_an_unknown_one_is_refused_with_those_that_exist() -> None:
    world = World()
    world.change("pool", exists=True)
    with pytest.raises(UnknownComputeTarget, match="Known here: local, pool"):
        await world.targets.require("default", "other")


async def test_one_that_was_deleted_is_refused_again() -> None:
    world = World()
    world.change("pool", exists=True)
    await world.targets.require("default", "pool")
    world.change("pool", exists=False)
    with pytest.raises(UnknownComputeTarget):
        await world.targets.require("default", "pool")


async def test_a_look_up_that_a_deletion_overtook_is_not_remembered() -> None:
    world = World()
    world.change("pool", exists=True)
    asking = asyncio.create_task(world.targets.require("default", "pool"))
    while not world.lookups:
        await asyncio.sleep(0)
    world.change("pool", exists=False)
    await asking  # it was there when it was asked for
    with pytest.raises(UnknownComputeTarget):
        await world.targets.require("default", "pool")
