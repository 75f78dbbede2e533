"""Poison of every topic that the sink stores: buried with its reason, and stored once it can be.

Kafka, the sink and the engine are real. What can be mended is a store that refuses some rows
until a file is removed (tests/support/picky_sink.py); what cannot, the engine itself refuses.
"""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from clickhouse_connect.driver.client import Client
from typer.testing import CliRunner

from runhistory.cli.main import app
from runhistory.clickhouse.client import open_client
from runhistory.domain.commands import CreateRun
from runhistory.domain.decide import Accepted, Context, decide
from runhistory.domain.ids import new_run_id
from runhistory.domain.values import RunContent
from runhistory.events import cloudevents
from runhistory.events.cloudevents import Record
from runhistory.events.codec import encode_event
from runhistory.events.log_batch import LOG_LINES_WRITTEN, LogLinesWritten
from runhistory.events.metric_batch import METRICS_LOGGED, MetricsLogged
from runhistory.events.node_events import NodeReady, encode_node_event
from runhistory.events.record_batch import RECORDS_LOGGED, LoggedRecord, RecordsLogged
from runhistory.kafka.clients import open_producer
from runhistory.kafka.dead_letters import Letter, letter_topics, read_letters
from runhistory.sink.rows import LANDINGS
from tests.conftest import Broker, Engine
from tests.support.service_process import ServiceProcess

pytestmark = pytest.mark.infrastructure

WORKSPACE = "letters"
POISON = "poison"
HOPELESS = {
    "run.metrics": {"steps": [1, 2]},
    "run.logs": {"times": [1, 2]},
    "run.records": {"records": [{"key": "k"}]},
    "run.events": {"version": -1},
    "compute.events": {"target_id": "0"},
}
"""What makes a good message one that no sink can store."""

SHOWN = {
    "run.metrics": "SELECT writer, offset FROM runhistory.points",
    "run.logs": "SELECT writer, offset FROM runhistory.log_lines",
    "run.records": "SELECT writer, offset FROM runhistory.records",
    "run.events": "SELECT JSONExtractString(data, 'content', 'description'), offset "
    "FROM runhistory.events",
    "compute.events": "SELECT node, 0 FROM runhistory.nodes",
}
RUN = new_run_id()


def _batch(topic: str, word: str) -> Record:
    """A good message of a topic of batches, by the writer `word`."""
    own: dict[str, Any] = {"workspace": WORKSPACE, "run_id": RUN, "attempt": 1}
    own |= {"writer": word, "seq": 0}
    value: Any
    match topic:
        case "run.metrics":
            columns = {"key_index": [1], "steps": [1], "values": [1.0], "times": [1]}
            type, value = METRICS_LOGGED, MetricsLogged(**own, keys=["k"], **columns)
        case "run.logs":
            columns = {"streams": ["stdout"], "times": [1], "lines": ["a"]}
            type, value = LOG_LINES_WRITTEN, LogLinesWritten(**own, **columns)
        case _:
            records = [LoggedRecord("k", "value", 0, 1, "text")]
            type, value = RECORDS_LOGGED, RecordsLogged(**own, records=records)
    headers = cloudevents.headers(
        id=word, type=type, source="test", subject=RUN, time=datetime.now(UTC)
    )
    return Record(RUN.encode(), headers, msgspec.json.encode(value))


def _message(topic: str, word: str) -> Record:
    """A good message of `topic`, told by `word`."""
    if topic == "run.events":
        content = RunContent(type="interactive", experiment="e", description=word)
        own = {"workspace": WORKSPACE, "run_id": new_run_id(), "command_id": word}
        decision = decide(None, CreateRun(**own, content=content), Context(now=datetime.now(UTC)))
        assert isinstance(decision, Accepted)
        return encode_event(decision.events[0])
    if topic == "compute.events":
        return encode_node_event(
            NodeReady(
                workspace=WORKSPACE,
                target_id="0" * 32,
                compute_target="pool",
                node=word,
                worker_id="w",
                life=1,
                slots=1,
                time=datetime.now(UTC),
            ),
            "test",
        )
    return _batch(topic, word)


