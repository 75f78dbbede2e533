"""Runs a user's guarded SQL: with limits of its own, over a connection that dies with its caller.

What the guard wrote runs with settings that are the second line behind it:

- `readonly = 1`: nothing is written, and no setting of these can be changed;
- `additional_table_filters`: whoever reads a storage table, by whatever way, reads the rows of
  the caller's workspace (but for table functions, which the guard knows none of);
- filters stay apart and in their order: a user's condition is never tried on a row before the
  workspace's filter has let that row through. Else `intDiv(1, line != 'x')` would tell by its
  failure what other workspaces' rows say that lie beside the caller's own on disk;
- time, memory and the size of the answer are bounded.

A caller that goes away cancels its coroutine, which closes the connection; the server then kills
the query (the one-machine engine by itself, a ClickHouse server by a setting). But it does so
between two steps, and a step may be made to take hours (`hasAll` of long arrays). Such a query
keeps its place among those that may run, so there are never more of them than places.
"""

import asyncio
import contextlib
import re
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import clickhouse_connect
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import ClickHouseError
from msgspec import Struct

from runhistory.clickhouse.client import CONNECT_SECONDS, EngineUnavailable, reporting_unavailable
from runhistory.query.guard import guard
from runhistory.query.guard_text import quoted_string
from runhistory.query.sql_errors import clean_message, limit_in, place_of
from runhistory.query.sql_views import DATABASE, readable_views

MAX_ROWS: Final = 10_000
"""The most rows of an answer, unless its caller asks for another number."""

WAITING: Final = 32
_GRACE_SECONDS: Final = 5
_LOOK_SECONDS: Final = 1.0
_TABLES_SECONDS: Final = 2.0
_MIB: Final = 1 << 20


class SqlLimits(Struct, frozen=True, kw_only=True):
    """What one query may take, and how many run at once.

    `rows`: what a caller may ask for at most; `answer_bytes`: of the answer in ClickHouse's
    Native format; `memory_bytes`: of ClickHouse, for this query.
    """

    seconds: int = 30
    rows: int = 1_000_000
    answer_bytes: int = 64 * _MIB
    memory_bytes: int = 1_024 * _MIB
    running: int = 4


class SqlRefused(Exception):
    """ClickHouse refused the statement: a column that is not there, types that do not fit.

    `line` and `column` count from 1; None where the message names nothing of the query.
    """

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message if line is None else f"{message} (line {line}, column {column})")
        self.line, self.column = line, column


class QueryTooExpensive(Exception):
    """A query needed more than it may; `limit` says of what (`time`, `memory`, `bytes`)."""

    def __init__(self, limit: str, value: int) -> None:
        super().__init__(_TOO_EXPENSIVE[limit].format(_readable(limit, value)))
        self.limit, self.value = limit, value


class Column(Struct, frozen=True):
    """A column of an answer; `type` is ClickHouse's."""

    name: str
    type: str


class SqlRows(Struct, frozen=True, kw_only=True):
    """An answer by columns of equal length. `truncated`: there were more rows.

    `rows_read` counts what ClickHouse read for it; None where it does not say.
    """

    columns: list[Column]
    data: Sequence[Sequence[Any]]
    truncated: bool
    elapsed_ms: float
    rows_read: int | None


class View(Struct, frozen=True):
    """A view that may be read, and its columns."""

    name: str
    columns: list[Column]


