"""Whether two storage databases say the same: a digest of each table, whatever order its rows have.

A digest is that of the facts, not of the bytes: a table's rows without repetitions (FINAL, or
grouped by the key where columns aggregate), without those of deleted runs, which no view shows
and which are erased sooner or later. Each row has two hashes of all its columns, cityHash64
and sipHash64; the digest is the number of rows, the sum of the one (modulo 2^64) and the
exclusive or of the other, so neither the order of rows nor how they lie in parts matters.
`erasures`, `expiries` and `migrations` tell about the database, not about the log, and are left
out; points that have expired are deleted on both sides before they are compared.

Two databases are compared run by run, both sides in one query. While they are being written
into, a run differs for as long as one INSERT has arrived in the one and not yet in the other, so
a difference counts when it stays: what is compared again and found equal once was equal.
"""

# ruff: noqa: S608 - statements are made of names that ClickHouse itself told, and of ids in hex

import re
import time
from collections.abc import Iterable, Sequence
from typing import Final

from clickhouse_connect.driver.client import Client
from msgspec import Struct

from runhistory.clickhouse.client import reporting_unavailable

ROUNDS: Final = 30
PAUSE_SECONDS: Final = 0.3
_APART: Final = frozenset({"erasures", "expiries", "migrations"})
_LOG_COPIES: Final = frozenset({"events", "deleted_runs"})
"""What keeps the rows of deleted runs."""
_IDS: Final = ("run_id", "experiment_id", "target_id")
_NAMED_AGAIN: Final = 1_000
_SETTINGS: Final = {"max_execution_time": 0, "max_threads": 2}


class Table(Struct, frozen=True):
    """A storage table: what its rows are about (`id`), and how repetitions of them collapse."""

    name: str
    id: str
    key: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]

    @property
    def aggregates(self) -> bool:
        """Whether rows of one key are aggregated, not replaced."""
        return any(type.startswith("SimpleAggregateFunction") for _, type in self.columns)


class Digest(Struct, frozen=True):
    """Of a table's facts: how many there are, and 32 hex digits about what they say."""

    rows: int
    digest: str


