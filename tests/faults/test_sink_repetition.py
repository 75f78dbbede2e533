"""Everything stored a second time: no view gives another answer."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from runhistory.clickhouse.client import open_client
from runhistory.domain.commands import (
    AddFiles,
    ClaimRun,
    Command,
    CompleteRun,
    CreateComputeTarget,
    CreateExperiment,
    CreateRun,
    DeleteExperiment,
    DeleteRun,
    ReportExit,
    SetTags,
    StartRun,
    WarnRun,
)
from runhistory.domain.decide import Accepted, Context, decide
from runhistory.domain.ids import (
    compute_target_id,
    experiment_id,
    new_command_id,
    new_run_id,
)
from runhistory.domain.state import State, evolve
from runhistory.domain.values import FileEntry, RunContent, ScriptSpec
from runhistory.events import cloudevents
from runhistory.events.codec import encode_event
from runhistory.events.log_batch import LOG_LINES_WRITTEN, LogLinesWritten
from runhistory.events.node_events import NODES_TOPIC, NodeReady, encode_node_event
from runhistory.events.record_batch import RECORDS_LOGGED, LoggedRecord, RecordsLogged
from runhistory.kafka.clients import open_consumer, open_producer
from runhistory.sink.group import GROUP
from tests.conftest import Broker, Engine
from tests.support.service_process import ServiceProcess
from tests.support.sink_ledger import SinkLedger

pytestmark = pytest.mark.infrastructure


async def test_a_second_time_changes_no_answer_of_any_view(
    broker: Broker, engine: Engine, tmp_path: Path
) -> None:
    ledger = SinkLedger(broker.bootstrap, engine.url)
    await ledger.produce(50, size=30)
    await _tell_a_life_and_its_logs(ledger)
    await _tell_of_deletions_and_compute(ledger)
    sink = ServiceProcess(
        "sink",
        tmp_path / "sink.log",
        RUNHISTORY_KAFKA=broker.bootstrap,
        RUNHISTORY_CLICKHOUSE=engine.url,
    )
    with sink:
        await ledger.wait_until_committed()
        sink.stop()
        once = _answers(engine, ledger.workspace)
        await _forget_commits(broker, ledger)
        assert not await ledger.is_committed()
        sink.start()
        await ledger.wait_until_committed()
    ledger.check()
    assert _answers(engine, ledger.workspace) == once
    # Expiries are a setting's doing, not the log's.
    empty = {view for view, rows in once.items() if not rows} - {"expiries"}
    assert not empty, "a view that shows nothing proves nothing"


def _answers(engine: Engine, workspace: str) -> dict[str, list[Any]]:
    """What every user-facing view shows of the workspace."""
    client = open_client(engine.url)
    try:
        views = client.query(
            "SELECT table FROM system.columns "
            "WHERE database = 'runhistory' AND name = 'workspace' ORDER BY table"
        ).result_rows
        return {
            view: [
                repr(row)
                for row in client.query(
                    f"SELECT * FROM runhistory.{view} "
                    "WHERE workspace = {workspace:String} ORDER BY ALL",
                    parameters={"workspace": workspace},
                ).result_rows
            ]
            for (view,) in views
        }
    finally:
        client.close()


async def _forget_commits(broker: Broker, ledger: SinkLedger) -> None:
    """Put the group back to the beginning, as a crash before its first commit would leave it."""
    consumer = await open_consumer(broker.bootstrap, client_id="test", group_id=GROUP)
    try:
        consumer.assign(list(ledger.ends))
        await consumer.commit(dict.fromkeys(ledger.ends, 0))
    finally:
        await consumer.stop()


async def _tell_a_life_and_its_logs(ledger: SinkLedger) -> None:
    run_id, claim = new_run_id(), new_command_id()
    head: dict[str, Any] = {"workspace": ledger.workspace, "run_id": run_id}
    spec = ScriptSpec(script="train.py", snapshot_id="0" * 64)
    content = RunContent(
        type="script",
        experiment="repetition",
        spec=spec,
        parent_run_id=new_run_id(),
        tags={"team": "a"},
        properties={"origin": "test"},
        params={"lr": "0.1"},
    )
    file = FileEntry(name="outputs/model.bin", sha256="1" * 64, size=3)
    commands: list[Command] = [
        CreateRun(command_id=new_command_id(), content=content, **head),
        SetTags(command_id=new_command_id(), tags={"team": "b", "stage": "x"}, **head),
        ClaimRun(command_id=new_command_id(), claim_id=claim, worker_id="w", **head),
        StartRun(command_id=new_command_id(), claim_id=claim, **head),
        WarnRun(command_id=new_command_id(), code="GpuIdle", message="It idles.", **head),
        ReportExit(command_id=new_command_id(), claim_id=claim, exit_code=0, **head),
        AddFiles(command_id=new_command_id(), attempt=1, files=(file,), **head),
        CompleteRun(command_id=new_command_id(), claim_id=claim, **head),
    ]
    producer = await open_producer(ledger.bootstrap, client_id="test")
    try:
        await _decided(ledger, producer, commands)
        await _send_logs(ledger, producer, run_id)
        await _send_records(ledger, producer, run_id)
    finally:
        await producer.stop()


async def _tell_of_deletions_and_compute(ledger: SinkLedger) -> None:
    """A run and an experiment that were deleted, a compute target, and a node of it."""

    def head(run_id: str) -> dict[str, Any]:
        return {"workspace": ledger.workspace, "run_id": run_id, "command_id": new_command_id()}

    run = new_run_id()
    experiment = experiment_id(ledger.workspace, "gone")
    target = compute_target_id(ledger.workspace, "pool")
    content = RunContent(type="interactive", experiment="repetition")
    lives: list[list[Command]] = [
        [CreateRun(content=content, **head(run)), DeleteRun(**head(run))],
        [
            CreateExperiment(name="gone", **head(experiment)),
            DeleteExperiment(name="gone", **head(experiment)),
        ],
        [CreateComputeTarget(name="pool", **head(target))],
    ]
    node = NodeReady(
        workspace=ledger.workspace,
        target_id=target,
        compute_target="pool",
        node="pool-1",
        worker_id="w",
        life=1,
        slots=1,
        time=datetime.now(UTC),
    )
    producer = await open_producer(ledger.bootstrap, client_id="test")
    try:
        for commands in lives:
            await _decided(ledger, producer, commands)
        record = encode_node_event(node, "test")
        await _send(ledger, producer, NODES_TOPIC, target, record.value, record.headers)
    finally:
        await producer.stop()


async def _decided(ledger: SinkLedger, producer: AIOKafkaProducer, commands: list[Command]) -> None:
    """Append what the domain makes of these commands to one run, experiment or target."""
    state: State | None = None
    for command in commands:
        decision = decide(state, command, Context(now=datetime.now(UTC)))
        assert isinstance(decision, Accepted), decision
        for event in decision.events:
            state = evolve(state, event)
            record = encode_event(event)
            key = command.run_id
            await _send(ledger, producer, "run.events", key, record.value, record.headers)


async def _send_logs(ledger: SinkLedger, producer: AIOKafkaProducer, run_id: str) -> None:
    for seq in range(3):
        value = msgspec.json.encode(
            LogLinesWritten(
                workspace=ledger.workspace,
                run_id=run_id,
                attempt=1,
                writer="w",
                seq=seq,
                streams=["stdout", "stderr"],
                times=[1_700_000_000_000_000, 1_700_000_000_000_001],
                lines=[f"line {seq}", ""],
            )
        )
        headers = cloudevents.headers(
            id=f"{run_id}:{seq}",
            type=LOG_LINES_WRITTEN,
            source="test",
            subject=run_id,
            time=datetime.now(UTC),
        )
        await _send(ledger, producer, "run.logs", run_id, value, headers)


async def _send_records(ledger: SinkLedger, producer: AIOKafkaProducer, run_id: str) -> None:
    for seq in range(3):
        records = [
            LoggedRecord("stage", "value", seq, 1_700_000_000_000_000, f"text {seq}"),
            LoggedRecord("epoch", "row", seq, 1_700_000_000_000_001, {"loss": 0.5, "note": None}),
        ]
        value = msgspec.json.encode(
            RecordsLogged(
                workspace=ledger.workspace,
                run_id=run_id,
                attempt=1,
                writer="w",
                seq=seq,
                records=records,
            )
        )
        headers = cloudevents.headers(
            id=f"{run_id}:records:{seq}",
            type=RECORDS_LOGGED,
            source="test",
            subject=run_id,
            time=datetime.now(UTC),
        )
        await _send(ledger, producer, "run.records", run_id, value, headers)


async def _send(
    ledger: SinkLedger,
    producer: AIOKafkaProducer,
    topic: str,
    run_id: str,
    value: bytes,
    headers: cloudevents.Headers,
) -> None:
    sent = await producer.send_and_wait(topic, value, key=run_id.encode(), headers=headers)
    partition = TopicPartition(sent.topic, sent.partition)
    ledger.ends[partition] = max(ledger.ends.get(partition, 0), sent.offset + 1)
