"""Guarded SQL on the real engine: the same answers as without the guard, and no other's rows.

Two workspaces lie side by side in the same granules. Whatever the first asks, it gets what it
would get if it were alone.
"""

# ruff: noqa: E501 - SQL reads best in one line

import asyncio
import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from runhistory.clickhouse.client import EngineUnavailable, open_client
from runhistory.domain.commands import AddFiles, CreateRun, StartRun
from runhistory.domain.ids import new_run_id
from runhistory.domain.values import FileEntry, RunContent
from runhistory.query.guard import guard
from runhistory.query.guard_words import (
    AGGREGATES,
    CALLS_WITHOUT_BRACKETS,
    FUNCTIONS,
    NO_TIME_ZONE,
    TIME_ZONE_AT,
)
from runhistory.query.sql import QueryTooExpensive, SqlEngine, SqlLimits, SqlRefused, SqlRows
from runhistory.query.sql_views import readable_views
from tests.conftest import Engine
from tests.support.landing import History, insert, log_row, metric_row

pytestmark = pytest.mark.infrastructure

MINE, THEIRS = "mine", "theirs"
RUNS = 4


@pytest.fixture(scope="module")
def client(engine: Engine) -> Client:
    client = open_client(engine.url, database="default")
    for workspace in (MINE, THEIRS):
        for number in range(RUNS):
            _fill(client, workspace, number)
    for table in ("points", "log_lines", "runs", "events"):
        client.command(f"OPTIMIZE TABLE projection_1.{table} FINAL")
    return client


def _fill(client: Client, workspace: str, number: int) -> None:
    run_id = new_run_id()
    own = {"workspace": workspace, "run_id": run_id}
    pairs = {"owner": f"{workspace}-{number}"}
    content = RunContent(
        type="interactive", experiment=f"e-{workspace}", tags=pairs, properties=pairs, params=pairs
    )
    history = History().apply(
        CreateRun(**own, command_id="1", content=content),
        StartRun(**own, command_id="2"),
        AddFiles(**own, command_id="3", attempt=1, files=(FileEntry("f", "a" * 64, 1),)),
    )
    columns = {"key_index": [1] * 5, "steps": list(range(5)), "times": [1] * 5}
    values = [number + step / 10 for step in range(4)] + ["NaN"]
    batch = {"writer": workspace, "seq": 0, "keys": ["loss"], "values": values, **columns}
    insert(client, "events_landing", history.rows)
    insert(client, "metrics_landing", [metric_row(workspace, run_id, batch)])
    insert(client, "logs_landing", [log_row(workspace, run_id, 0, [("stdout", f"{workspace} 1")])])


@pytest.fixture(scope="module")
def ask(client: Client, engine: Engine) -> Iterator[Callable[..., SqlRows]]:
    """`ask(query, limit=…, **limits)`: the answer in the workspace MINE."""

    with asyncio.Runner() as runner:
        opened: dict[str, SqlEngine] = {}

        def ask(query: str, limit: int = 10_000, **limits: int) -> SqlRows:
            async def once() -> SqlRows:
                sql = opened.get(str(limits)) or SqlEngine(engine.url, SqlLimits(**limits))
                opened[str(limits)] = sql
                return await sql.rows(query, workspace=MINE, limit=limit)

            return runner.run(once())

        yield ask
        for sql in opened.values():
            runner.run(sql.stop())


