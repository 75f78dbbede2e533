"""Which storage database readers see, and into which ones the sinks write.

Nearly always that is one and the same. While a rebuild is under way there are two of them, and
this is where everybody looks up which is which: the view `runhistory.storages`, one row of
constants. A view is replaced in one step and at once on disk, so whoever asks gets the old
answer or the new one; and whoever is killed while replacing it has done it or not.
"""

import re
from typing import Final

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError
from msgspec import Struct

from runhistory.clickhouse.client import reporting_unavailable

FIRST_STORAGE: Final = "projection_1"
"""The database with the tables that the sink fills where nobody has rebuilt."""
_NAME: Final = re.compile(r"[A-Za-z_]\w*")
_NOT_THERE: Final = frozenset({60, 81})  # UNKNOWN_TABLE, UNKNOWN_DATABASE


class Storages(Struct, frozen=True):
    """`reading` is what the views select from; an INSERT goes into each of `writing`."""

    reading: str = FIRST_STORAGE
    writing: tuple[str, ...] = (FIRST_STORAGE,)


def load_storages(client: Client) -> Storages:
    """Which they are now; where nobody ever rebuilt, the first one.

    Raises:
        EngineUnavailable: ClickHouse does not answer.
    """
    try:
        with reporting_unavailable():
            rows = client.query("SELECT reading, writing FROM runhistory.storages").result_rows
    except DatabaseError as error:
        if getattr(error, "code", None) in _NOT_THERE:
            return Storages()
        raise
    ((reading, writing),) = rows
    return Storages(str(reading), tuple(map(str, writing)))


def save_storages(client: Client, storages: Storages) -> None:
    """From now on they are `storages`, for whoever asks; a sink asks once for each assignment.

    Raises:
        EngineUnavailable: ClickHouse does not answer; perhaps saved, perhaps not.
        ValueError: one is no name of a database.
    """
    reading = storage_name(storages.reading)
    writing = ", ".join(f"'{storage_name(one)}'" for one in storages.writing)
    with reporting_unavailable():
        client.command(
            "CREATE OR REPLACE VIEW runhistory.storages AS "
            f"SELECT '{reading}' AS reading, [{writing}] AS writing"
        )


def storage_name(name: str) -> str:
    """`name` itself.

    Raises:
        ValueError: it is no name of a storage database.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"A storage database is named like {FIRST_STORAGE}, not {name!r}.")
    return name
