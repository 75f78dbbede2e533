"""The oracle of the faults: one ledger held against all that can be read of it.

* acknowledged ⊆ stored ⊆ sent, batch by batch and bit by bit;
* no point twice: what the deduplicating view counts is the exact number of distinct identities,
  before and after everything is merged;
* every view shows what plain Python makes of the log;
* the gap report (`GET …/ingestion`) says of each writer what the ledger says;
* commands: each acknowledged one has exactly one event, and versions are 1, 2, 3, ….

`judge` gathers what is wrong instead of raising at the first, so that figures can be printed.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
from aiokafka import TopicPartition
from clickhouse_connect.driver.client import Client

from runhistory.clickhouse.client import open_client
from runhistory.clickhouse.storages import load_storages
from runhistory.domain.ingestion import Ingestion
from runhistory.kafka.clients import open_consumer
from runhistory.query.ingestion import load_ingestion
from runhistory.sdk.run_ingestion import as_ingestion
from tests.support.fault_ledger import (
    COMMANDS,
    POINTS,
    FaultLedger,
    Name,
    batches,
    command_id,
    content,
)
from tests.support.landing import Row
from tests.support.metric_views import Point, expected_views, read_views
from tests.support.sink_ledger import SinkLedger

PATIENCE = 180
IDENTITY = "run_id, key, step, attempt, writer, seq, index"
Shown = dict[str, dict[str, list[Point]]]
"""What each view shows of each run."""


@dataclass
class Verdict:
    """Figures, and what is wrong in words; nothing wrong is an empty list."""

    batches: int = 0
    points: int = 0
    commands: int = 0
    lost: int = 0
    """Points that were acknowledged and are not seen as they were sent."""
    doubled: int = 0
    """Points that a reader sees a second time."""
    repeated: int = 0
    """Records that lie in the log again, which no reader may see twice."""
    problems: list[str] = field(default_factory=list)

    def expect(self, holds: bool, problem: str) -> None:
        """Note the problem unless it holds."""
        if not holds:
            self.problems.append(problem)


@dataclass(frozen=True)
class World:
    """Where the load went."""

    bootstrap: str
    clickhouse: str
    workspace: str
    run_ids: tuple[str, ...]
    gateway: str | None = None
    """Asked for the gap report where there is one; it is made of ClickHouse alone elsewhere."""


async def judge(world: World, ledger: FaultLedger) -> Verdict:
    """Hold everything that is stored against the ledger, once the sink has passed the log's end."""
    sent, acked = ledger.sent(), ledger.acked()
    rows = await read_log(world)
    verdict = Verdict(
        batches=len(batches(acked)),
        points=len(batches(acked)) * POINTS,
        commands=len(acked - batches(acked)),
        repeated=len(rows) - len({_name(row) for row in rows}),
    )
    client = open_client(world.clickhouse)
    try:
        _judge_log(verdict, rows, sent)
        for state in ("before merges", "after merges"):
            shown = {run: read_views(client, world.workspace, run) for run in world.run_ids}
            _judge_points(verdict, shown, sent, acked)
            _judge_counts(verdict, client, world, state)
            _judge_views(verdict, shown, rows, state)
            _merge(client)
        _judge_commands(verdict, client, world, acked)
        _judge_gaps(verdict, client, world, rows)
    finally:
        client.close()
    return verdict


async def read_log(world: World) -> list[Row]:
    """The workspace's batches in run.metrics, when the sink has committed all of that topic."""
    passed = SinkLedger(world.bootstrap, world.clickhouse)
    consumer = await open_consumer(world.bootstrap, "run.metrics", client_id="oracle")
    found: list[Row] = []
    try:
        places: Iterable[TopicPartition] = consumer.assignment()
        ends = await consumer.end_offsets(list(places))
        await consumer.seek_to_beginning(*places)
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for one in records:
                    place = {"_p": one.partition, "_o": one.offset, "_t": one.timestamp}
                    found.append({**place, **orjson.loads(one.value or b"")})
    finally:
        await consumer.stop()
    passed.ends = {place: end for place, end in ends.items() if end}
    await passed.wait_until_committed(PATIENCE)
    return [row for row in found if row["workspace"] == world.workspace]


def _judge_log(verdict: Verdict, rows: list[Row], sent: set[Name]) -> None:
    for row in rows:
        name = _name(row)
        verdict.expect(name in sent, f"{name} is in the log and was never sent")
        same = all(row[column] == value for column, value in content(name).items())
        verdict.expect(same, f"{name} has another content in the log")


