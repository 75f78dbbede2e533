"""One run, with all that is known of it: its events, which one look-up by key brings, folded."""

from operator import itemgetter
from typing import Final

from clickhouse_connect.driver.client import Client
from msgspec import Struct

from runhistory.domain import events
from runhistory.query.deleted_runs import RunDeleted
from runhistory.query.rows import read
from runhistory.query.run_fold import RunDetails, ToldEvent, details_of

DELETED: Final = events.RunDeleted.TYPE
"""Nothing comes behind this event."""


_OF_THE_RUN: Final = "workspace = {workspace:String} AND run_uuid = unhex({run_id:String})"


class FoundRun(Struct, frozen=True):
    """A run as its events tell it: `offset` is the newest one's in run.events, and `is_whole` says
    that none is missing before it."""

    details: RunDetails
    offset: int
    is_whole: bool


def read_run(client: Client, *, workspace: str, run_id: str) -> FoundRun | None:
    """All that is known of a run; None: there is no such run (or it is not visible yet).

    Raises:
        RunDeleted
        EngineUnavailable
    """
    found = read(
        client,
        f"""
        SELECT version, type, time, status, attempt,
            if(type = 'run.files_added.v1', '', data), offset
        FROM runhistory.event_log WHERE {_OF_THE_RUN}
        """,  # noqa: S608 - this module's words
        workspace=workspace,
        run_id=run_id,
    )
    # Sorted here: in the statement it would cost a tenth of the whole.
    found = sorted(found, key=itemgetter(0))
    events = [ToldEvent(*row[:-1]) for row in found]
    if events and events[-1].type == DELETED:
        raise RunDeleted(run_id)
    details = details_of(run_id, events) if events else None
    if details is None:
        return None
    return FoundRun(details, offset=found[-1][-1], is_whole=details.version == len(events))


def get_run(client: Client, *, workspace: str, run_id: str) -> RunDetails | None:
    """The details alone.

    Raises:
        RunDeleted
        EngineUnavailable
    """
    found = read_run(client, workspace=workspace, run_id=run_id)
    return found.details if found else None


def latest_attempt(client: Client, *, workspace: str, run_id: str) -> int | None:
    """The run's newest attempt, 0 before the first; None: there is no such run.

    Raises:
        RunDeleted
        EngineUnavailable
    """
    found = read(
        client,
        f"SELECT type, attempt FROM runhistory.event_log WHERE {_OF_THE_RUN} "  # noqa: S608
        "AND type LIKE 'run.%' ORDER BY version DESC LIMIT 1",
        workspace=workspace,
        run_id=run_id,
    )
    if found and found[0][0] == DELETED:
        raise RunDeleted(run_id)
    return int(found[0][1]) if found else None
