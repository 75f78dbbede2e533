"""Tags, properties and params: names with values."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Literal

from clickhouse_connect.driver.client import Client

from runhistory.query.rows import read


def load_pairs(
    client: Client,
    view: Literal["tags", "properties", "params"],
    workspace: str,
    run_ids: Iterable[str],
) -> dict[str, dict[str, str]]:
    """{run id: {name: value}} of each of the runs, sorted by name.

    Raises:
        EngineUnavailable
    """
    pairs: dict[str, dict[str, str]] = defaultdict(dict)
    found = read(
        client,
        f"SELECT run_id, name, value FROM runhistory.{view} "  # noqa: S608
        "WHERE workspace = {workspace:String} "
        "AND run_uuid IN (SELECT unhex(arrayJoin({run_ids:Array(String)}))) "
        "ORDER BY run_id, name",
        workspace=workspace,
        run_ids=list(run_ids),
    )
    for run_id, name, value in found:
        pairs[run_id][name] = value
    return pairs
