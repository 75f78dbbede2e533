"""The views against a plain recomputation, whatever the sink repeats and in whatever order.

Batches and events are inserted in several INSERTs, some of them twice; the views have to show
what Python makes of the distinct ones. Asked before and after the engine has merged its parts.
"""

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from runhistory.clickhouse.client import open_client
from runhistory.clickhouse.storages import FIRST_STORAGE
from runhistory.domain.commands import (
    AddFiles,
    AddParams,
    AddProperties,
    ArchiveExperiment,
    ArchiveRun,
    CancelRun,
    ClaimRun,
    Command,
    CompleteRun,
    CreateExperiment,
    CreateRun,
    DeleteExperiment,
    DeleteRun,
    DescribeExperiment,
    DescribeRun,
    FailRun,
    PauseRun,
    ProvisionRun,
    ReactivateExperiment,
    ReactivateRun,
    RemoveExperimentTags,
    RemoveTags,
    ReportExit,
    ReportLife,
    ReportSilence,
    ResumeRun,
    SetExperimentTags,
    SetTags,
    StartRun,
    TakeSnapshot,
    WarnRun,
)
from runhistory.domain.ids import experiment_id, new_run_id
from runhistory.domain.state import Experiment, Run
from runhistory.domain.values import FileEntry, RunContent, RunError, ScriptSpec
from runhistory.query.deleted_runs import RunDeleted
from runhistory.query.run_details import get_run
from tests.conftest import Engine
from tests.support.landing import History, Row, insert, log_row, metric_row, record_row

pytestmark = pytest.mark.infrastructure

MANY = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink on an engine takes minutes
)
STEPS = st.one_of(
    st.integers(-3, 3), st.integers(-2_001, 2_001), st.sampled_from([-(2**63), 2**63 - 1])
)
KEYS = st.sampled_from(["loss", "val/ü", "a \"b'c\\"])


@pytest.fixture
def client(engine: Engine) -> Client:
    return open_client(engine.url)


@MANY
@given(
    lines=st.lists(
        st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.text()), min_size=1),
        min_size=1,
        max_size=5,
    ),
    data=st.data(),
)
def test_log_lines_are_shown_once(
    client: Client, lines: list[list[tuple[str, str]]], data: st.DataObject
) -> None:
    workspace, run_id = f"w{uuid.uuid4().hex}", new_run_id()
    rows = [log_row(workspace, run_id, seq, batch) for seq, batch in enumerate(lines)]
    for chunk in _repeated(rows, data):
        insert(client, "logs_landing", chunk)
    expected = [
        (seq, index, stream, line)
        for seq, batch in enumerate(lines)
        for index, (stream, line) in enumerate(batch)
    ]
    sql = (
        "SELECT seq, index, stream, line FROM runhistory.log_lines "
        f"WHERE workspace = '{workspace}' ORDER BY seq, index"
    )
    assert client.query(sql).result_rows == expected
    _merge(client, "log_lines")
    assert client.query(sql).result_rows == expected


@MANY
@given(
    batches=st.lists(
        st.lists(st.tuples(KEYS, STEPS, st.text()), min_size=1, max_size=4), min_size=1, max_size=5
    ),
    data=st.data(),
)
def test_records_are_shown_once(
    client: Client, batches: list[list[tuple[str, int, str]]], data: st.DataObject
) -> None:
    workspace, run_id = f"w{uuid.uuid4().hex}", new_run_id()
    rows = [
        record_row(
            workspace,
            run_id,
            seq,
            [{"key": key, "step": step, "value": json.dumps(text)} for key, step, text in batch],
        )
        for seq, batch in enumerate(batches)
    ]
    for chunk in _repeated(rows, data):
        insert(client, "records_landing", chunk)
    expected = [
        (seq, index, key, step, json.dumps(text), None)
        for seq, batch in enumerate(batches)
        for index, (key, step, text) in enumerate(batch)
    ]
    sql = (
        "SELECT seq, index, key, step, value, file FROM runhistory.records "
        f"WHERE workspace = '{workspace}' ORDER BY seq, index"
    )
    assert client.query(sql).result_rows == expected
    _merge(client, "records")
    assert client.query(sql).result_rows == expected