class Comparison(Struct, frozen=True):
    """One table of two databases; `different` names some whose facts differ, in hex."""

    table: str
    rows: int
    digest: str
    different: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether they are equal."""
        return not self.different


def load_tables(client: Client, storage: str) -> list[Table]:
    """The tables of a storage database that are made from the log."""
    with reporting_unavailable():
        tables = client.query(
            "SELECT name, sorting_key FROM system.tables WHERE database = {storage:String} "
            "AND engine LIKE '%MergeTree' ORDER BY name",
            parameters={"storage": storage},
        ).result_rows
        columns = client.query(
            "SELECT table, name, type FROM system.columns WHERE database = {storage:String} "
            "ORDER BY table, position",
            parameters={"storage": storage},
        ).result_rows
    found = []
    for name, sorting_key in tables:
        if name in _APART:
            continue
        own = tuple((column, type) for table, column, type in columns if table == name)
        id = next(one for one in _IDS if one in dict(own))
        key = tuple(part.strip().strip("`") for part in sorting_key.split(","))
        found.append(Table(name, id, key, own))
    return found


def digest(client: Client, storage: str) -> dict[str, Digest]:
    """The digest of each table, as of now."""
    found = {}
    for table in load_tables(client, storage):
        with reporting_unavailable():
            ((rows, total, mix),) = client.query(
                "SELECT sum(facts), sumWithOverflow(total), groupBitXor(mix) "
                f"FROM ({_by_id(storage, table)})",
                settings=_SETTINGS,
            ).result_rows
        found[table.name] = _digest(rows, total, mix)
    return found


def compare(client: Client, present: str, other: str, table: Table) -> Comparison:
    """Hold a table of `other` against that of `present`; both may be written into meanwhile.

    Blocks as long as it takes to read both, and longer where they differ.

    Raises:
        EngineUnavailable: ClickHouse does not answer.
    """
    whole, different = _compare_once(client, present, other, table)
    for _ in range(ROUNDS):
        if not different:
            break
        time.sleep(PAUSE_SECONDS)
        few = different if len(different) <= _NAMED_AGAIN else ()
        _, different = _compare_once(client, present, other, table, few)
    return Comparison(table.name, whole.rows, whole.digest, tuple(different))


def _compare_once(
    client: Client, present: str, other: str, table: Table, ids: Sequence[str] = ()
) -> tuple[Digest, list[str]]:
    """The digest of what is present, and of whom it differs (some more than _NAMED_AGAIN)."""
    sides = " UNION ALL ".join(
        f"SELECT *, {side} AS side FROM ({_by_id(storage, table, ids)})"
        for side, storage in enumerate((present, other))
    )
    with reporting_unavailable():
        ((rows, total, mix, different),) = client.query(
            "SELECT sum(facts_0), sumWithOverflow(total_0), groupBitXor(mix_0), "
            f"groupUniqArrayIf({_NAMED_AGAIN + 1})(lower(hex(id)), "
            "(facts_0, total_0, mix_0) != (facts_1, total_1, mix_1)) FROM (SELECT workspace, id, "
            + ", ".join(
                f"sumIf(facts, side = {side}) AS facts_{side}, "
                f"sumWithOverflowIf(total, side = {side}) AS total_{side}, "
                f"groupBitXorIf(mix, side = {side}) AS mix_{side}"
                for side in (0, 1)
            )
            + f" FROM ({sides}) GROUP BY workspace, id)",
            settings=_SETTINGS,
        ).result_rows
    return _digest(rows, total, mix), sorted(different)


def _by_id(storage: str, table: Table, ids: Sequence[str] = ()) -> str:
    """The digests of all runs (experiments, targets) of a table, or of some."""
    hashed = ", ".join(f"c{number}" for number in range(len(table.columns)))
    return (
        "SELECT workspace, id, count() AS facts, "
        f"sumWithOverflow(cityHash64(({hashed}))) AS total, "
        f"groupBitXor(sipHash64(({hashed}))) AS mix "
        f"FROM ({_facts(storage, table, ids)}) GROUP BY workspace, id"
    )


def _facts(storage: str, table: Table, ids: Sequence[str]) -> str:
    """A table's rows without repetitions, its columns named c0, c1, …"""
    columns = ", ".join(
        f"{_value(name, type)} AS c{number}" for number, (name, type) in enumerate(table.columns)
    )
    collapsed = f"GROUP BY {_names(table.key)}" if table.aggregates else ""
    return (
        f"SELECT t.workspace AS workspace, t.{table.id} AS id, {columns} "
        f"FROM {storage}.{table.name} AS t {'' if table.aggregates else 'FINAL'} "
        f"WHERE {_counted(storage, table, ids)} {collapsed}"
    )


def _counted(storage: str, table: Table, ids: Sequence[str]) -> str:
    """Which rows are: those that are not of deleted runs, and of the `ids` where some are named."""
    conditions = ["1"]
    if table.id == "run_id" and table.name not in _LOG_COPIES:
        conditions.append(
            f"(t.workspace, t.run_id) NOT IN (SELECT workspace, run_id FROM {storage}.deleted_runs)"
        )
    if ids:
        named = ", ".join(f"unhex('{one}')" for one in ids)
        conditions.append(f"t.{table.id} IN ({named})")
    return " AND ".join(conditions)


def _value(name: str, type: str) -> str:
    function = re.match(r"SimpleAggregateFunction\((\w+),", type)
    return f"{function.group(1)}(t.`{name}`)" if function else f"t.`{name}`"


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f"t.`{column}`" for column in columns)


def _digest(rows: int, total: int, mix: int) -> Digest:
    return Digest(int(rows), f"{int(total):016x}{int(mix):016x}")
