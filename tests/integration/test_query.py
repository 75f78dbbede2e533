"""The reads that the gateway serves, against the real engine."""

import math
import uuid
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import orjson
import pytest
from clickhouse_connect.driver.client import Client

from runhistory.clickhouse.client import open_client
from runhistory.domain.commands import (
    AddFiles,
    ArchiveExperiment,
    ArchiveRun,
    ClaimRun,
    CreateExperiment,
    CreateRun,
    DeleteExperiment,
    DeleteRun,
    DescribeExperiment,
    FailRun,
    RecordEnvironment,
    RemoveExperimentTags,
    ReportExit,
    SetExperimentTags,
    SetTags,
    StartRun,
    WarnRun,
)
from runhistory.domain.ids import experiment_id, new_run_id
from runhistory.domain.status import RunStatus
from runhistory.domain.values import (
    FileEntry,
    ResolvedEnvironment,
    RunContent,
    RunError,
    ScriptSpec,
)
from runhistory.query.creation_times import first_creation
from runhistory.query.deleted_runs import RunDeleted
from runhistory.query.experiments import get_experiment, is_deleted, list_experiments
from runhistory.query.files import find_file, list_files
from runhistory.query.logs import load_log_page
from runhistory.query.metrics import TooManyPoints, load_curves, load_summaries
from runhistory.query.references import resolve_run
from runhistory.query.replay import load_events
from runhistory.query.run_details import get_run, latest_attempt
from runhistory.query.run_filter import RunFilter
from runhistory.query.run_fold import RunWarning
from runhistory.query.runs import InvalidCursor, list_runs
from tests.conftest import Engine
from tests.support.landing import History, Row, insert, log_row, metric_row

pytestmark = pytest.mark.infrastructure

START = datetime(2026, 11, 23, 12, 0, 0, 1, UTC)


@pytest.fixture
def client(engine: Engine) -> Client:
    return open_client(engine.url)


@pytest.fixture
def workspace() -> str:
    return f"w{uuid.uuid4().hex}"


def _command(workspace: str, run_id: str) -> dict[str, str]:
    return {"workspace": workspace, "run_id": run_id, "command_id": uuid.uuid4().hex}


def _create(workspace: str, run_id: str, **content: Any) -> CreateRun:
    fields = {"type": "interactive", "experiment": "bert", **content}
    return CreateRun(**_command(workspace, run_id), content=RunContent(**fields))


def _batch(key: str, steps: list[int], values: list[Any], seq: int = 0) -> Row:
    n = len(steps)
    return {
        "writer": "w",
        "seq": seq,
        "keys": [key],
        "key_index": [1] * n,
        "steps": steps,
        "values": values,
        "times": [1_764_000_000_000_000 + i for i in range(n)],
    }


def test_a_failed_script_run_with_all_that_is_known_of_it(client: Client, workspace: str) -> None:
    run_id = new_run_id()
    own = _command(workspace, run_id)
    spec = ScriptSpec(script="t.py", snapshot_id="0" * 64, arguments=("a b", 'ü"\\'))
    content = {"type": "script", "spec": spec, "params": {"lr": "0.1"}, "tags": {"ü": "'\\\n"}}
    history = History(START).apply(
        _create(workspace, run_id, description="d", properties={"p": "1"}, **content),
        ClaimRun(**own, claim_id="c", worker_id="w1", node="n1", gpus=("g",)),
    )
    environment = ResolvedEnvironment(python_version="3.11.7", packages_sha256="1" * 64)
    history.apply(
        RecordEnvironment(**_command(workspace, run_id), claim_id="c", environment=environment),
        StartRun(**_command(workspace, run_id), claim_id="c"),
        ReportExit(**_command(workspace, run_id), claim_id="c", exit_code=3),
        FailRun(**_command(workspace, run_id), claim_id="c", error=RunError("E", "bad", "why")),
        SetTags(**_command(workspace, run_id), tags={"ü": "new"}),
    )
    insert(client, "events_landing", history.rows)

    run = get_run(client, workspace=workspace, run_id=run_id)

    assert run is not None
    assert run.status == RunStatus.FAILED
    assert (run.attempt, run.exit_code, run.signal) == (1, 3, None)
    assert run.error == RunError("E", "bad", "why")
    assert (run.spec, run.snapshot_id, run.compute_target) == (spec, "0" * 64, "local")
    assert (run.worker_id, run.node, run.gpus) == ("w1", "n1", ["g"])
    assert (run.tags, run.params, run.properties) == ({"ü": "new"}, {"lr": "0.1"}, {"p": "1"})
    seconds = [START + timedelta(seconds=second) for second in range(7)]
    assert (run.created, run.started, run.ended) == (seconds[0], seconds[3], seconds[5])
    assert run.updated == seconds[6]
    assert run.environment == environment
    assert [(change.status, change.time) for change in run.timeline] == [
        ("NotStarted", seconds[0]),
        ("Starting", seconds[0]),
        ("Queued", seconds[0]),
        ("Preparing", seconds[1]),
        ("Running", seconds[3]),
        ("Finalizing", seconds[4]),
        ("Failed", seconds[5]),
    ]
    assert latest_attempt(client, workspace=workspace, run_id=run_id) == 1