def _judge_points(verdict: Verdict, shown: Shown, sent: set[Name], acked: set[Name]) -> None:
    """acknowledged ⊆ stored ⊆ sent, from nothing but the ledger and what readers see."""
    seen: dict[Name, list[Point]] = defaultdict(list)
    for run_id, views in shown.items():
        for point in views["points"]:
            seen[Name(run_id, point[3], point[4])].append(point)
    strangers = seen.keys() - sent
    verdict.expect(not strangers, f"stored and never sent: {_some(strangers)}")
    whole = {name for name in seen if seen[name] == _as_sent(name)}
    verdict.expect(whole == seen.keys(), f"not as they were sent: {_some(seen.keys() - whole)}")
    lost = batches(acked) - whole
    verdict.lost = max(verdict.lost, len(lost) * POINTS)
    verdict.expect(not lost, f"acknowledged and lost: {_some(lost)}")


def _as_sent(name: Name) -> list[Point]:
    row = {**content(name), "attempt": 1, "_o": 0, "_p": 0, "_t": 0}
    return expected_views([row])["points"]


def _judge_counts(verdict: Verdict, client: Client, world: World, state: str) -> None:
    storage = load_storages(client).reading
    seen, distinct = _numbers(
        client, f"SELECT count(), uniqExact({IDENTITY}) FROM runhistory.points", world
    )
    (stored,) = _numbers(
        client,
        f"SELECT uniqExact({IDENTITY}) FROM {storage}.points "
        "ARRAY JOIN steps AS step, indexes AS index",
        world,
    )
    verdict.doubled = max(verdict.doubled, seen - distinct)
    verdict.expect(seen == distinct == stored, f"{state}: {seen} {distinct} {stored} points")


def _judge_views(verdict: Verdict, shown: Shown, rows: list[Row], state: str) -> None:
    for run_id, views in shown.items():
        expected = expected_views([row for row in rows if row["run_id"] == run_id])
        for view, found in views.items():
            verdict.expect(found == expected[view], f"{state}: {view} of {run_id} differs")


def _judge_commands(verdict: Verdict, client: Client, world: World, acked: set[Name]) -> None:
    wanted = {command_id(name) for name in acked if name.writer == COMMANDS}
    query = f"""
        SELECT run_id, version, command_id FROM runhistory.events
        WHERE workspace = '{world.workspace}' ORDER BY run_id, version
    """

    def arrived() -> list[Any]:
        return list(client.query(query).result_rows)

    _eventually(lambda: wanted <= {row[2] for row in arrived()})
    events = arrived()
    ids = [row[2] for row in events if row[2] in wanted]
    verdict.expect(set(ids) == wanted, "the events of an acknowledged command are not there")
    verdict.expect(len(ids) == len(set(ids)), "a command has two events")
    for run_id in world.run_ids:
        versions = [row[1] for row in events if row[0] == run_id]
        whole = versions == list(range(1, len(versions) + 1))
        verdict.expect(whole, f"versions of {run_id} have a hole or come twice")


def _judge_gaps(verdict: Verdict, client: Client, world: World, rows: list[Row]) -> None:
    for run_id in world.run_ids:
        report = _gap_report(client, world, run_id)
        verdict.expect(report.is_whole, f"the gap report of {run_id}: {report}")
        told = {(one.writer, one.batches, one.last_seq) for one in report.writers}
        found: dict[str, set[int]] = defaultdict(set)
        for row in rows:
            if row["run_id"] == run_id:
                found[row["writer"]].add(row["seq"])
        due = {(writer, len(seqs), max(seqs)) for writer, seqs in found.items()}
        verdict.expect(told == due, f"the gap report of {run_id}: {told} instead of {due}")


def _gap_report(client: Client, world: World, run_id: str) -> Ingestion:
    if world.gateway is None:
        return load_ingestion(client, workspace=world.workspace, run_id=run_id)
    base = f"{world.gateway}/api/v1/workspaces/{world.workspace}/runs/{run_id}"
    return as_ingestion(httpx.get(f"{base}/ingestion", timeout=60).json())


def _merge(client: Client) -> None:
    storage = load_storages(client).reading
    tables = client.query(
        "SELECT name FROM system.tables WHERE database = {storage:String} "
        "AND engine LIKE '%MergeTree'",
        parameters={"storage": storage},
    ).result_rows
    for (table,) in tables:
        client.command(f"OPTIMIZE TABLE {storage}.{table} FINAL")


def _numbers(client: Client, query: str, world: World) -> list[int]:
    where = " WHERE workspace = {workspace:String}"
    found = client.query(query + where, parameters={"workspace": world.workspace})
    return [int(number) for number in found.result_rows[0]]


def _eventually(holds: Callable[[], bool]) -> None:
    """Wait for it; whether it holds then is judged by the one who asks."""
    deadline = time.monotonic() + PATIENCE
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.2)


def _name(row: Row) -> Name:
    return Name(row["run_id"], row["writer"], row["seq"])


def _some(names: Iterable[Name]) -> str:
    return str(sorted(names)[:5])
