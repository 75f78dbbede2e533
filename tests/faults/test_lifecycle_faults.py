"""The lifecycle killed, doubled, frozen and cut off: nothing lost, nothing applied twice."""

import asyncio
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runhistory.events.codec import encode_command
from tests.conftest import Broker
from tests.support.command_streams import interleaved, life_of_a_run
from tests.support.dying_lifecycle import STEPS, UNDONE
from tests.support.lifecycle_ledger import LifecycleLedger
from tests.support.service_process import ServiceProcess, free_port
from tests.support.upgraded_sink import later

pytestmark = [pytest.mark.infrastructure]

ROOT = Path(__file__).parents[2]

Lifecycles = list[ServiceProcess]


@pytest.fixture
def lifecycles(broker: Broker, tmp_path: Path) -> Iterator[Lifecycles]:
    """Two lifecycle processes, not yet started, whose ClickHouse is away: Kafka must do."""
    made = [
        ServiceProcess(
            "lifecycle",
            tmp_path / f"lifecycle-{number}.log",
            RUNHISTORY_KAFKA=broker.bootstrap,
            RUNHISTORY_CLICKHOUSE=f"http://127.0.0.1:{free_port()}",
            RUNHISTORY_INSTANCE=f"faults-{number}",
        )
        for number in (1, 2)
    ]
    yield made
    for lifecycle in made:
        lifecycle.__exit__(None, None, None)


async def test_killed_again_and_again_it_loses_nothing_and_repeats_nothing(
    broker: Broker, lifecycles: Lifecycles
) -> None:
    ledger, lifecycle = LifecycleLedger(broker.bootstrap), lifecycles[0]
    lifecycle.start()
    sending = asyncio.create_task(ledger.send(interleaved(60, seed=1), pause=0.01))
    chance, kills = random.Random(2), 0
    while not sending.done():
        await asyncio.sleep(chance.uniform(0.3, 1.5))
        lifecycle.kill()
        lifecycle.start()
        kills += 1
    await sending
    assert kills >= 3, "the load ended too soon to kill it in the middle"
    await ledger.wait_for_replies()
    await ledger.verify()


@pytest.mark.parametrize("step", STEPS)
async def test_killed_at_any_step_of_a_transaction_it_does_all_of_it_once(
    step: str, broker: Broker, lifecycles: Lifecycles
) -> None:
    """The clients, who have no answer, repeat every command."""
    ledger, commands = LifecycleLedger(broker.bootstrap), interleaved(8, seed=7)
    await ledger.send(commands)
    await asyncio.to_thread(_die_at, step, broker)
    if step in UNDONE:
        assert (await ledger.replies(), await ledger.events()) == ([], {})
    if step == "commit":
        assert len(await ledger.replies()) > 0
    await ledger.send(commands)
    lifecycles[0].start()
    await ledger.wait_for_replies()
    await ledger.verify()


def _die_at(step: str, broker: Broker) -> None:
    died = subprocess.run(
        [sys.executable, "-m", "tests.support.dying_lifecycle", step],
        cwd=ROOT,
        env={
            **os.environ,
            "RUNHISTORY_KAFKA": broker.bootstrap,
            "RUNHISTORY_CLICKHOUSE": f"http://127.0.0.1:{free_port()}",
            "RUNHISTORY_INSTANCE": "faults-1",
            "RUNHISTORY_PORT": str(free_port()),
        },
        capture_output=True,
        timeout=60,
    )
    assert died.returncode == -9, died.stdout.decode()


async def test_a_client_that_sends_every_command_twice_is_answered_alike(
    broker: Broker, lifecycles: Lifecycles
) -> None:
    ledger = LifecycleLedger(broker.bootstrap)
    lifecycles[0].start()
    commands = interleaved(10, seed=4)
    await ledger.send(commands)
    await ledger.wait_for_replies()
    await ledger.verify()
    before = await ledger.events()
    first = {reply.command_id: reply for reply in await ledger.replies()}
    again = LifecycleLedger(broker.bootstrap)
    await again.send(commands)
    async with asyncio.timeout(30):
        while len(replies := await again.replies()) < 2 * len(commands):
            await asyncio.sleep(0.1)
    assert await again.events() == before
    for reply in replies:
        if first[reply.command_id].outcome == "accepted":
            old = first[reply.command_id]
            assert (reply.outcome, reply.status, reply.version, reply.attempt) == (
                old.outcome,
                old.status,
                old.version,
                old.attempt,
            )


async def test_events_of_a_stranger_do_not_put_watermarks_out(
    broker: Broker, lifecycles: Lifecycles
) -> None:
    """Watermarks are foreseen; what somebody else appends to run.events is noticed in time."""
    ledger = LifecycleLedger(broker.bootstrap)
    lifecycles[0].start().wait_ready()
    commands = interleaved(10, seed=5)
    await ledger.send(commands[:30])
    await ledger.wait_for_replies()
    stranger = LifecycleLedger(broker.bootstrap)
    await stranger.append_events_of(life_of_a_run(random.Random(6))[0])
    await ledger.send(commands[30:])
    await ledger.wait_for_replies()
    await ledger.verify()


async def test_a_command_of_a_later_version_is_passed_over_and_those_around_it_are_decided(
    broker: Broker, lifecycles: Lifecycles
) -> None:
    ledger, commands = LifecycleLedger(broker.bootstrap), interleaved(4, seed=9)
    await ledger.send(commands[:14])
    await ledger.append(later(encode_command(commands[14], "later")))
    await ledger.send(commands[14:])
    lifecycles[0].start()
    await ledger.wait_for_replies()
    await ledger.verify()


async def test_two_at_once_and_one_frozen_past_its_session_and_woken(
    broker: Broker, lifecycles: Lifecycles
) -> None:
    """The file's last: nobody else has to wait until the second one's session is over, too."""
    ledger = LifecycleLedger(broker.bootstrap)
    first, second = (lifecycle.start() for lifecycle in lifecycles)
    first.wait_ready()
    second.wait_ready()
    commands = interleaved(80, seed=3)
    await ledger.send(commands[:150])
    sending = asyncio.create_task(ledger.send(commands[150:], pause=0.03))
    first.freeze()
    frozen_at = time.monotonic()
    await asyncio.sleep(0.5)
    await ledger.wait_for_replies()  # the second has taken over all partitions by now
    assert time.monotonic() - frozen_at > 5, "it was not frozen past its session"
    first.thaw()
    await sending
    await ledger.wait_for_replies()
    await ledger.verify()
