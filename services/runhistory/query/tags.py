"""The tags of several runs at once."""

from collections import defaultdict
from collections.abc import Iterable

from clickhouse_connect.driver.client import Client

from runhistory.query.rows import THESE_RUNS, read


def load_tags(client: Client, workspace: str, run_ids: Iterable[str]) -> dict[str, dict[str, str]]:
    """{run id: {name: value}} of each of the runs, sorted by name.

    Raises:
        EngineUnavailable
    """
    tags: dict[str, dict[str, str]] = defaultdict(dict)
    found = read(
        client,
        "SELECT run_id, name, value FROM runhistory.tags "  # noqa: S608 - our words
        "WHERE workspace = {workspace:String} "
        f"AND run_uuid IN {THESE_RUNS} "
        "ORDER BY run_id, name",
        workspace=workspace,
        run_ids=list(run_ids),
    )
    for run_id, name, value in found:
        tags[run_id][name] = value
    return tags