class SqlEngine:
    """Runs guarded queries from any number of tasks of one event loop; `stop` at the end."""

    def __init__(self, url: str, limits: SqlLimits) -> None:
        self.limits = limits
        self._url = url
        self._room = asyncio.Semaphore(limits.running)
        self._waiting = 0
        self._opening = asyncio.Lock()
        self._client: AsyncClient | None = None
        self._tables: list[str] = []
        self._tables_until = 0.0
        self._ending: set[asyncio.Task[None]] = set()

    async def rows(self, query: str, *, workspace: str, limit: int = MAX_ROWS) -> SqlRows:
        """The answer to a user's query, at most `limit` rows of it.

        Raises:
            InvalidSql: the guard does not let it through.
            SqlRefused: ClickHouse does not understand it.
            QueryTooExpensive: it needs more than the limits allow.
            EngineUnavailable: ClickHouse does not answer, or too many queries wait already.
        """
        async with self._running(query, workspace) as (client, statement):
            begun = time.perf_counter()
            found = await client.query(
                statement,
                settings=self._settings(workspace, limit + 1),
                transport_settings={"wait_end_of_query": "1"},
                column_oriented=True,
                tz_mode="aware",
            )
            elapsed = time.perf_counter() - begun
            kinds = [kind.name for kind in found.column_types]
            types = list(zip(found.column_names, kinds, strict=True))
            if not types:  # an answer without rows comes without columns too
                described = await client.query(
                    f"DESCRIBE TABLE ({statement})", settings=self._settings(workspace, rows=0)
                )
                types = [(name, type) for name, type, *_ in described.result_rows]
        columns: Sequence[Sequence[Any]] = found.result_columns
        read = (found.summary or {}).get("read_rows")
        return SqlRows(
            columns=[Column(name, _plain_type(type)) for name, type in types],
            data=[column[:limit] for column in columns] if columns else [()] * len(types),
            truncated=bool(columns) and len(columns[0]) > limit,
            elapsed_ms=round(elapsed * 1_000, 3),
            rows_read=None if read is None else int(read),
        )

    async def arrow(self, query: str, *, workspace: str, limit: int = MAX_ROWS) -> bytes:
        """The same as an Arrow IPC stream, cut off at `limit` rows without a word."""
        async with self._running(query, workspace) as (client, statement):
            answer: bytes = await client.raw_query(
                statement,
                fmt="ArrowStream",
                settings={
                    **self._settings(workspace, limit),
                    "output_format_arrow_string_as_string": 1,
                    "output_format_arrow_low_cardinality_as_dictionary": 0,
                },
                transport_settings={"wait_end_of_query": "1"},
            )
            return answer

    async def views(self) -> list[View]:
        """The views that may be read, sorted by name."""
        async with self._room, self._answering():
            client = await self._open()
            found = await client.query(
                "SELECT table, name, type FROM system.columns WHERE database = {database:String} "
                "ORDER BY table, position",
                parameters={"database": DATABASE},
            )
            views: dict[str, list[Column]] = {}
            for table, name, type in found.result_rows:
                views.setdefault(table, []).append(Column(name, _plain_type(type)))
        return [View(name, views[name]) for name in sorted(readable_views() & set(views))]

    async def stop(self) -> None:
        """Close the connections; a later query would open them again."""
        for ending in self._ending:
            ending.cancel()
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def _settings(self, workspace: str, rows: int) -> dict[str, Any]:
        limits = self.limits
        condition = quoted_string(f"workspace = {quoted_string(workspace)}")
        return {
            "readonly": 1,
            "additional_table_filters": (
                "{"
                + ", ".join(f"{quoted_string(name)}: {condition}" for name in self._tables)
                + "}"
            ),
            "optimize_move_to_prewhere": 0,
            "query_plan_merge_filters": 0,
            "limit": rows,
            "max_result_bytes": limits.answer_bytes,
            "result_overflow_mode": "throw",
            "max_execution_time": limits.seconds,
            "timeout_overflow_mode": "throw",
            "max_memory_usage": limits.memory_bytes,
            "max_temporary_data_on_disk_size_for_query": limits.memory_bytes,
            "function_range_max_elements_in_block": 1_000_000,
            "cancel_http_readonly_queries_on_client_close": 1,
        }

    @contextlib.asynccontextmanager
    async def _running(self, query: str, workspace: str) -> AsyncIterator[tuple[AsyncClient, str]]:
        """A client, and what it has to run; a place is held until ClickHouse has let go of it."""
        statement = await asyncio.to_thread(guard, query, workspace)
        mark = f"/* {uuid.uuid4().hex} */"
        await self._take_place()
        is_over = False
        try:
            async with self._answering(query):
                client = await self._open()
                yield client, f"{statement} {mark}"
            is_over = True
        except SqlRefused:
            is_over = True
            raise
        finally:
            if is_over:
                self._room.release()
            else:  # its time is over or its caller has gone, but ClickHouse may be in mid-step
                ending = asyncio.create_task(self._release_when_gone(mark))
                self._ending.add(ending)
                ending.add_done_callback(self._ending.discard)

    async def _take_place(self) -> None:
        if self._waiting >= WAITING:
            raise EngineUnavailable("too many queries are waiting")
        self._waiting += 1
        try:
            async with asyncio.timeout(self.limits.seconds):
                await self._room.acquire()
        except TimeoutError:
            raise EngineUnavailable("too many queries are running") from None
        finally:
            self._waiting -= 1

    async def _release_when_gone(self, mark: str) -> None:
        """ClickHouse stops a query between two steps only, and one step may be long."""
        try:
            while True:
                if not await self._is_running(mark):
                    return
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            self._room.release()

    async def _is_running(self, mark: str) -> bool:
        try:
            async with asyncio.timeout(_GRACE_SECONDS):
                found = await (await self._open()).query(
                    # Not this question itself: its text has the mark too, once it runs.
                    "SELECT 1 FROM system.processes WHERE position(query, {mark:String}) > 0 "
                    "AND NOT startsWith(query, 'SELECT 1 FROM system.processes')",
                    parameters={"mark": mark},
                )
        except (ClickHouseError, OSError, TimeoutError):
            return True
        return bool(found.result_rows)

    @contextlib.asynccontextmanager
    async def _answering(self, query: str = "") -> AsyncIterator[None]:
        """Errors told apart, and one for an answer that does not come."""
        try:
            async with asyncio.timeout(self.limits.seconds + _GRACE_SECONDS):
                with self._telling_apart(query):
                    yield
        except TimeoutError as error:
            raise QueryTooExpensive("time", self.limits.seconds) from error

    async def _open(self) -> AsyncClient:
        async with self._opening:
            if self._client is None:
                parts = urlsplit(self._url)
                client = await clickhouse_connect.get_async_client(
                    interface=parts.scheme,
                    host=parts.hostname,
                    port=parts.port or (8443 if parts.scheme == "https" else 8123),
                    username=parts.username or "default",
                    password=parts.password or "",
                    database="default",  # where there is nothing: every view is named in full
                    connect_timeout=CONNECT_SECONDS,
                    send_receive_timeout=self.limits.seconds + _GRACE_SECONDS,
                    autogenerate_session_id=False,
                    query_retries=0,
                )
                self._client = client
            if time.monotonic() >= self._tables_until:
                self._tables = await _storage_tables(self._client)
                self._tables_until = time.monotonic() + _TABLES_SECONDS
            return self._client

    @contextlib.contextmanager
    def _telling_apart(self, query: str) -> Any:
        try:
            with reporting_unavailable():
                yield
        except EngineUnavailable as error:
            cause = error.__cause__
            if isinstance(cause, ClickHouseError) and (limit := limit_in(cause)):
                raise QueryTooExpensive(limit, self._value(limit)) from error
            raise
        except ClickHouseError as error:
            if limit := limit_in(error):
                raise QueryTooExpensive(limit, self._value(limit)) from error
            message = clean_message(str(error))
            raise SqlRefused(message, *place_of(message, query)) from error

    def _value(self, limit: str) -> int:
        values = {
            "time": self.limits.seconds,
            "memory": self.limits.memory_bytes,
            "bytes": self.limits.answer_bytes,
        }
        return values[limit]