# Each asks for rows in another way; none may say anything of THEIRS.
WAYS = [
    "SELECT workspace FROM {view}",
    "SELECT a.workspace FROM {view} a CROSS JOIN {view} b",
    "SELECT b.workspace FROM {view} a RIGHT JOIN {view} b ON a.workspace = b.workspace",
    "SELECT workspace FROM {view} UNION ALL SELECT workspace FROM {view}",
    "WITH x AS (SELECT * FROM {view}) SELECT workspace FROM x",
    "WITH x AS (SELECT * FROM {view}), y AS (SELECT * FROM x) SELECT workspace FROM y",
    "SELECT workspace FROM (SELECT * FROM (SELECT * FROM {view}))",
    "WITH 'theirs' AS workspace SELECT {view}.workspace FROM {view}",
    "SELECT 'mine' AS workspace, {view}.workspace FROM {view} WHERE workspace = 'mine'",
    "SELECT workspace FROM {view} WHERE workspace = 'theirs' OR 1",
    "SELECT workspace FROM {view} WHERE workspace IN (SELECT workspace FROM {view})",
    "SELECT (SELECT groupUniqArray(workspace) FROM {view})",
    "SELECT arrayMap(workspace -> (SELECT any(workspace) FROM {view}), ['theirs'])",
    "SELECT arrayJoin(groupUniqArray(workspace)) FROM {view}",
    "SELECT any(workspace) OVER (PARTITION BY workspace) FROM {view}",
    "SELECT workspace FROM {view} ORDER BY workspace DESC LIMIT 1 BY workspace",
    "SELECT * FROM {view}",
    "SELECT {view}.* FROM {view} ANY LEFT JOIN {view} AS other USING (workspace)",
]


@pytest.mark.parametrize("view", sorted(readable_views()))
def test_no_way_leads_to_another_workspace(ask: Callable[..., SqlRows], view: str) -> None:
    for way in WAYS:
        found = ask(way.format(view=view))
        assert THEIRS not in str(found.data), way
    assert all(value == MINE for value in ask(f"SELECT workspace FROM {view}").data[0])


@pytest.mark.parametrize("view", sorted(readable_views()))
def test_an_error_tells_nothing_of_another_workspace(
    ask: Callable[..., SqlRows], view: str
) -> None:
    """A division by zero for their rows alone: it must never be tried."""
    for place in (
        "WHERE {poison} >= 0",
        "WHERE 1 HAVING count() >= 0 AND min({poison}) >= 0",
        "ORDER BY {poison}",
        "WHERE workspace IN (SELECT workspace FROM {view} WHERE {poison} = 1)",
        "AS a JOIN {view} AS b ON a.workspace = b.workspace AND intDiv(1, b.workspace != 'theirs') = 1",
    ):
        poison = "intDiv(1, workspace != 'theirs')"
        what = "1" if place.startswith("ORDER") else "count()"
        ask(f"SELECT {what} FROM {view} {place.format(poison=poison, view=view)}")


def test_the_filter_on_storage_holds_alone(client: Client, engine: Engine) -> None:
    """The second line: what a hole in the guard could reach has the workspace's rows only."""

    async def settings_of_a_query() -> dict[str, Any]:
        sql = SqlEngine(engine.url, SqlLimits())
        await sql.views()
        await sql.stop()
        return sql._settings(MINE, 100)

    second_line = asyncio.run(settings_of_a_query())
    assert {
        row[0] for row in client.query("SELECT workspace FROM projection_1.runs").result_rows
    } == {MINE, THEIRS}
    for table in (
        "projection_1.runs",
        "projection_1.points",
        "runhistory.events",
        "runhistory.series",
    ):
        found = client.query(f"SELECT DISTINCT workspace FROM {table}", settings=second_line)
        assert found.result_rows == [(MINE,)], table


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO projection_1.migrations SELECT 'a', 'b', now()",
        "DROP TABLE projection_1.points",
        "ALTER TABLE projection_1.points DELETE WHERE 1",
        "CREATE TABLE default.x (a Int8) ENGINE = Memory",
        "SET max_execution_time = 0",
        "SELECT 1 SETTINGS max_execution_time = 0",
        "SELECT * FROM url('http://127.0.0.1:1', 'LineAsString')",
        "SELECT count() FROM numbers(1000000000000)",
        "SELECT groupArray(number) FROM numbers(1000000000)",
        "SELECT range(1000000000)",
    ],
)  # fmt: skip
def test_the_settings_stop_what_the_guard_would_refuse(client: Client, statement: str) -> None:
    settings = SqlEngine("http://none", SqlLimits(seconds=1))._settings(MINE, 100)
    with pytest.raises(ClickHouseError):
        client.query(statement, settings=settings)


