"""A sink between Kafka and ClickHouse, its operator, and good messages of every topic."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from clickhouse_connect.driver.client import Client
from typer.testing import CliRunner

from runhistory.cli.main import app
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
from runhistory.kafka.dead_letters import Letter, read_letters

WORKSPACE: Final = "letters"
SHOWN: Final = {
    "run.metrics": "SELECT writer, offset FROM runhistory.points",
    "run.logs": "SELECT writer, offset FROM runhistory.log_lines",
    "run.records": "SELECT writer, offset FROM runhistory.records",
    "run.events": "SELECT JSONExtractString(data, 'content', 'description'), offset "
    "FROM runhistory.events",
    "compute.events": "SELECT node, 0 FROM runhistory.nodes",
}
RUN: Final = new_run_id()


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


def message(topic: str, word: str) -> Record:
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


class World:
    """A sink between a broker and an engine, and the command line of their operator."""

    def __init__(self, bootstrap: str, client: Client) -> None:
        self.kafka, self._client = bootstrap, client

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