def test_what_was_warned_of_is_told_in_order(client: Client, workspace: str) -> None:
    run_id = new_run_id()
    history = History(START).apply(
        _create(workspace, run_id),
        StartRun(**_command(workspace, run_id)),
        WarnRun(**_command(workspace, run_id), code="GpuIdle", message="G has nothing to do"),
        WarnRun(**_command(workspace, run_id), code="NoWorker", message="ü"),
    )
    insert(client, "events_landing", history.rows + history.rows)

    run = get_run(client, workspace=workspace, run_id=run_id)

    assert run is not None
    assert run.warnings == [
        RunWarning(START + timedelta(seconds=2), "GpuIdle", "G has nothing to do", 1),
        RunWarning(START + timedelta(seconds=3), "NoWorker", "ü", 1),
    ]


def test_a_run_that_is_not_there(client: Client, workspace: str) -> None:
    run_id = new_run_id()
    insert(client, "events_landing", History().apply(_create(workspace, run_id)).rows)

    assert get_run(client, workspace="another", run_id=run_id) is None
    assert latest_attempt(client, workspace=workspace, run_id=new_run_id()) is None
    assert latest_attempt(client, workspace=workspace, run_id=run_id) == 0
    interactive = get_run(client, workspace=workspace, run_id=run_id)
    assert interactive is not None
    assert (interactive.spec, interactive.error, interactive.started) == (None, None, None)


@pytest.mark.parametrize("ending", ["00", "0000", "80"])
def test_an_id_that_ends_with_zeros_is_one_like_any_other(
    client: Client, workspace: str, ending: str
) -> None:
    run_id = new_run_id()[: -len(ending)] + ending
    history = History(START).apply(_create(workspace, run_id, tags={"a": "b"}))
    insert(client, "events_landing", history.rows)

    assert [run.tags for run in list_runs(client, workspace=workspace).runs] == [{"a": "b"}]
    assert first_creation(client, workspace=workspace, run_ids=[run_id]) == START
    _, events = load_events(client, partition=0, run_ids=[run_id])
    assert len(events) == len(history.rows)


