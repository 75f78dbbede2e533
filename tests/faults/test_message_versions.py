"""Messages of the version before and of one to come, between good ones, in every topic stored.

A program that is older than its log keeps aside what it cannot read and loses nothing around it;
a newer one reads both versions, and stores what was kept aside when it is replayed.
"""

import asyncio
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from runhistory.cli.main import app
from runhistory.clickhouse.client import open_client
from runhistory.events.cloudevents import Record
from runhistory.sink.rows import LANDINGS
from tests.conftest import Broker, Engine
from tests.support.command_streams import interleaved
from tests.support.letter_world import World, message
from tests.support.lifecycle_ledger import LifecycleLedger
from tests.support.service_process import ServiceProcess
from tests.support.upgraded_sink import later

pytestmark = pytest.mark.infrastructure

AROUND = 5
"""Good messages before what is unknown, and behind it."""
NOWHERE = "http://127.0.0.1:9"


async def test_what_is_newer_is_kept_aside_and_stored_by_the_program_that_knows_it(
    broker: Broker, engine: Engine, tmp_path: Path
) -> None:
    world = World(broker.bootstrap, open_client(engine.url))
    newer = {topic: later(message(topic, "newer")) for topic in LANDINGS}
    with _service("sink", tmp_path, broker, engine.url) as sink:
        origins = {
            topic: await _send_between_good_ones(world, topic, newer[topic]) for topic in newer
        }
        for topic, origin in origins.items():
            await world.until_shown(topic, f"behind-{AROUND - 1}")
            assert _words(world, topic) == _good()
            (letter,) = await world.letters(topic, 1)
            assert letter.origin == origin
            assert _says_why(topic, letter.reason)
            assert await _raw(world, origin) == newer[topic].value
        assert await asyncio.to_thread(sink.stop) == 0
    upgraded = "tests.support.upgraded_sink"
    with _service("sink", tmp_path, broker, engine.url, upgraded):
        for topic in newer:
            await world.send(topic, message(topic, "previous"), later(message(topic, "current")))
        for topic in newer:
            await world.until_shown(topic, "previous", "current")
            assert _words(world, topic) == _good("previous", "current")
        code, told = await asyncio.to_thread(world.dlq, "replay", "--all")
    outcomes = {one["origin"]: one["outcome"] for one in told}
    assert (code, outcomes) == (0, dict.fromkeys(origins.values(), "stored"))
    for topic, origin in origins.items():
        assert _words(world, topic) == _good("previous", "current", "newer")
        if topic != "compute.events":
            place = int(origin.rpartition("/")[2])
            assert dict(world.shown(topic))["newer"] == place, "it has its own place"
    _, still = await asyncio.to_thread(world.dlq, "list")
    assert still == []


async def test_behind_an_event_that_it_does_not_know_a_lifecycle_decides_nothing(
    broker: Broker, engine: Engine, tmp_path: Path
) -> None:
    """It ends, and says why: what a run's state is now, only the later program can tell."""
    await World(broker.bootstrap, open_client(engine.url)).send(
        "run.events", later(message("run.events", "newer"))
    )
    ledger = LifecycleLedger(broker.bootstrap)
    await ledger.send(interleaved(1, seed=10))
    with _service("lifecycle", tmp_path, broker, NOWHERE) as lifecycle:
        assert await asyncio.to_thread(lifecycle.process.wait, 60) == 1
        assert "unknown type 'run.created.v2'" in lifecycle.tail()
    assert await ledger.replies() == []


async def _send_between_good_ones(world: World, topic: str, newer: Record) -> str:
    """Where the newer one lies."""
    before = [message(topic, f"before-{number}") for number in range(AROUND)]
    behind = [message(topic, f"behind-{number}") for number in range(AROUND)]
    places = await world.send(topic, *before, newer, _with_more(topic), *behind)
    return places[AROUND]


async def _raw(world: World, origin: str) -> bytes:
    """The letter, byte for byte."""
    asked = ["dlq", "show", origin, "--kafka", world.kafka, "--raw"]
    return (await asyncio.to_thread(CliRunner().invoke, app, asked)).stdout_bytes


def _service(
    room: str, directory: Path, broker: Broker, clickhouse: str, *program: str
) -> ServiceProcess:
    return ServiceProcess(
        room,
        directory / f"{room}.log",
        program,
        RUNHISTORY_KAFKA=broker.bootstrap,
        RUNHISTORY_CLICKHOUSE=clickhouse,
        RUNHISTORY_INSTANCE="faults",
    )


def _with_more(topic: str) -> Record:
    """A message of this version by a later program, which has a field more."""
    good = message(topic, "more")
    value = {**msgspec.json.decode(good.value), "colour": "blue"}
    return Record(good.key, good.headers, msgspec.json.encode(value))


def _good(*words: str) -> list[str]:
    """The words of all that this version knows, and `words`."""
    around = [f"{where}-{number}" for where in ("before", "behind") for number in range(AROUND)]
    return sorted([*around, "more", *words])


def _words(world: World, topic: str) -> list[str]:
    """Every row that a reader sees, by its word: one that comes twice is here twice."""
    return sorted(word for word, _ in world.shown(topic))


def _says_why(topic: str, reason: str) -> bool:
    """Batches name the type; an event of any type is taken, and has to name its workspace."""
    return "workspace" in reason if topic.endswith(".events") else "v2" in reason
