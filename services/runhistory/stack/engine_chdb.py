"""The engine itself: chDB (ClickHouse as a library) behind one class, `Engine`.

chDB is one engine for each process and data folder; a handle to it has settings of its own, and
handles of several threads run in parallel. So every request has a handle (`Session`) for itself,
and nothing that one request sets can leak into the next: a handle serves another request only where
the first left no trace in it (see engine_handles.py).

A query is killed by its token, which travels as the setting `log_comment` and so stands in
`system.processes`. chDB gives no other way to name a query from outside.
"""

import fcntl
import functools
import importlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TextIO
from xml.sax.saxutils import escape

import psutil
from msgspec import Struct

from runhistory.stack.engine_handles import IdleHandles

GIB: Final = 1 << 30
PIPE: Final = 1 << 20
_ERROR: Final = re.compile(r"Code: (\d+)\. ")
_SETTING: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Limits(Struct, frozen=True, kw_only=True):
    """What the engine may take of the machine. Bytes and seconds."""

    server_memory: int
    query_memory: int
    query_seconds: int = 600
    mark_cache: int = 128 << 20
    merges: int = 2

    @classmethod
    def for_this_machine(cls, server_memory: int | None = None) -> "Limits":
        """A quarter of the memory, between 1 and 8 GiB; one query may take two thirds of that."""
        memory = server_memory or min(max(psutil.virtual_memory().total // 4, GIB), 8 * GIB)
        return cls(server_memory=memory, query_memory=memory * 2 // 3)


class QueryFailed(Exception):
    """The engine refused or failed a query; `code` is ClickHouse's error code (0: none given)."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        found = _ERROR.search(message)
        self.code = int(found.group(1)) if found else 0


class DataInUse(Exception):
    """Another process has this data folder open."""


class Written(Struct, frozen=True):
    """What an INSERT wrote, materialized views included."""

    rows: int
    bytes: int


class Engine:
    """One engine over one folder. Methods may be called from any thread."""

    def __init__(self, data: Path, limits: Limits) -> None:
        """Open `data`; the folder is made when it is missing.

        Raises:
            DataInUse: another process has it open.
        """
        # Costs half a second and starts threads, so it is not done where this module is imported.
        self._chdb: Any = importlib.import_module("chdb._chdb")
        self._limits = limits
        self._path = str(data)
        data.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(data / "engine.lock")
        configuration = data / "config.xml"
        configuration.write_text(_configuration(limits))
        self._handle = self._chdb.connect(f"{self._path}?config-file={configuration}")
        self._idle = IdleHandles()

    def close(self) -> None:
        """Write out what is pending and stop the engine. No session may be open."""
        self._idle.close()
        self._handle.close()
        self._lock.close()

    def session(
        self, token: str, settings: Mapping[str, str], database: str | None = None
    ) -> "Session":
        """A handle with these settings and no others; `kill` knows it by `token`.

        Raises:
            QueryFailed: no such setting, value or database.
        """
        settings = {**self._defaults(), **settings}
        preparation = (database or "", frozenset(settings.items()))
        handle = self._idle.take(preparation)
        session = Session(handle or self._chdb.connect(self._path), token, self.kill)
        try:
            if handle:
                session.prepare({"log_comment": token})
            else:
                session.prepare({**settings, "log_comment": token}, database)
        except BaseException:
            session.close()
            raise
        if "readonly" not in settings:  # such a handle takes no other token
            session.keep_handle = functools.partial(self._idle.put, preparation)
        return session

    def _defaults(self) -> dict[str, str]:
        limits = self._limits
        return {
            "implicit_select": "0",  # chDB reads `abc` as `SELECT abc`; a server does not
            "analyzer_inline_views": "1",  # planning a read of a view takes 4 ms instead of 6
            "async_insert": "0",
            "max_memory_usage": str(limits.query_memory),
            "max_bytes_before_external_group_by": str(limits.query_memory // 2),
            "max_bytes_before_external_sort": str(limits.query_memory // 2),
            "max_execution_time": str(limits.query_seconds),
        }

    def kill(self, token: str) -> None:
        """Stop the query of the session with this token, if it is running. Does not wait."""
        handle = self._chdb.connect(self._path)
        try:
            handle.query(f"KILL QUERY WHERE Settings['log_comment'] = '{token}' ASYNC", "Null")
        finally:
            handle.close()


class Session:
    """One handle, for one statement, in one thread."""

    def __init__(self, handle: Any, token: str, kill: Callable[[str], None]) -> None:
        self._handle, self._kill = handle, kill
        self.token = token
        self.rows_read = 0
        """What `stream` has read from tables so far."""
        self.keep_handle: Callable[[Any], None] | None = None
        """Takes the handle at the end. None: something may have left a trace, so it is closed."""

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the handle; a stream that is open is cancelled."""
        if self.keep_handle is None:
            self._handle.close()
        else:
            self.keep_handle(self._handle)

    def prepare(self, settings: Mapping[str, str], database: str | None = None) -> None:
        """Apply settings, then the database."""
        for name in settings:
            if not _SETTING.fullmatch(name):
                raise QueryFailed(f"Code: 115. DB::Exception: Unknown setting '{name}'.")
        values = ", ".join(f"{name} = {_quoted(value)}" for name, value in settings.items())
        self.query(f"SET {values}", "Null", {})
        if database and database != "default":
            name = database.replace("\\", "\\\\").replace("`", "\\`")
            self.query(f"USE `{name}`", "Null", {})

    def query(self, statement: str, format: str, parameters: Mapping[str, str]) -> bytes:
        """The whole answer of any statement; `format` where the statement names none.

        Raises:
            QueryFailed
        """
        self._refuse_several(statement)
        self.keep_handle = None
        try:
            result = self._handle.query(statement, format, params=dict(parameters))
        except RuntimeError as error:
            raise QueryFailed(str(error)) from None
        answer: bytes = result.bytes()
        return answer

    def stream(
        self, statement: str, format: str, parameters: Mapping[str, str]
    ) -> Iterator[memoryview | bytes]:
        """The answer of a SELECT in pieces, as they become ready, in bounded memory.

        Every piece is complete in `format`, so only formats without head and foot may be used.

        Raises:
            QueryFailed: before the first piece or between two.
        """
        handle, keep = self._handle, self.keep_handle
        self.keep_handle = None
        leaves_no_trace = self._refuse_several(statement)["query_class"].name == "READ_ONLY"
        try:
            stream = handle.send_query(statement, format, params=dict(parameters))
            while True:
                piece = handle.streaming_fetch_result(stream)
                if piece is None or piece.rows_read() == 0:
                    self.keep_handle = keep if leaves_no_trace else None
                    return
                self.rows_read += piece.storage_rows_read()
                yield piece.bytes()
        except RuntimeError as error:
            raise QueryFailed(str(error)) from None

    def _refuse_several(self, statement: str) -> dict[str, Any]:
        """chDB runs `SELECT 1; DROP …` whole; a server refuses it, and so does this one. Returns
        what else the engine says of the statement."""
        found: dict[str, Any] = self._handle.classify_query(statement)
        if found["statement_count"] > 1:
            raise QueryFailed("Code: 62. DB::Exception: Multi-statements are not allowed.")
        return found

    def insert(self, statement: str, format: str, pieces: Iterable[bytes]) -> Written:
        """Stream `pieces` into an INSERT (without FORMAT) and commit it at their end.

        Memory is bounded by the engine's block size, not by the length of the whole. Whatever
        `pieces` raises passes through, and the INSERT is killed: what was no full block by then
        is not written.

        Raises:
            QueryFailed
        """
        # Not by chDB's send_insert: it answers OK when a constraint, a view or the disk refuses
        # the rows (seen in 26.9). A pipe that the engine opens as a file has honest errors.
        self.keep_handle = None
        read_end, write_end = os.pipe()
        with ThreadPoolExecutor(1, "insert") as thread:
            path = f"/proc/self/fd/{read_end}"
            source = f"{statement} FROM INFILE '{path}' COMPRESSION 'none' FORMAT {format}"
            insert = thread.submit(self._insert_from, source, read_end)
            try:
                self._feed(write_end, pieces)
            finally:
                os.close(write_end)
            return insert.result()

    def _insert_from(self, source: str, read_end: int) -> Written:
        try:
            result = self._handle.query(source, "Null")
            return Written(rows=result.rows_written(), bytes=result.bytes_written())
        except RuntimeError as error:
            raise QueryFailed(str(error)) from None
        finally:
            os.close(read_end)  # so that nobody goes on feeding an INSERT that failed

    def _feed(self, write_end: int, pieces: Iterable[bytes]) -> None:
        fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, PIPE)
        try:
            for piece in pieces:
                left = memoryview(piece)
                while left:
                    left = left[os.write(write_end, left) :]
        except BrokenPipeError:
            return  # the INSERT has failed: its result says why
        except BaseException:
            self._kill(self.token)  # before the pipe closes: its end would read as the rows' end
            raise


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _lock(path: Path) -> TextIO:
    """Hold an exclusive lock for as long as the file is open (a killed process lets go too)."""
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise DataInUse(
            f"{path.parent} is in use by another engine. Stop that one first."
        ) from error
    return file


def _configuration(limits: Limits) -> str:
    """The server's own settings: a small machine's share of memory and threads, no system logs."""
    settings = {
        "max_server_memory_usage": limits.server_memory,
        "mark_cache_size": limits.mark_cache,
        "timezone": "UTC",
        "background_pool_size": limits.merges,
        "background_merges_mutations_concurrency_ratio": 2,
        "background_schedule_pool_size": 4,
        "background_move_pool_size": 1,
        "background_fetches_pool_size": 1,
        "background_common_pool_size": 2,
        "asynchronous_metrics_update_period_s": 60,
        "asynchronous_metrics_enable_heavy_metrics": 0,
    }
    # With so few merge threads, ClickHouse's defaults for how many must be free never hold.
    free_entries = {
        "number_of_free_entries_in_pool_to_execute_mutation": 1,
        "number_of_free_entries_in_pool_to_lower_max_size_of_merge": 1,
        "number_of_free_entries_in_pool_to_execute_optimize_entire_partition": 1,
    }
    return (
        "<clickhouse>"
        + _elements(settings)
        + f"<merge_tree>{_elements(free_entries)}</merge_tree>"
        + "</clickhouse>\n"
    )


def _elements(values: Mapping[str, object]) -> str:
    return "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in values.items())