@MANY
@given(data=st.data())
def test_views_of_events_do_not_feel_order_or_repetition(
    client: Client, data: st.DataObject
) -> None:
    workspace = f"w{uuid.uuid4().hex}"
    histories = [_history(workspace, data) for _ in range(2)]
    told = _experiment(workspace, data)
    rows = [row for history in (*histories, told) for row in history.rows]
    insert(client, "events_landing", rows)
    expected = _read_events(client, workspace)
    _expect_state(client, workspace, histories)
    _expect_experiment(client, workspace, told, histories)

    for chunk in _repeated(rows, data):
        insert(client, "events_landing", chunk)

    assert _read_events(client, workspace) == expected
    _merge(client, *EVENT_TABLES)
    assert _read_events(client, workspace) == expected


@pytest.mark.parametrize(
    "damage",
    [
        {"keys": None},
        {"values": None},
        {"key_index": [2]},
        {"key_index": [0]},
        {"steps": [1, 2]},
        {"steps": [1.5]},
        {"values": ["x"]},
        {"run_id": "00"},
        {"run_id": None},
        {"workspace": None},
        {"attempt": 0},
        {"writer": None},
    ],
)
def test_a_message_that_is_not_whole_is_refused(client: Client, damage: dict[str, Any]) -> None:
    """null inside an array reads as 0 whatever the settings: gateway and sink refuse it before."""
    workspace = f"w{uuid.uuid4().hex}"
    batch = {"writer": "w", "seq": 0, "keys": ["k"], "key_index": [1], "steps": [1], "times": [1]}
    row = {**metric_row(workspace, new_run_id(), {**batch, "values": [1.0]}), **damage}
    row = {name: value for name, value in row.items() if value is not None}
    with pytest.raises(Exception, match="Received ClickHouse exception"):
        insert(client, "metrics_landing", [row])
    sql = f"SELECT count() FROM runhistory.points WHERE workspace = '{workspace}'"
    assert client.query(sql).result_rows == [(0,)]


def _repeated(rows: list[Row], data: st.DataObject) -> Iterator[list[Row]]:
    """All rows at least once, in any order, in several INSERTs, some of them again."""
    order = data.draw(st.permutations(rows + data.draw(st.lists(st.sampled_from(rows)))))
    while order:
        size = data.draw(st.integers(1, len(order)))
        yield order[:size]
        order = order[size:]


def _merge(client: Client, *tables: str) -> None:
    for table in tables:
        client.command(f"OPTIMIZE TABLE {FIRST_STORAGE}.{table} FINAL")


EVENT_TABLES = ("events", "runs", "pairs", "files", "experiments", "deleted_runs")
EVENT_VIEWS = (
    *("events", "event_log", "runs", "run_statuses", "warnings"),
    *("tags", "properties", "params", "files"),
    *("experiments", "deleted_experiments", "deleted_runs"),
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=3)
SPOKEN = st.sampled_from(["tag", "ü", "x"])