def _hopeless(topic: str) -> Record:
    """A message that the engine (or the sink, who knows it) refuses."""
    good = _message(topic, "hopeless")
    value = {**msgspec.json.decode(good.value), **HOPELESS[topic]}
    return Record(good.key, good.headers, msgspec.json.encode(value))


class World:
    """A sink between a broker and an engine, and the command line of their operator."""

    def __init__(self, broker: Broker, client: Client, refusals: Path) -> None:
        self.kafka, self._client, self._refusals = broker.bootstrap, client, refusals

    async def send(self, topic: str, *messages: Record) -> list[str]:
        """Append messages; where they lie."""
        producer = await open_producer(self.kafka, client_id="test")
        try:
            places = []
            for one in messages:
                sent = await producer.send_and_wait(
                    topic, one.value, key=one.key, headers=one.headers, partition=0
                )
                places.append(f"{topic}/{sent.partition}/{sent.offset}")
            return places
        finally:
            await producer.stop()

    def shown(self, topic: str) -> list[tuple[Any, ...]]:
        """What readers see: a word and an offset for each row."""
        sql = f"{SHOWN[topic]} WHERE workspace = '{WORKSPACE}'"
        return sorted(map(tuple, self._client.query(sql).result_rows))

    async def until_shown(self, topic: str, *words: str) -> None:
        async with asyncio.timeout(60):
            while not {word for word, _ in self.shown(topic)} >= set(words):
                await asyncio.sleep(0.2)

    async def letters(self, topic: str, count: int) -> list[Letter]:
        """The letters of a topic, once there are so many."""
        async with asyncio.timeout(60):
            while len(found := await read_letters(self.kafka, [topic])) < count:
                await asyncio.sleep(0.2)
        return found

    def dlq(self, *arguments: str) -> tuple[int, Any]:
        """`runhistory dlq … --json`: its exit code and its answer."""
        asked = ["dlq", *arguments, "--kafka", self.kafka, "--json"]
        found = CliRunner().invoke(app, asked, prog_name="runhistory")
        return found.exit_code, json.loads(found.stdout)

    def refuse(self, topic: str) -> None:
        (self._refusals / LANDINGS[topic].table).touch()

    def mend(self, topic: str) -> None:
        (self._refusals / LANDINGS[topic].table).unlink()


@pytest.fixture(scope="module")
def world(
    broker: Broker, engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
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
        yield World(broker, open_client(engine.url), refusals)


def test_every_topic_that_is_stored_has_letters() -> None:
    assert set(letter_topics()) == set(LANDINGS) == set(HOPELESS)


@pytest.mark.parametrize("topic", sorted(HOPELESS))
async def test_poison_is_buried_and_replayed_when_its_cause_is_mended(
    world: World, topic: str
) -> None:
    world.refuse(topic)
    good = [_message(topic, word) for word in ("before", POISON, "behind")]
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


async def test_a_letter_is_shown_byte_for_byte(world: World) -> None:
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


def test_what_is_no_letter_is_told(world: World, tmp_path: Path) -> None:
    for arguments in (["show", "run.logs/7/999"], ["replay", "run.logs/7/999"]):
        found = CliRunner().invoke(app, ["dlq", *arguments, "--kafka", world.kafka])
        assert found.exit_code == 1
        assert "dlq list" in found.stderr
    found = CliRunner().invoke(app, ["dlq", "list", "--topic", "x", "--kafka", world.kafka])
    assert (found.exit_code, "run.metrics" in found.stderr) == (2, True)
    found = CliRunner().invoke(app, ["dlq", "list", "--kafka", "127.0.0.1:9"])
    assert (found.exit_code, "RUNHISTORY_KAFKA" in found.stderr) == (1, True)