def test_no_name_is_a_call_that_tells_of_the_server(client: Client) -> None:
    """ClickHouse calls some functions by their bare name, even a quoted one."""
    rows = client.query(
        "SELECT name FROM system.functions WHERE syntax LIKE '%()%' OR alias_to != '' OR syntax = ''"
    ).result_rows
    told = []
    for (name,) in rows:
        with contextlib.suppress(ClickHouseError):
            client.query(f"SELECT `{name}`")
            told.append(name.lower())
    assert "currentuser" in told  # else this test asks nothing
    of_the_time = {"now", "today", "curdate"}
    of_the_time |= {"current_date", "current_timestamp", "localtime", "localtimestamp"}
    assert set(told) - of_the_time <= CALLS_WITHOUT_BRACKETS


def test_every_function_of_the_list_is_there(client: Client) -> None:
    rows = client.query("SELECT name, case_insensitive FROM system.functions").result_rows
    exact = {name for name, _ in rows}
    any_case = {name.lower() for name, insensitive in rows if insensitive}
    missing = [
        name
        for name in FUNCTIONS | AGGREGATES
        if name not in exact and name.lower() not in any_case
    ]
    assert missing == []


_T = "toDateTime('2026-01-01 00:00:00')"
_BEFORE_A_TIME_ZONE = (
    "", _T, "'2026-01-01 00:00:00'", "6", "toInt64(1)", f"{_T}, 1", "'2026', 6", "'2026', '%Y'",
    f"{_T}, '%Y'", f"'day', {_T}", f"'day', {_T}, {_T}", f"{_T}, toIntervalHour(1)",
    "2026, 1, 1, 0, 0, 0", "2026, 1, 1, 0, 0, 0, 0, 6",
)  # fmt: skip


def test_every_function_that_takes_a_time_zone_is_known(client: Client) -> None:
    """A time zone may name a file, so the guard looks at it wherever ClickHouse expects one."""
    known, found = {*TIME_ZONE_AT}, set()
    to_try = [
        name
        for name in FUNCTIONS
        if re.search("^to|[tT]ime|^date|Unix|now|age|^add|^sub.*s$", name)
    ]
    for name in to_try:
        for before in _BEFORE_A_TIME_ZONE:
            arguments = f"{before}, 'No/Where'" if before else "'No/Where'"
            try:
                client.query(f"SELECT {name}({arguments})")
            except ClickHouseError as error:
                if "Cannot load time zone No/Where" in str(error):
                    found.add(name)
                    assert arguments.count(",") >= TIME_ZONE_AT.get(name, 99), (name, arguments)
                    break  # the shapes grow: no shorter one has it
    assert {"toTimeZone", "now", "toHour", "addDays", "dateDiff"} <= found  # else this asks nothing
    assert found <= known
    assert not found & NO_TIME_ZONE


@pytest.mark.parametrize("view", ["points", "series", "batches", "log_lines", "events", "runs"])
def test_a_filter_on_a_run_still_uses_the_primary_key(client: Client, view: str) -> None:
    query = f"SELECT workspace FROM {view} WHERE run_uuid = unhex('{'01' * 16}')"
    second_line = {**SqlEngine("http://none", SqlLimits())._settings(MINE, 100)}
    plan = client.query(f"EXPLAIN indexes = 1 {guard(query, MINE)}", settings=second_line)
    text = "\n".join(str(row[0]) for row in plan.result_rows)
    assert re.search(r"PrimaryKey\s+Keys:\s+workspace\s+run_id\s", text), text


# ---- the same answers as without the guard

NUMBERS = st.sampled_from(["step", "attempt", "seq", "value", "1", "2.5", "-3", "length(key)"])
STRINGS = st.sampled_from(
    ["key", "writer", "run_id", "'a'", r"'it\'s \\ 100%'", "upper(key)", "toString(step)", "''"]
)


