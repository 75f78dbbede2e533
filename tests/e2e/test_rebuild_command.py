"""`runhistory rebuild` on a running stack that ingests all the while, by the command line alone."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from runhistory import Workspace
from runhistory.clickhouse.client import open_client
from runhistory.clickhouse.storages import Storages, load_storages
from tests.e2e.conftest import Cli
from tests.support.chaos import FaultLoad, new_world
from tests.support.fault_oracle import World, judge
from tests.support.running_stack import RunningStack

pytestmark = pytest.mark.infrastructure


@pytest.fixture
def world(stack: RunningStack, workspace: Workspace) -> World:
    return new_world(stack, workspace)


@pytest.fixture
def load(world: World, tmp_path: Path) -> Iterator[FaultLoad]:
    """Batches and commands, all the while."""
    load = FaultLoad(world, tmp_path / "ledger")
    load.start()
    try:
        load.goes_on(20)
        yield load
    finally:
        load.end()


async def test_checked_and_then_rebuilt_while_ingestion_goes_on(
    stack: RunningStack, world: World, load: FaultLoad, cli: Cli
) -> None:
    client, data = open_client(world.clickhouse), ("--data", str(stack.data))
    before = load_storages(client).reading
    checked = json.loads(cli("rebuild", "--check", *data, "--json").stdout)
    assert checked["done"] == "checked"
    assert {"points", "events", "batches"} <= {table["table"] for table in checked["tables"]}
    assert [table for table in checked["tables"] if table["different"]] == []
    assert load_storages(client) == Storages(before, (before,))
    told = cli("rebuild", *data)
    after = load_storages(client).reading
    assert after != before
    assert load_storages(client) == Storages(after, (after,))
    assert f"Readers see the rebuilt tables now ({after})." in told.stdout
    assert "differs" not in told.stdout
    assert "Comparing the digests" in told.stderr
    load.goes_on(10)
    load.drain()
    verdict = await judge(world, load.ledger)
    assert (verdict.problems, verdict.lost, verdict.doubled) == ([], 0, 0)