def test_pages_of_runs_newest_first_with_filters(client: Client, workspace: str) -> None:
    ids = sorted(new_run_id() for _ in range(7))
    for number, run_id in enumerate(ids):
        # three of them at the same instant: the id decides, and no page loses one
        history = History(START + timedelta(seconds=number // 3))
        tags = {"kind": "odd" if number % 2 else "even", "n": str(number)}
        experiment = "a" if number < 5 else "b"
        history.apply(_create(workspace, run_id, tags=tags, experiment=experiment))
        if number == 4:
            history.apply(StartRun(**_command(workspace, run_id)))
        insert(client, "events_landing", history.rows)

    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = list_runs(client, workspace=workspace, limit=2, cursor=cursor)
        seen += [run.run_id for run in page.runs]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == ids[::-1]

    def listed(**filters: Any) -> list[int]:
        page = list_runs(client, workspace=workspace, asked=RunFilter(**filters))
        return [ids.index(run.run_id) for run in page.runs]

    assert listed(experiment="b") == [6, 5]
    assert listed(statuses=[RunStatus.RUNNING]) == [4]
    assert listed(statuses=[RunStatus.RUNNING, RunStatus.NOT_STARTED]) == [6, 5, 4, 3, 2, 1, 0]
    assert listed(tags={"kind": "odd"}) == [5, 3, 1]
    assert listed(tags={"kind": "odd", "n": "3"}) == [3]
    assert listed(tags={"kind": "odd", "n": "2"}) == []
    assert listed(tags={"kind": None, "n": "2"}) == [2]
    assert listed(tags={"missing": None}) == []
    assert listed(type="script") == []
    assert list_runs(client, workspace=workspace, limit=1).runs[0].tags == {
        "kind": "even",
        "n": "6",
    }
    with pytest.raises(InvalidCursor, match="next_cursor"):
        list_runs(client, workspace=workspace, cursor="x y")


def test_children_archived_and_deleted_runs_in_lists(client: Client, workspace: str) -> None:
    root, child, grandchild, archived, deleted, orphan = (new_run_id() for _ in range(6))
    runs = {
        root: {"properties": {"git": "a:b"}},
        child: {"parent_run_id": root},
        grandchild: {"parent_run_id": child, "reproduces": root},
        archived: {},
        deleted: {},
        orphan: {"parent_run_id": deleted},
    }
    ends = {archived: ArchiveRun, deleted: DeleteRun}
    for run_id, content in runs.items():
        history = History(START).apply(_create(workspace, run_id, **content))
        if run_id in ends:
            history.apply(ends[run_id](**_command(workspace, run_id)))
        insert(client, "events_landing", history.rows)

    def listed(**filters: Any) -> set[str]:
        page = list_runs(client, workspace=workspace, asked=RunFilter(**filters))
        return {run.run_id for run in page.runs}

    assert listed() == {root, orphan}, "a deleted parent hides no child"
    assert listed(children=True) == {root, orphan, child, grandchild}
    assert listed(parent=root) == {child}
    assert listed(parent=root, recursive=True) == {child, grandchild}
    assert listed(parent=grandchild, recursive=True) == set()
    assert listed(reproduces=root, children=True) == {grandchild}
    assert listed(reproduces=child, children=True) == set()
    assert listed(archived="true") == {archived}
    assert listed(archived="all") == {root, orphan, archived}
    assert listed(properties={"git": "a:b"}) == {root}
    assert listed(properties={"git": "c"}) == set()
    found = get_run(client, workspace=workspace, run_id=grandchild)
    assert found is not None
    assert (found.parent_run_id, found.reproduces) == (child, root)
    for read in (get_run, latest_attempt):
        with pytest.raises(RunDeleted):
            read(client, workspace=workspace, run_id=deleted)
        assert read(client, workspace="another", run_id=deleted) is None
    assert resolve_run(client, workspace=workspace, ref=deleted) == []
    newest = resolve_run(client, workspace=workspace, ref="@latest")
    assert [run.run_id for run in newest] == [root], "the newest of those that a list shows"
    found_experiment = get_experiment(client, workspace=workspace, name="bert")
    assert found_experiment is not None
    assert found_experiment.runs == {"NotStarted": 5}


def test_an_experiment_through_its_life(client: Client, workspace: str) -> None:
    own = experiment_id(workspace, "bert")

    def named(**fields: Any) -> dict[str, Any]:
        return {**_command(workspace, own), "name": "bert", **fields}

    history = History(START).apply(
        CreateExperiment(**named(description="old", tags={"a": "1", "b": "1"})),
        SetExperimentTags(**named(tags={"b": "2", "c": "3"})),
        RemoveExperimentTags(**named(names=("a",))),
        DescribeExperiment(**named(description="new")),
        ArchiveExperiment(**named()),
    )
    insert(client, "events_landing", history.rows)
    seen = get_experiment(client, workspace=workspace, name="bert")
    assert seen is not None
    assert (seen.description, seen.tags, seen.archived) == ("new", {"b": "2", "c": "3"}, True)
    assert list_experiments(client, workspace=workspace) == []
    assert list_experiments(client, workspace=workspace, archived="true") == [seen]

    history.apply(DeleteExperiment(**named()))
    insert(client, "events_landing", history.rows)
    assert get_experiment(client, workspace=workspace, name="bert") is None
    assert is_deleted(client, workspace=workspace, name="bert")

    created = History(START + timedelta(hours=1)).apply(_create(workspace, new_run_id()))
    insert(client, "events_landing", created.rows)
    anew = get_experiment(client, workspace=workspace, name="bert")
    assert anew is not None, "a run that came later creates it anew"
    assert (anew.description, anew.tags, anew.archived) == ("", {}, False)
    assert (anew.created, anew.runs) == (START + timedelta(hours=1), {"NotStarted": 1})

    history.apply(SetExperimentTags(**named(tags={"d": "4"})))
    insert(client, "events_landing", history.rows)
    told = get_experiment(client, workspace=workspace, name="bert")
    assert told is not None
    assert told.tags == {"d": "4"}


def _changed(row: Row, **changes: Any) -> Row:
    """An event's row with other data, as another version may have written it."""
    return {**row, "data": orjson.dumps({**orjson.loads(row["data"]), **changes}).decode()}


def test_what_a_newer_writer_says_is_no_obstacle(client: Client, workspace: str) -> None:
    spec = ScriptSpec(script="t.py", snapshot_id="0" * 64)
    known, unknown, empty = (new_run_id() for _ in range(3))
    for run_id, status in ((known, "Queued"), (unknown, "Hibernating"), (empty, "")):
        history = History(START).apply(_create(workspace, run_id, type="script", spec=spec))
        created, *between, last = history.rows
        content = orjson.loads(created["data"])["content"]
        content["spec"]["priority"] = {"class": "high"}
        rows = [_changed(created, content=content), *between, _changed(last, status=status)]
        insert(client, "events_landing", rows)

    listed = {run.run_id: run.status for run in list_runs(client, workspace=workspace).runs}
    assert listed == {known: "Queued", unknown: "Hibernating", empty: ""}
    for run_id, status in listed.items():
        run = get_run(client, workspace=workspace, run_id=run_id)
        assert run is not None
        assert (run.status, run.spec) == (status, spec)
        assert resolve_run(client, workspace=workspace, ref=run_id)[0].status == status


def test_an_event_without_its_experiment_makes_no_nameless_one(
    client: Client, workspace: str
) -> None:
    history = History(START).apply(_create(workspace, new_run_id()))
    (row,) = history.rows
    insert(client, "events_landing", [_changed(row, experiment_id="")])
    assert list_experiments(client, workspace=workspace) == []


def test_what_a_reference_means(client: Client, workspace: str) -> None:
    ids = ["abcd" + "0" * 28, "abcd" + "1" * 28, "beef" + "2" * 28]
    names = ["first", "twin", "twin"]
    for number, run_id in enumerate(ids):
        history = History(START + timedelta(seconds=number))
        create = _create(
            workspace, run_id, display_name=names[number], experiment="ab"[number == 2]
        )
        insert(client, "events_landing", history.apply(create).rows)

    def meant(ref: str, experiment: str | None = None) -> list[int]:
        found = resolve_run(client, workspace=workspace, ref=ref, experiment=experiment)
        return [ids.index(candidate.run_id) for candidate in found]

    assert meant("@latest") == [2]
    assert meant("@latest", "a") == [1]
    assert meant(ids[0]) == [0]
    assert meant(ids[0][:5]) == [0]
    assert meant(ids[0][:4]) == [1, 0]
    assert meant("beef") == [2]
    assert meant("first") == [0]
    assert meant("twin") == [2, 1]
    assert meant("twin", "a") == [1]
    assert meant("abc") == []  # too short for a prefix
    assert meant("nothing") == []
    assert meant("f" * 32) == []


def test_latest_hides_earlier_attempts_from_its_own_first_step(
    client: Client, workspace: str
) -> None:
    run_id = new_run_id()
    rows = [
        metric_row(workspace, run_id, _batch("loss", [0, 1, 2, 3], [10, 11, 12, 13]), attempt=1),
        metric_row(workspace, run_id, _batch("loss", [2, 3], [22, 23]), attempt=2),
        metric_row(workspace, run_id, _batch("loss", [3, 4], [33, 34]), attempt=3),
        metric_row(workspace, run_id, _batch("only/first", [5], [1]), attempt=1),
    ]
    insert(client, "metrics_landing", rows[::-1])
    # a late point of the first attempt, behind where the second began
    late = _batch("loss", [9], [19], seq=1)
    insert(client, "metrics_landing", [metric_row(workspace, run_id, late, attempt=1)])

    own: Any = {"workspace": workspace, "run_id": run_id}
    loss, other = load_curves(client, **own)
    assert (loss.key, other.key) == ("loss", "only/first")
    assert list(loss.steps) == [0, 1, 2, 3, 4]
    assert list(loss.values) == [10, 11, 22, 33, 34]
    assert list(loss.attempts) == [1, 1, 2, 3, 3]
    assert list(other.values) == [1]
    (whole,) = load_curves(client, **own, keys=["loss"], attempt="all")
    assert list(whole.steps) == [0, 1, 2, 2, 3, 3, 3, 4, 9]
    (first,) = load_curves(client, **own, keys=["loss"], attempt=1)
    assert list(first.values) == [10, 11, 12, 13, 19]
    assert load_curves(client, **own, attempt=7) == []
    assert [series.key for series in load_curves(client, **own, prefix="only/")] == ["only/first"]

    summary = load_summaries(client, **own, keys=["loss"])[0]
    assert (summary.count, summary.first_step, summary.last_step) == (5, 0, 4)
    assert (summary.last, summary.min, summary.max) == (34, 10, 34)
    each = load_summaries(client, **own, keys=["loss"], attempt="all")
    assert [(one.attempt, one.count, one.last, one.last_step) for one in each] == [
        (1, 5, 19, 9),
        (2, 2, 23, 3),
        (3, 2, 34, 4),
    ]


def test_more_points_than_one_answer_may_have(client: Client, workspace: str) -> None:
    run_id = new_run_id()
    rows = [
        metric_row(workspace, run_id, _batch("loss", [0, 1, 2], [1, 2, 3])),
        metric_row(workspace, run_id, _batch("system/cpu", [0, 1], [1, 2], seq=1)),
    ]
    insert(client, "metrics_landing", [*rows, rows[0]])  # a repetition counts once
    own: Any = {"workspace": workspace, "run_id": run_id}
    with pytest.raises(TooManyPoints, match="5 points") as raised:
        load_curves(client, **own, max_points=4)
    assert (raised.value.points, raised.value.limit) == (5, 4)
    assert len(load_curves(client, **own, max_points=5)) == 2
    (loss,) = load_curves(client, **own, max_points=3, keys=["loss"])
    assert list(loss.values) == [1, 2, 3]


def test_the_load_of_the_host_can_be_left_out(client: Client, workspace: str) -> None:
    run_id = new_run_id()
    keys = ["loss", "system/cpu", "system/gpu/0", "systematic"]
    rows = [
        metric_row(workspace, run_id, _batch(key, [0], [1], seq=seq))
        for seq, key in enumerate(keys)
    ]
    insert(client, "metrics_landing", rows)

    for load in (load_curves, load_summaries):

        def found(**asked: Any) -> list[str]:
            series: Any = load(client, workspace=workspace, run_id=run_id, **asked)  # noqa: B023
            return [one.key for one in series]

        assert found() == keys
        assert found(system=False) == ["loss", "systematic"]
        assert found(system=False, keys=["system/cpu", "loss"]) == ["loss", "system/cpu"]
        assert found(system=False, prefix="system/") == ["system/cpu", "system/gpu/0"]
        assert found(system=False, prefix="system") == ["systematic"]


def test_summaries_are_what_the_curves_say(client: Client, workspace: str) -> None:
    """The rule of `latest` is kept in two places, in Python and in SQL: they have to agree."""
    random = Random(7)
    for _ in range(12):
        run_id = new_run_id()
        rows = [
            metric_row(
                workspace,
                run_id,
                _batch(
                    key, [random.randint(-5, 5) for _ in range(4)], [1.5, 2.0, 3.0, 4.0], seq=seq
                ),
                attempt=attempt,
            )
            for seq, key in enumerate(["a", "b"])
            for attempt in random.sample(range(1, 5), random.randint(1, 4))
        ]
        insert(client, "metrics_landing", rows)
        for attempt in ("latest", 2):
            own: Any = {"workspace": workspace, "run_id": run_id, "attempt": attempt}
            curves = {curve.key: curve for curve in load_curves(client, **own)}
            summaries = {summary.key: summary for summary in load_summaries(client, **own)}
            assert set(curves) == set(summaries)
            for key, summary in summaries.items():
                steps, values = curves[key].steps, curves[key].values
                assert (summary.count, summary.first_step) == (len(steps), min(steps))
                assert (summary.last_step, summary.min) == (max(steps), min(map(float, values)))


def test_values_that_are_no_numbers_and_the_last_steps(client: Client, workspace: str) -> None:
    run_id = new_run_id()
    steps = [-(2**63), -1, 0, 2**63 - 1]
    values = ["NaN", "-Infinity", 5e-324, "Infinity"]
    insert(
        client,
        "metrics_landing",
        [
            metric_row(workspace, run_id, _batch("x/ü 'q\"\\", steps, values)),
            metric_row(workspace, run_id, _batch("nan", [1], ["NaN"])),
        ],
    )
    nan, odd = load_curves(client, workspace=workspace, run_id=run_id)
    assert odd.key == "x/ü 'q\"\\"
    assert list(odd.steps) == steps
    assert list(odd.values) == values
    assert list(odd.times) == [1_764_000_000_000_000 + i for i in range(4)]
    assert list(nan.values) == ["NaN"]
    nothing, summary = load_summaries(client, workspace=workspace, run_id=run_id)
    assert (nothing.last, nothing.min, nothing.max, nothing.count) == ("NaN", None, None, 1)
    assert (summary.last, summary.first_step, summary.last_step) == (
        "Infinity",
        -(2**63),
        2**63 - 1,
    )
    assert summary.min == summary.max == 5e-324
    assert math.isfinite(summary.max)


def test_log_lines_in_order_of_arrival_page_by_page(client: Client, workspace: str) -> None:
    run_id = new_run_id()
    second = log_row(workspace, run_id, 1, [("stderr", "c"), ("stdout", "d ü\t\\")])
    first = log_row(workspace, run_id, 0, [("stdout", "a"), ("system", "")])
    insert(client, "logs_landing", [first, second])  # seq 1 arrived before seq 0
    insert(client, "logs_landing", [first])

    own: Any = {"workspace": workspace, "run_id": run_id}
    page = load_log_page(client, **own, limit=3)
    assert [line.line for line in page.lines] == ["c", "d ü\t\\", "a"]
    assert [line.stream for line in page.lines] == ["stderr", "stdout", "stdout"]
    rest = load_log_page(client, **own, after=page.cursor)
    assert [line.line for line in rest.lines] == [""]
    end = load_log_page(client, **own, after=rest.cursor)
    assert (end.lines, end.cursor) == ([], rest.cursor)
    only = load_log_page(client, **own, streams=["stdout"])
    assert [line.line for line in only.lines] == ["d ü\t\\", "a"]
    assert load_log_page(client, workspace=workspace, run_id=new_run_id()).cursor is None
    with pytest.raises(InvalidCursor):
        load_log_page(client, **own, after="x")


def test_files_of_the_newest_attempt(client: Client, workspace: str) -> None:
    run_id = new_run_id()

    def files(attempt: int, *entries: FileEntry) -> AddFiles:
        return AddFiles(**_command(workspace, run_id), attempt=attempt, files=entries)

    old, new = FileEntry("outputs/m", "a" * 64, 1), FileEntry("outputs/m", "b" * 64, 2)
    other = FileEntry("logs/ü x", "c" * 64, 0, "text/plain")
    history = History().apply(
        _create(workspace, run_id),
        StartRun(**_command(workspace, run_id)),
        files(1, old, other),
        files(1, new),
    )
    insert(client, "events_landing", history.rows)

    own: Any = {"workspace": workspace, "run_id": run_id}
    kept = list_files(client, **own)
    assert [(file.name, file.sha256) for file in kept] == [
        ("logs/ü x", "c" * 64),
        ("outputs/m", "b" * 64),
    ]
    assert list_files(client, **own, attempt=2) == []
    found = find_file(client, **own, name="logs/ü x")
    assert found is not None
    assert (found.size, found.content_type, found.attempt) == (0, "text/plain", 1)
    assert find_file(client, **own, name="nothing") is None


def test_experiments_by_name_and_by_their_runs(client: Client, workspace: str) -> None:
    identity = experiment_id(workspace, "named")
    create = CreateExperiment(
        **_command(workspace, identity), name="named", description="d", tags={"t": "1"}
    )
    insert(client, "events_landing", History(START).apply(create).rows)
    for number in range(3):
        run_id = new_run_id()
        history = History(START + timedelta(hours=1 + number))
        history.apply(_create(workspace, run_id, experiment="by run"))
        if number:
            history.apply(StartRun(**_command(workspace, run_id)))
        insert(client, "events_landing", history.rows)

    by_run, named = list_experiments(client, workspace=workspace)
    assert (named.name, named.description, named.tags, named.runs) == ("named", "d", {"t": "1"}, {})
    assert named.experiment_id == identity
    assert (by_run.name, by_run.runs) == ("by run", {"NotStarted": 1, "Running": 2})
    assert by_run.created == START + timedelta(hours=1)
    assert by_run.last_activity == START + timedelta(hours=3, seconds=1)
    assert get_experiment(client, workspace=workspace, name="by run") == by_run
    assert get_experiment(client, workspace=workspace, name="none") is None