def _numbers(depth: int) -> st.SearchStrategy[str]:
    if depth == 0:
        return NUMBERS
    inner, truth = _numbers(depth - 1), _truths(depth - 1)
    return st.one_of(
        NUMBERS,
        st.builds("{} {} {}".format, inner, st.sampled_from("+ - *".split()), inner),
        st.builds("-({})".format, inner),
        st.builds("(({}) ? {} : {})".format, truth, inner, inner),
        st.builds("CASE WHEN {} THEN {} ELSE {} END".format, truth, inner, inner),
        st.builds("[{}, {}][2]".format, inner, inner),
        st.builds("({}, 'x').1".format, inner),
        st.builds("arraySum(x -> x * {}, [1, {}])".format, inner, inner),
        st.builds("({})::Float64".format, inner),
    )


def _truths(depth: int) -> st.SearchStrategy[str]:
    number = _numbers(max(0, depth - 1))
    plain = st.one_of(
        st.builds("{} {} {}".format, number, st.sampled_from("= != < >= <> ==".split()), number),
        st.builds("{} IN ('loss', 'x')".format, STRINGS),
        st.builds("{} NOT LIKE '%o\\_%'".format, STRINGS),
        st.builds("{} BETWEEN 0 AND 3".format, number),
        st.builds("{} IS NOT NULL".format, STRINGS),
        st.builds("NOT {} = {}".format, number, number),
        st.builds("{} || 'x' = {}".format, STRINGS, STRINGS),
    )
    if depth == 0:
        return plain
    inner = _truths(depth - 1)
    return st.one_of(
        plain,
        st.builds("{} {} {}".format, inner, st.sampled_from(["AND", "OR"]), inner),
        st.builds("NOT ({})".format, inner),
        st.builds("NOT {} OR {}".format, plain, inner),
    )


@st.composite
def selects(draw: st.DrawFn) -> str:
    """A SELECT over points, named `{points}`."""
    match draw(st.integers(0, 4)):
        case 0:
            what = draw(
                st.lists(st.one_of(_numbers(2), _truths(2), STRINGS), min_size=1, max_size=3)
            )
            return f"SELECT {', '.join(what)} FROM {{points}} ORDER BY ALL LIMIT 7"
        case 1:
            return (
                f"SELECT {draw(STRINGS)} AS g, count(), max({draw(_numbers(1))}), "
                f"sumIf(step, {draw(_truths(1))}) FROM {{points}} WHERE {draw(_truths(2))} "
                "GROUP BY g HAVING count() > 0 ORDER BY g DESC"
            )
        case 2:
            return (
                f"WITH w AS (SELECT key, step, {draw(_numbers(1))} AS n FROM {{points}}) "
                "SELECT a.step, a.n, b.n FROM w AS a LEFT JOIN w AS b ON a.step = b.step "
                "ORDER BY ALL LIMIT 9"
            )
        case 3:
            return (
                "SELECT step, sum(step) OVER (PARTITION BY run_id ORDER BY step, value ROWS BETWEEN "
                f"2 PRECEDING AND CURRENT ROW) AS s FROM {{points}} WHERE {draw(_truths(1))} "
                "ORDER BY ALL"
            )
        case _:
            return (
                f"SELECT step FROM {{points}} WHERE {draw(_truths(1))} UNION ALL SELECT count() FROM "
                f"{{points}} WHERE run_id IN (SELECT run_id FROM {{points}} WHERE {draw(_truths(1))})"
            )


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(query=selects())
def test_the_guard_changes_no_answer(client: Client, query: str) -> None:
    own = f"(SELECT * FROM runhistory.points WHERE workspace = '{MINE}') AS points"
    unguarded = _answer(client, query.format(points=own))
    assume(not isinstance(unguarded, str))  # ClickHouse itself does not read `(1)::Float64`
    assert _answer(client, guard(query.format(points="points"), MINE)) == unguarded


