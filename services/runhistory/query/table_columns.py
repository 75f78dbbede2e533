"""Which columns a table of runs can have: the names that the runs use, and how many use each.

Of very many runs the newest are looked at: nobody chooses columns by exact counts.
"""

from collections import defaultdict
from typing import Final

from clickhouse_connect.driver.client import Client
from msgspec import Struct

from runhistory.query.rows import read
from runhistory.query.run_columns import VIEWS
from runhistory.query.run_filter import RunFilter

MAX_NAMES: Final = 1_000
MAX_RUNS: Final = 10_000


class UsedName(Struct, frozen=True):
    """A name, and how many of the runs have something under it."""

    name: str
    runs: int


class TableColumns(Struct, frozen=True, kw_only=True):
    """The names that the newest 10,000 of the runs use, the most frequent first, and by how many of
    these each is used; at most so many of each kind as were asked for."""

    params: list[UsedName]
    tags: list[UsedName]
    properties: list[UsedName]
    metrics: list[UsedName]


def load_table_columns(
    client: Client, *, workspace: str, asked: RunFilter | None = None, limit: int = MAX_NAMES
) -> TableColumns:
    """The names that the runs which `asked` admits use, the newest MAX_RUNS of them.

    Raises:
        EngineUnavailable
    """
    asked = asked or RunFilter()
    found = read(
        client,
        f"""
        SELECT kind, name, uniqExact(run_uuid) AS runs FROM ({_USES})
        WHERE run_uuid IN (
            SELECT run_uuid FROM runhistory.runs
            WHERE {" AND ".join(["workspace = {workspace:String}", *asked.conditions()])}
            ORDER BY created DESC LIMIT {MAX_RUNS})
        GROUP BY kind, name ORDER BY runs DESC, name LIMIT {{limit:UInt32}} BY kind
        """,  # noqa: S608 - this package's words
        workspace=workspace,
        limit=limit,
        **asked.parameters(),
    )
    names: dict[str, list[UsedName]] = defaultdict(list)
    for kind, name, runs in found:
        names[kind].append(UsedName(name, runs))
    return TableColumns(**{kind: names[kind] for kind in TableColumns.__struct_fields__})


_KINDS: Final = (*((view, "name", view) for view in VIEWS.values()), ("metrics", "key", "series"))
"""(what they are called in the answer, the column with the names, the view)"""

# In one statement, so that the runs are looked for once; the engine reads of each view only theirs.
_USES: Final = " UNION ALL ".join(
    f"SELECT '{kind}' AS kind, {column} AS name, run_uuid FROM runhistory.{view} "  # noqa: S608
    "WHERE workspace = {workspace:String}"
    for kind, column, view in _KINDS
)
