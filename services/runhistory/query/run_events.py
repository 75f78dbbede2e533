"""The events of one run as they are in the log, page by page."""

from datetime import datetime
from typing import Final, Literal

from clickhouse_connect.driver.client import Client
from msgspec import Raw, Struct

from runhistory.query.rows import read

MAX_EVENTS: Final = 1_000

EventOrder = Literal["asc", "desc"]


class LoggedEvent(Struct, frozen=True, kw_only=True):
    """One event: what it says (`data`, JSON), what it is, and where it lies in run.events.

    `time` is when it was decided, `received` when Kafka took it in.
    """

    version: int
    id: str
    type: str
    source: str
    time: datetime
    received: datetime
    command_id: str
    status: str
    attempt: int
    partition: int
    offset: int
    data: Raw


class EventPage(Struct, frozen=True):
    """Some of a run's events, by version; `total` is how many it has."""

    events: list[LoggedEvent]
    total: int


_COLUMNS: Final = (
    "version, id, type, source, time, received, command_id, status, attempt, partition, offset"
)
_OF_THE_RUN: Final = "workspace = {workspace:String} AND run_uuid = unhex({run_id:String})"


def load_event_page(
    client: Client,
    *,
    workspace: str,
    run_id: str,
    after: int | None = None,
    order: EventOrder = "asc",
    limit: int = 200,
) -> EventPage:
    """At most `limit` events behind the version `after`: above it, or with `desc` below it.

    Raises:
        EngineUnavailable
    """
    beyond = ">" if order == "asc" else "<"
    asked = {"workspace": workspace, "run_id": run_id}
    found = read(
        client,
        f"""
        SELECT {_COLUMNS}, data FROM runhistory.events WHERE {_OF_THE_RUN}
            AND ({{is_first:Bool}} OR version {beyond} {{after:UInt64}})
        ORDER BY version {order} LIMIT {{limit:UInt32}}
        """,  # noqa: S608 - this module's words
        **asked,
        is_first=after is None,
        after=after or 0,
        limit=max(1, min(limit, MAX_EVENTS)),
    )
    counting = f"SELECT count() FROM runhistory.events WHERE {_OF_THE_RUN}"  # noqa: S608
    names = _COLUMNS.split(", ")
    events = [
        LoggedEvent(**dict(zip(names, row[:-1], strict=True)), data=Raw(row[-1].encode()))
        for row in found
    ]
    return EventPage(events, int(read(client, counting, **asked)[0][0]))
