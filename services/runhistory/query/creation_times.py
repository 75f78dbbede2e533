"""When runs were created: before that, nothing of them is anywhere."""

from collections.abc import Collection
from datetime import datetime

from clickhouse_connect.driver.client import Client

from runhistory.query.rows import THESE_RUNS, read


def first_creation(client: Client, *, workspace: str, run_ids: Collection[str]) -> datetime | None:
    """When the first of the runs was created (UTC); None unless all of them are known.

    Raises:
        EngineUnavailable
    """
    found = read(
        client,
        "SELECT min(created), count() FROM runhistory.runs WHERE workspace = {workspace:String} "  # noqa: S608
        f"AND run_uuid IN {THESE_RUNS}",
        workspace=workspace,
        run_ids=sorted(run_ids),
    )
    first, count = found[0]
    return first if count == len(set(run_ids)) else None
