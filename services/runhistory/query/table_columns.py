"""Which columns a table of runs can have: the names that the runs use, and how many use each.

Of very many runs the newest are looked at: nobody chooses columns by exact counts.
"""

from typing import Any, Final

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
    """The names in use, the most frequent first; at most so many of each kind as were asked for."""

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
    parameters = {"workspace": workspace, **asked.parameters(), "limit": limit}
    pairs = {
        view: _count(client, _PAIRS.format(view=view), asked, parameters) for view in VIEWS.values()
    }
    return TableColumns(**pairs, metrics=_count(client, _METRICS, asked, parameters))


# Within a run a name of one kind stands once.
_PAIRS: Final = """
    SELECT name, count() AS runs FROM runhistory.{view}
    WHERE workspace = {{workspace:String}} AND run_uuid IN (SELECT run_uuid FROM chosen)
    GROUP BY name
"""
_METRICS: Final = """
    SELECT key AS name, uniqExact(run_uuid) AS runs FROM runhistory.series
    WHERE workspace = {workspace:String} AND run_uuid IN (SELECT run_uuid FROM chosen)
    GROUP BY key
"""


def _count(
    client: Client, counting: str, asked: RunFilter, parameters: dict[str, Any]
) -> list[UsedName]:
    chosen = " AND ".join(["workspace = {workspace:String}", *asked.conditions()])
    found = read(
        client,
        f"""
        WITH chosen AS (SELECT run_uuid FROM runhistory.runs WHERE {chosen}
            ORDER BY created DESC LIMIT {MAX_RUNS})
        SELECT name, runs FROM ({counting}) ORDER BY runs DESC, name LIMIT {{limit:UInt32}}
        """,  # noqa: S608 - this package's words
        **parameters,
    )
    return [UsedName(name, runs) for name, runs in found]
