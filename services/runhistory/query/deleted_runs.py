"""Runs that are deleted: nothing of them is shown, and their ids stay taken."""

from clickhouse_connect.driver.client import Client

from runhistory.query.rows import read


class RunDeleted(Exception):
    """The run was here and is deleted."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"Run {run_id} is deleted; its id stays taken. Use another run.")


def refuse_deleted(client: Client, *, workspace: str, run_id: str) -> None:
    """Return if the run is not deleted, be it that there is none.

    Raises:
        RunDeleted: it is.
        EngineUnavailable
    """
    found = read(
        client,
        "SELECT 1 FROM runhistory.deleted_runs "
        "WHERE workspace = {workspace:String} AND run_uuid = unhex({run_id:String})",
        workspace=workspace,
        run_id=run_id,
    )
    if found:
        raise RunDeleted(run_id)