def _history(workspace: str, data: st.DataObject) -> History:
    """A run that gets so far on its way, with all that is said about it in between."""
    run_id, claim = new_run_id(), uuid.uuid4().hex

    def own() -> dict[str, Any]:
        return {"workspace": workspace, "run_id": run_id, "command_id": uuid.uuid4().hex}

    def said() -> list[Command]:
        """Something about the run; what changes nothing makes no event."""
        makers = [
            lambda: SetTags(**own(), tags={data.draw(SPOKEN): data.draw(TEXTS)}),
            lambda: RemoveTags(**own(), names=tuple(data.draw(st.sets(SPOKEN, min_size=1)))),
            lambda: DescribeRun(**own(), display_name=data.draw(st.none() | NAMES)),
            lambda: DescribeRun(**own(), description=data.draw(st.none() | TEXTS)),
            lambda: ArchiveRun(**own()),
            lambda: ReactivateRun(**own()),
            lambda: WarnRun(**own(), code="Slow", message="m"),
            lambda: AddParams(**own(), params={uuid.uuid4().hex: data.draw(TEXTS)}),
            lambda: AddProperties(**own(), properties={uuid.uuid4().hex: data.draw(TEXTS)}),
            lambda: TakeSnapshot(**own(), snapshot_id="1" * 64),
        ]
        return [maker() for maker in data.draw(st.lists(st.sampled_from(makers), max_size=2))]

    pairs = st.dictionaries(NAMES, TEXTS, max_size=3)
    content = RunContent(
        type="script",
        experiment="e",
        description=data.draw(TEXTS),
        parent_run_id=data.draw(st.sampled_from([None, "1" * 32])),
        reproduces=data.draw(st.sampled_from([None, "2" * 32])),
        tags=data.draw(pairs),
        params=data.draw(pairs),
        properties=data.draw(pairs),
        spec=ScriptSpec(script="t.py", snapshot_id="0" * 64, arguments=(data.draw(TEXTS.map(_c)),)),
    )
    files = (FileEntry("f", "a" * 64, 1), FileEntry("f", "b" * 64, 2), FileEntry("g", "c" * 64, 3))
    seen = datetime(2026, 11, 23, tzinfo=UTC)
    way: list[Command] = [
        CreateRun(**own(), content=content),
        *said(),
        ProvisionRun(**own(), node="n"),
        ClaimRun(**own(), claim_id=claim, worker_id="w"),
        *said(),
        StartRun(**own(), claim_id=claim),
        ReportSilence(**own(), attempt=1, last_seen=seen),
        ReportLife(**own(), attempt=1),
        PauseRun(**own()),
        ResumeRun(**own()),
        AddFiles(**own(), attempt=1, files=files),
        ReportExit(**own(), claim_id=claim, exit_code=data.draw(st.integers(-(2**31), 2**31 - 1))),
        data.draw(
            st.sampled_from(
                [
                    FailRun(**own(), claim_id=claim, error=RunError("E", "m", "d")),
                    CancelRun(**own(), reason="r"),
                    CompleteRun(**own(), claim_id=claim),
                ]
            )
        ),
        *said(),
    ]
    history = History().attempt(*way[: data.draw(st.integers(1, len(way)))])
    if history.state.is_terminal and data.draw(st.booleans()):
        history.apply(DeleteRun(**own()))
    return history


def _experiment(workspace: str, data: st.DataObject) -> History:
    """An experiment of which something is said, which may be deleted and created anew."""
    own = {"workspace": workspace, "run_id": experiment_id(workspace, "e"), "name": "e"}
    makers = [
        lambda ids: CreateExperiment(**ids, description=data.draw(TEXTS), tags={"x": "0"}),
        lambda ids: SetExperimentTags(**ids, tags={data.draw(SPOKEN): data.draw(TEXTS)}),
        lambda ids: RemoveExperimentTags(**ids, names=("x",)),
        lambda ids: DescribeExperiment(**ids, description=data.draw(TEXTS)),
        lambda ids: ArchiveExperiment(**ids),
        lambda ids: ReactivateExperiment(**ids),
        lambda ids: DeleteExperiment(**ids),
    ]
    chosen = data.draw(st.lists(st.sampled_from(makers), max_size=8))
    return History().attempt(*(make({**own, "command_id": uuid.uuid4().hex}) for make in chosen))


def _c(text: str) -> str:
    return text.replace("\x00", "")


def _read_events(client: Client, workspace: str) -> list[list[tuple[Any, ...]]]:
    return [
        sorted(
            client.query(
                f"SELECT * FROM runhistory.{view} WHERE workspace = '{workspace}'"
            ).result_rows,
            key=repr,
        )
        for view in EVENT_VIEWS
    ]