def _answer(client: Client, statement: str) -> object:
    try:
        found = client.query(statement)
    except ClickHouseError as error:
        return f"error {getattr(error, 'code', None)}"
    return sorted(map(repr, found.result_rows))


# ---- limits


def test_time_memory_and_size_are_limited(ask: Callable[..., SqlRows]) -> None:
    many = "points a, points b, points c, points d, points e, points f, points g"
    for limit, query, limits in [
        ("time", f"SELECT max(sipHash64(a.step, b.step, g.value)) FROM {many}, points h, points i, points j", {"seconds": 1}),
        ("memory", "SELECT groupArray(repeat('x', 1000000)) FROM points, tags", {"memory_bytes": 30_000_000}),
        ("bytes", "SELECT repeat('x', 100000) FROM points, tags", {"answer_bytes": 1_000_000}),
    ]:  # fmt: skip
        with pytest.raises(QueryTooExpensive) as error:
            ask(query, **limits)
        assert error.value.limit == limit


def test_a_query_that_does_not_end_in_time_keeps_its_place(engine: Engine, client: Client) -> None:
    """ClickHouse ends queries between two steps; until then no other one may take its place."""
    long_step = "SELECT hasAll(range(150000), arrayReverse(range(150000)))"

    def is_running() -> bool:
        asked = "SELECT count() FROM system.processes WHERE startsWith(query, 'SELECT hasAll(')"
        return bool(client.query(asked).result_rows[0][0])

    async def ask_three() -> int:
        sql = SqlEngine(engine.url, SqlLimits(seconds=1, running=1))
        await sql.views()  # is connected
        refused = 0
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await sql.rows(long_step, workspace=MINE)
        while True:
            began_beside_it = is_running()
            try:
                await sql.rows("SELECT 1", workspace=MINE)
                break
            except EngineUnavailable:
                refused += began_beside_it
        assert not is_running()
        await sql.stop()
        return refused

    assert asyncio.run(ask_three()) > 0


def test_rows_are_cut_off_where_asked(ask: Callable[..., SqlRows]) -> None:
    found = ask("SELECT arrayJoin(range(100)) AS x ORDER BY x DESC", limit=3)
    assert (list(found.data[0]), found.truncated) == ([99, 98, 97], True)
    found = ask("SELECT arrayJoin(range(3)) AS x ORDER BY x DESC", limit=3)
    assert (list(found.data[0]), found.truncated) == ([2, 1, 0], False)


def test_an_empty_answer_has_its_columns(ask: Callable[..., SqlRows]) -> None:
    found = ask("SELECT step, created FROM points JOIN runs USING (run_uuid) WHERE 0")
    assert [(one.name, one.type) for one in found.columns] == [
        ("step", "Int64"),
        ("created", "DateTime64(6, 'UTC')"),
    ]
    assert [list(column) for column in found.data] == [[], []]


@pytest.mark.parametrize(
    ("query", "says", "place"),
    [
        ("SELECT 1,\n loss FROM runs", "Unknown expression", (2, 2)),
        ("SELECT max(status), attempt FROM runs", "attempt' is not under aggregate function", (1, 21)),
        ("SELECT sum(status) FROM runs", "Illegal type String", (1, 8)),
        ("SELECT toInt64('abc')", "Cannot parse string 'abc'", (1, 17)),
        ("SELECT count() FROM runs WHERE run_id > 5", "no supertype for types String, UInt8", (None, None)),
    ],
)  # fmt: skip
def test_clickhouse_says_what_is_wrong(
    ask: Callable[..., SqlRows], query: str, says: str, place: tuple[int | None, int | None]
) -> None:
    with pytest.raises(SqlRefused, match=says) as error:
        ask(query)
    assert (error.value.line, error.value.column) == place
    assert not re.search(r"projection|runhistory:|WHERE|http|Code|DB::", str(error.value))