_TOO_EXPENSIVE: Final = {
    "time": "The query took more than {}. Read less: filter on run_uuid or key, or on a time; "
    "aggregate; ask `series` or `rollup` instead of `points`.",
    "memory": "The query needs more memory than {}. Read less, group by less, or join less: filter "
    "inside of the joined queries, and put the smaller one on the right.",
    "bytes": "The answer is larger than {}. Name fewer columns, or aggregate.",
}
_AGGREGATED: Final = re.compile(r"SimpleAggregateFunction\(\w+, ((?:[^()]|\([^()]*\))*)\)")


def _plain_type(type: str) -> str:
    """A value's type, without how its view aggregates it."""
    return _AGGREGATED.sub(r"\1", type)


def _readable(limit: str, value: int) -> str:
    return f"{value} s" if limit == "time" else f"{value // _MIB:,} MiB"


async def _storage_tables(client: AsyncClient) -> list[str]:
    """The tables below the views, which hold all workspaces' rows.

    Those of a next storage database are named before it is there: a rebuild may make it, and
    readers may switch to it, before this is asked again.
    """
    found = await client.query(
        "SELECT database, table FROM system.columns "
        "WHERE name = 'workspace' AND match(database, '^projection_[0-9]+$') "
        "AND table NOT IN (SELECT name FROM system.tables WHERE engine IN ('Null', "
        "'MaterializedView')) ORDER BY 1, 2"
    )
    names = {(str(database), str(table)) for database, table in found.result_rows}
    following = {
        (f"projection_{int(database.removeprefix('projection_')) + 1}", table)
        for database, table in names
    }
    return [f"{database}.{table}" for database, table in sorted(names | following)]
