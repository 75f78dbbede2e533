"""Poison of every topic that the sink stores: buried with its reason, and stored once it can be.

Kafka, the sink and the engine are real. What can be mended is a store that refuses some rows
until a file is removed (tests/support/picky_sink.py); what cannot, the engine itself refuses.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from clickhouse_connect.driver.client import Client
from typer.testing import CliRunner

from runhistory.cli.main import app
from runhistory.clickhouse.client import open_client
from runhistory.events.cloudevents import Record
from runhistory.kafka.clients import open_producer
from runhistory.kafka.dead_letters import letter_topics, read_letters
from runhistory.sink.rows import LANDINGS
from tests.conftest import Broker, Engine
from tests.support.letter_world import World, message
from tests.support.service_process import ServiceProcess

pytestmark = pytest.mark.infrastructure

POISON = "poison"
HOPELESS = {
    "run.metrics": {"steps": [1, 2]},
    "run.logs": {"times": [1, 2]},
    "run.records": {"records": [{"key": "k"}]},
    "run.events": {"version": -1},
    "compute.events": {"target_id": "0"},
}
"""What makes a good message one that no sink can store."""


def _hopeless(topic: str) -> Record:
    """A message that the engine (or the sink, who knows it) refuses."""
    good = message(topic, "hopeless")
    value = {**msgspec.json.decode(good.value), **HOPELESS[topic]}
    return Record(good.key, good.headers, msgspec.json.encode(value))


class PickyWorld(World):
    """A world whose store refuses some rows until a file is removed."""

    def __init__(self, bootstrap: str, client: Client, refusals: Path) -> None:
        super().__init__(bootstrap, client)
        self._refusals = refusals

    def refuse(self, topic: str) -> None:
        (self._refusals / LANDINGS[topic].table).touch()

    def mend(self, topic: str) -> None:
        (self._refusals / LANDINGS[topic].table).unlink()


@pytest.fixture(scope="module")
def world(
    broker: Broker, engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PickyWorld]:
    folder = tmp_path_factory.mktemp("sink")
    refusals = folder / "refusals"
    refusals.mkdir()
    sink = ServiceProcess(
        "sink",
        folder / "sink.log",
        ("tests.support.picky_sink", str(refusals)),
        RUNHISTORY_KAFKA=broker.bootstrap,
        RUNHISTORY_CLICKHOUSE=engine.url,
    )
    with sink:
        sink.wait_ready()
        yield PickyWorld(broker.bootstrap, open_client(engine.url), refusals)


def test_every_topic_that_is_stored_has_letters() -> None:
    assert set(letter_topics()) == set(LANDINGS) == set(HOPELESS)


@pytest.mark.parametrize("topic", sorted(HOPELESS))
async def test_poison_is_buried_and_replayed_when_its_cause_is_mended(
    world: PickyWorld, topic: str
) -> None:
    world.refuse(topic)
    good = [message(topic, word) for word in ("before", POISON, "behind")]
    _, origin, hopeless, _ = await world.send(topic, *good[:2], _hopeless(topic), good[2])
    await world.until_shown(topic, "before", "behind")
    letters = {one.origin: one for one in await world.letters(topic, 2)}
    assert letters.keys() == {origin, hopeless}
    for letter in letters.values():
        assert (letter.replayed, letter.times) == (None, 1)
        assert letter.reason
    assert POISON not in {word for word, _ in world.shown(topic)}

    code, (told,) = await asyncio.to_thread(world.dlq, "replay", origin)
    assert (code, told["outcome"]) == (1, "refused")
    assert "broken" in told["reason"]
    letters = {one.origin: one for one in await world.letters(topic, 2)}
    assert (letters[origin].replayed, letters[origin].times) == (None, 2)

    world.mend(topic)
    code, told = await asyncio.to_thread(world.dlq, "replay", "--topic", topic, "--all")
    outcomes = {one["origin"]: one["outcome"] for one in told}
    assert (code, outcomes) == (1, {origin: "stored", hopeless: "refused"})
    shown = world.shown(topic)
    words = dict(shown)
    assert words.keys() == {"before", POISON, "behind"}
    if topic != "compute.events":
        assert words[POISON] == int(origin.rpartition("/")[2]), "it has its own place"

    _, still = await asyncio.to_thread(world.dlq, "list", "--topic", topic)
    assert [one["origin"] for one in still] == [hopeless]
    code, _ = await asyncio.to_thread(world.dlq, "replay", origin)
    assert (code, world.shown(topic)) == (0, shown), "another time changes nothing"
    letters = {one.origin: one for one in await world.letters(topic, 2)}
    assert letters[origin].replayed is not None


async def test_a_letter_is_shown_byte_for_byte(world: PickyWorld) -> None:
    producer = await open_producer(world.kafka, client_id="test")
    try:
        sent = await producer.send_and_wait("run.logs", b'{"cut \xff', key=b"\xfe", partition=1)
    finally:
        await producer.stop()
    origin = f"run.logs/1/{sent.offset}"
    async with asyncio.timeout(60):
        while origin not in {one.origin for one in await read_letters(world.kafka, ["run.logs"])}:
            await asyncio.sleep(0.2)
    own = ["dlq", "show", origin, "--kafka", world.kafka]
    raw = await asyncio.to_thread(CliRunner().invoke, app, [*own, "--raw"])
    assert raw.stdout_bytes == b'{"cut \xff'
    _, told = await asyncio.to_thread(world.dlq, "show", origin)
    assert (told["key"], told["value"], told["bytes"]) == ("\\xfe", '{"cut \\xff', 7)
    assert told["headers"]["origin"] == origin


def test_what_is_no_letter_is_told(world: PickyWorld, tmp_path: Path) -> None:
    for arguments in (["show", "run.logs/7/999"], ["replay", "run.logs/7/999"]):
        found = CliRunner().invoke(app, ["dlq", *arguments, "--kafka", world.kafka])
        assert found.exit_code == 1
        assert "dlq list" in found.stderr
    found = CliRunner().invoke(app, ["dlq", "list", "--topic", "x", "--kafka", world.kafka])
    assert (found.exit_code, "run.metrics" in found.stderr) == (2, True)
    found = CliRunner().invoke(app, ["dlq", "list", "--kafka", "127.0.0.1:9"])
    assert (found.exit_code, "RUNHISTORY_KAFKA" in found.stderr) == (1, True)
