"""A table of runs against a plain recomputation: any order, any window, what each column shows."""

import math
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from runhistory.clickhouse.client import open_client
from runhistory.domain.commands import ArchiveRun, CompleteRun, CreateRun, SetTags, StartRun
from runhistory.domain.ids import new_run_id
from runhistory.domain.values import RunContent
from runhistory.query.run_columns import InvalidColumn, parse_column
from runhistory.query.run_filter import RunFilter
from runhistory.query.run_order import InvalidOrder, make_order
from runhistory.query.run_table import RunTable, load_run_ordering, load_run_table
from runhistory.query.table_columns import UsedName, load_table_columns
from tests.conftest import Engine
from tests.support.landing import History, Row, insert, metric_row
from tests.support.metric_views import kept_points, latest

pytestmark = pytest.mark.infrastructure

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
MANY = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
TEXTS = st.sampled_from(["", "10", "9", "1e1", "-3", "nan", "adam", "Über", "a:b"])
VALUES = st.sampled_from([0.5, -2.0, 3.0, "NaN", "Infinity"])
POINTS = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 3), VALUES), max_size=4)
RUNS = st.lists(
    st.fixed_dictionaries(
        {
            "minute": st.integers(0, 3),
            "name": st.sampled_from(["Fox", "owl", "fox 2"]),
            "params": st.dictionaries(st.just("lr"), TEXTS, max_size=1),
            "tags": st.dictionaries(st.sampled_from(["team", "x:y"]), TEXTS, max_size=2),
            "ends": st.booleans(),
            "archived": st.booleans(),
            "points": POINTS,
        }
    ),
    min_size=1,
    max_size=7,
)
SORTS = st.sampled_from(
    "created -created -duration status display_name -run_id param:lr -param:lr tag:x:y last:loss "
    "-last:loss min:loss -max:loss last:none".split()
)


@pytest.fixture
def client(engine: Engine) -> Client:
    return open_client(engine.url)


class Made:
    """A run as it was made, and what a table has to say of it."""

    def __init__(self, workspace: str, run: dict[str, Any]) -> None:
        self.run_id, self.run, begin = new_run_id(), run, START + timedelta(minutes=run["minute"])
        own = {"workspace": workspace, "run_id": self.run_id}
        content = RunContent(
            type="interactive",
            experiment="bert",
            display_name=run["name"],
            params=run["params"],
        )
        commands = [
            CreateRun(**own, command_id="1", content=content),
            SetTags(**own, command_id="2", tags={**run["tags"], "n": "1"}),
            StartRun(**own, command_id="3"),
            *([CompleteRun(**own, command_id="4")] if run["ends"] else []),
            *([ArchiveRun(**own, command_id="5")] if run["archived"] else []),
        ]
        self.events = History(begin).apply(*commands).rows
        for row in self.events:  # points come from attempts that the run has had
            row["data"] = row["data"].replace('"attempt":1', '"attempt":3')
        self.created = begin
        self.rows: list[Row] = [
            metric_row(workspace, self.run_id, _batch(seq, step, value), attempt)
            for seq, (attempt, step, value) in enumerate(run["points"])
        ]
        self._shown = [(p[1], p[2], p[7]) for p in latest(kept_points(self.rows))]

    def cell(self, column: str) -> Any:
        """The value in a column, None without one."""
        kind, _, name = column.partition(":")
        if kind in ("param", "tag"):
            return self.run[f"{kind}s"].get(name)
        finite = [value for _, _, value in self._shown if math.isfinite(value)]
        if name != "loss" or not self._shown:
            return None
        if kind == "last":
            last = max(step for step, _, _ in self._shown)
            return [value for step, _, value in self._shown if step == last]
        return (min if kind == "min" else max)(finite, default=None)

    def value(self, sort: str) -> Any:
        """What it is sorted by: (missing or not, …), as one list of comparable things."""
        match sort.removeprefix("-"):
            case "created":
                return self.created
            case "duration":
                return 1.0 if self.run["ends"] else math.inf  # it goes on
            case "status":
                return "Completed" if self.run["ends"] else "Running"
            case "display_name":
                return self.run["name"]
            case "run_id":
                return self.run_id
            case column:
                return self.cell(column)


def _batch(seq: int, step: int, value: Any) -> Row:
    own = {"writer": "w", "seq": seq, "keys": ["loss"], "key_index": [1], "steps": [step]}
    return {**own, "values": [value], "times": [1_764_000_000_000_000 + seq]}