def _expect_state(client: Client, workspace: str, histories: list[History]) -> None:
    """What the domain folds from the same events is what the views show."""
    for history in histories:
        run: Run = history.state
        own = f"WHERE workspace = '{workspace}' AND run_uuid = unhex('{run.run_id}')"

        def rows(columns: str, view: str, own: str = own) -> list[Any]:
            found = client.query(f"SELECT {columns} FROM runhistory.{view} {own}").result_rows
            return [tuple(row) for row in found]

        assert rows("count()", "event_log") == [(run.version,)]
        assert len(rows("time", "deleted_runs")) == run.is_deleted
        if run.is_deleted:
            with pytest.raises(RunDeleted):
                get_run(client, workspace=workspace, run_id=run.run_id)
            for view in EVENT_VIEWS[:9]:
                assert view == "event_log" or rows("1", view) == [], view
            continue
        columns = "status, attempt, version, display_name, description, archived, snapshot_id"
        assert rows(columns, "runs") == [
            (
                *(run.status, run.attempt, run.version, run.display_name, run.description),
                *(run.is_archived, run.snapshot_id),
            )
        ]
        _expect_details(client, workspace, run.run_id)
        for view in ("tags", "properties", "params"):
            pairs = rows("name, value", view)
            assert dict(pairs) == getattr(run, view)
            assert len(pairs) == len(getattr(run, view))
        assert rows("count()", "events") == [(run.version,)]
        statuses = [json.loads(row["data"])["status"] for row in history.rows]
        changes = [new for old, new in zip(["", *statuses], statuses, strict=False) if old != new]
        shown = sorted(rows("version, status", "run_statuses"))
        assert [status for _, status in shown] == changes
        told = [json.loads(row["data"]) for row in history.rows if row["type"] == "run.warned.v1"]
        assert sorted(rows("version, code, message, attempt", "warnings")) == [
            (one["version"], one["code"], one["message"], one["attempt"]) for one in told
        ]


def _expect_details(client: Client, workspace: str, run_id: str) -> None:
    """What is told of one run, folded from its events, is what the views show, made in SQL."""
    details = get_run(client, workspace=workspace, run_id=run_id)
    assert details is not None

    def shown(columns: str, view: str) -> list[dict[str, Any]]:
        sql = f"SELECT {columns} FROM runhistory.{view}"
        own = f"WHERE workspace = '{workspace}' AND run_uuid = unhex('{run_id}')"
        found = client.query(f"{sql} {own} ORDER BY version", tz_mode="aware")
        return list(found.named_results())

    [run] = shown("*", "runs")
    told = msgspec.structs.asdict(details)
    same = set(told) & set(run) - {"spec", "environment"}
    assert len(same) > 20
    assert {name: told[name] for name in same} == {name: run[name] for name in same}
    assert details.spec == msgspec.json.decode(run["spec"], type=ScriptSpec)
    assert (run["error_code"] is None) == (details.error is None)
    if details.error is not None:
        code, message, more = run["error_code"], run["error_message"], run["error_details"]
        assert details.error == RunError(code, message, more)
    assert [(one.status, one.time) for one in details.timeline] == [
        (one["status"], one["since"]) for one in shown("status, since", "run_statuses")
    ]
    assert [(one.time, one.code, one.message) for one in details.warnings] == [
        (one["time"], one["code"], one["message"]) for one in shown("*", "warnings")
    ]
    for view in ("tags", "properties", "params"):
        assert told[view] == {one["name"]: one["value"] for one in shown("*", view)}


def _expect_experiment(
    client: Client, workspace: str, told: History, histories: list[History]
) -> None:
    """It is there while somebody said so last, or while a run is; what was said holds if so."""
    live = sum(not history.state.is_deleted for history in histories)
    sql = "SELECT description, tags, archived, runs FROM runhistory.experiments"
    found = client.query(f"{sql} WHERE workspace = '{workspace}'").result_rows
    state: Experiment | None = told.state
    gone = state is not None and state.is_deleted
    assert len(found) == (not gone or live > 0)
    if found:
        description, tags, archived, runs = found[0]
        said = (
            state
            if state is not None and not gone
            else Experiment(workspace=workspace, run_id="0" * 32, version=1, name="e")
        )
        assert (description, tags, archived) == (said.description, said.tags, said.is_archived)
        assert sum(runs.values()) == live


def test_a_file_kept_again_in_the_same_event_is_the_later_one(client: Client) -> None:
    workspace, run_id = f"w{uuid.uuid4().hex}", new_run_id()
    own = {"workspace": workspace, "run_id": run_id}
    content = RunContent(type="interactive", experiment="e")
    entries = (FileEntry("f", "a" * 64, 1), FileEntry("f", "b" * 64, 2))
    history = History().apply(
        CreateRun(**own, command_id="1", content=content),
        StartRun(**own, command_id="2"),
        AddFiles(**own, command_id="3", attempt=1, files=entries),
    )
    insert(client, "events_landing", history.rows)
    sql = f"SELECT name, sha256 FROM runhistory.files WHERE workspace = '{workspace}'"
    assert client.query(sql).result_rows == [("f", "b" * 64)]
