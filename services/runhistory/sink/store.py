"""INSERTs into the landing tables, and what a failed one means.

There are two kinds of failure, and telling them apart is what keeps data. **Unreadable**: this
record will never be stored, however often it is tried; only error codes that ClickHouse raises
for the content of a row count. **Unavailable**: everything else, such as no connection, time-outs,
memory, too many parts, a missing table. It says nothing about the records, so they are kept and
tried again. After a time-out the outcome is unknown: the rows are inserted again, and identity
collapses the repetition. A code that nobody knows is Unavailable: it is better to stand still
and say so than to throw away.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import local
from typing import Any, Final, Protocol, TypeVar

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, OperationalError

from runhistory.clickhouse.client import EngineUnavailable
from runhistory.sink.batch import DeadLetter, Entry
from runhistory.sink.rows import Unreadable

INSERT_SETTINGS: Final[dict[str, Any]] = {
    # One INSERT is one block, and its answer means that every table has it.
    "async_insert": 0,
    "wait_end_of_query": 1,
    "max_execution_time": 240,
    "input_format_parallel_parsing": 0,
    "max_insert_block_size": 1_048_449,
    # Deduplication by token or by block loses rows that a crash left half written (DESIGN 5.6).
    "insert_deduplicate": 0,
    "deduplicate_blocks_in_dependent_materialized_views": 0,
    # A newer writer's fields are passed over; a name that stands twice, or none of the
    # expected, is an error (the landing tables' constraints).
    "input_format_skip_unknown_fields": 1,
    "input_format_json_ignore_unnecessary_fields": 0,
    "input_format_defaults_for_omitted_fields": 1,
    "input_format_null_as_default": 0,
    "input_format_allow_errors_num": 0,
    "input_format_allow_errors_ratio": 0,
}

UNREADABLE_CODES: Final = frozenset(
    {
        6,  # CANNOT_PARSE_TEXT
        25,  # CANNOT_PARSE_ESCAPE_SEQUENCE
        26,  # CANNOT_PARSE_QUOTED_STRING
        27,  # CANNOT_PARSE_INPUT_ASSERTION_FAILED
        33,  # CANNOT_READ_ALL_DATA
        38,  # CANNOT_PARSE_DATE
        41,  # CANNOT_PARSE_DATETIME
        53,  # TYPE_MISMATCH
        69,  # ARGUMENT_OUT_OF_BOUND
        70,  # CANNOT_CONVERT_TYPE
        72,  # CANNOT_PARSE_NUMBER
        117,  # INCORRECT_DATA
        128,  # TOO_LARGE_ARRAY_SIZE
        130,  # CANNOT_READ_ARRAY_FROM_TEXT
        131,  # TOO_LARGE_STRING_SIZE
        190,  # SIZES_OF_ARRAYS_DONT_MATCH
        321,  # VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
        349,  # CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
        376,  # CANNOT_PARSE_UUID
        407,  # DECIMAL_OVERFLOW
        467,  # CANNOT_PARSE_BOOL
        469,  # VIOLATED_CONSTRAINT
        691,  # UNKNOWN_ELEMENT_OF_ENUM
    }
)
"""ClickHouse's error codes that are about the content of a row, and about nothing else."""

_REASON_LENGTH: Final = 1_000

Answer = TypeVar("Answer")


class Unavailable(Exception):
    """Nothing is known to be stored: try again later. The message is the reason."""


class Store(Protocol):
    """Where rows are put."""

    async def insert(self, table: str, rows: Sequence[bytes]) -> None:
        """Put rows into a landing table; returns when all of its targets have them.

        Raises:
            Unreadable: at least one of the rows cannot be stored; perhaps none of them is.
            Unavailable: perhaps stored, perhaps not.
        """

    async def ping(self) -> None:
        """Ask whether it is there.

        Raises:
            Unavailable: it is not.
        """


class ClickHouseStore:
    """The landing tables of one storage database. Every thread has a client of its own.

    `open_client` may raise what an INSERT may raise; it is called again after each failure.
    """

    def __init__(self, open_client: Callable[[], Any], database: str) -> None:
        self._open_client, self._database = open_client, database
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="insert")
        self._own = local()

    async def insert(self, table: str, rows: Sequence[bytes]) -> None:
        """See Store."""
        await self.insert_into(self._database, table, rows)

    async def insert_into(self, database: str, table: str, rows: Sequence[bytes]) -> None:
        """The same, into another storage database's landing table."""
        await self._in_thread(self._insert, f"{database}.{table}", rows)

    async def ping(self) -> None:
        """See Store."""
        await self._in_thread(self._ping)

    async def ask(self, question: Callable[[Client], Answer]) -> Answer:
        """What `question` gets to know from ClickHouse, in a thread.

        Raises:
            Unavailable: it is not there.
        """
        answers: list[Answer] = []
        await self._in_thread(lambda: answers.append(question(self._client())))
        return answers[0]

    def close(self) -> None:
        """Give the threads back; does not wait for an INSERT that hangs."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, call: Callable[..., None], *arguments: Any) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._threads, self._attempt, call, *arguments)

    def _attempt(self, call: Callable[..., None], *arguments: Any) -> None:
        try:
            call(*arguments)
        except (ClickHouseError, EngineUnavailable, OSError) as error:
            self._own.__dict__.pop("client", None)
            raise failure(error) from error

    def _insert(self, table: str, rows: Sequence[bytes]) -> None:
        self._client().raw_insert(
            table,
            insert_block=b"\n".join(rows),
            settings=INSERT_SETTINGS,
            fmt="JSONEachRow",
        )

    def _ping(self) -> None:
        self._client().command("SELECT 1")

    def _client(self) -> Any:
        if "client" not in self._own.__dict__:
            self._own.client = self._open_client()
        return self._own.client


def failure(error: Exception) -> Unreadable | Unavailable:
    """What an exception of clickhouse-connect means for the rows of its INSERT."""
    reason = " ".join(str(error).split())[:_REASON_LENGTH]
    code = getattr(error, "code", None)
    transport = isinstance(error, OperationalError) and code is None
    if isinstance(error, DatabaseError) and not transport and code in UNREADABLE_CODES:
        return Unreadable(reason)
    return Unavailable(f"ClickHouse: {reason or repr(error)}")


async def insert_readable(
    insert: Callable[[Sequence[bytes]], Awaitable[None]], entries: Sequence[Entry]
) -> list[DeadLetter]:
    """Insert all entries, in order, but those that cannot be stored; these are returned.

    An INSERT that is refused is halved, down to the records that are the reason.

    Raises:
        Unavailable: some may be stored. Insert all of them again.
    """
    try:
        await insert([entry.row.json for entry in entries])
    except Unreadable as error:
        if len(entries) == 1:
            return [DeadLetter(entries[0].message, str(error))]
        middle = len(entries) // 2
        refused = await insert_readable(insert, entries[:middle])
        return refused + await insert_readable(insert, entries[middle:])
    return []