def _rank(value: Any) -> tuple[Any, ...]:
    """Numbers, then NaN, then texts, then nothing."""
    if value is None:
        return (3,)
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return (2, value)
        return (1,) if math.isnan(number) else (0, number)
    if isinstance(value, float) and math.isnan(value):
        return (1,)
    return (0, value)


def _is_ordered(values: list[Any], downwards: bool) -> bool:
    ranks = [_rank(value) for value in values]
    kinds = [rank[0] for rank in ranks]
    groups = [[rank[1:] for rank in ranks if rank[0] == kind] for kind in range(4)]
    return kinds == sorted(kinds) and all(
        group == sorted(group, reverse=downwards) for group in groups
    )


@MANY
@given(runs=RUNS, sort=SORTS, offset=st.integers(0, 4), text=st.sampled_from(["", "FOX", "adam"]))
def test_a_table_is_what_plain_python_sorts(
    client: Client, runs: list[dict[str, Any]], sort: str, offset: int, text: str
) -> None:
    workspace = f"w{uuid.uuid4().hex}"
    made = {one.run_id: one for one in (Made(workspace, run) for run in runs)}
    insert(client, "events_landing", [row for one in made.values() for row in one.events])
    if points := [row for one in made.values() for row in one.rows]:
        insert(client, "metrics_landing", points)
    asked = RunFilter(text=text)
    columns = ["param:lr", "tag:x:y", "min:loss", "max:loss", "last:loss"]
    ordering = load_run_ordering(client, workspace=workspace, asked=asked, sort=sort)

    def window(offset: int, limit: int) -> RunTable:
        return load_run_table(
            client,
            workspace=workspace,
            ordering=ordering,
            asked=asked,
            columns=[parse_column(column) for column in columns],
            offset=offset,
            limit=limit,
        )

    table = window(0, 10)
    due = {run_id for run_id, one in made.items() if _is_in(one, text)}
    assert {row.run_id for row in table.rows} == due
    assert (table.total, table.newer) == (len(due), 0)
    if sort.lstrip("-") not in ("last:loss", "duration"):  # several may be the last
        found = [made[row.run_id].value(sort) for row in table.rows]
        assert _is_ordered(found, sort.startswith("-")), found
    for row in table.rows:
        *cells, last = row.values
        assert cells == [made[row.run_id].cell(column) for column in columns[:-1]]
        lasts = made[row.run_id].cell("last:loss")
        assert lasts is None if last is None else str(float(last)) in map(str, lasts)
    if "last:loss" in sort:
        found = [None if row.values[-1] is None else float(row.values[-1]) for row in table.rows]
        assert _is_ordered(found, sort.startswith("-")), found
    assert window(offset, 2).rows == table.rows[offset : offset + 2]


def _is_in(one: Made, text: str) -> bool:
    tags = [*one.run["tags"], *one.run["tags"].values()]
    return not one.run["archived"] and any(
        text.lower() in found.lower() for found in [one.run["name"], one.run_id, *tags]
    )


def test_new_runs_are_counted_and_move_nothing(client: Client) -> None:
    workspace = f"w{uuid.uuid4().hex}"
    run: dict[str, Any] = {"name": "a", "params": {}, "tags": {}, "ends": True, "archived": False}
    old, new = (Made(workspace, {**run, "minute": n, "points": []}) for n in (0, 1))
    insert(client, "events_landing", old.events)
    first = load_run_ordering(client, workspace=workspace)
    assert first.as_of == old.created
    insert(client, "events_landing", new.events)
    again = load_run_ordering(client, workspace=workspace, as_of=first.as_of)
    assert again == first
    table = load_run_table(client, workspace=workspace, ordering=again)
    assert (table.total, table.newer, [row.run_id for row in table.rows]) == (1, 1, [old.run_id])
    assert load_run_ordering(client, workspace=workspace).window(0, 9) == [new.run_id, old.run_id]
    assert load_table_columns(client, workspace=workspace).tags == [UsedName("n", 2)]


def test_a_workspace_without_runs(client: Client) -> None:
    workspace = f"w{uuid.uuid4().hex}"
    ordering = load_run_ordering(client, workspace=workspace, sort="last:loss")
    table = load_run_table(client, workspace=workspace, ordering=ordering)
    assert (table.total, table.rows, table.newer) == (0, [], 0)


@pytest.mark.parametrize("text", ["", "lr", "param:", ":lr", "first:loss", "Param:lr"])
def test_what_is_no_column(text: str) -> None:
    with pytest.raises(InvalidColumn):
        parse_column(text)
    with pytest.raises(InvalidOrder):
        make_order(f"-{text}")
