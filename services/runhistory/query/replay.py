"""Events as the projection keeps them, for services that fold them at start."""

from collections.abc import Sequence
from typing import Any

from clickhouse_connect.driver.client import Client
from msgspec import Struct

from runhistory.clickhouse.client import reporting_unavailable
from runhistory.query.rows import THESE_RUNS


class StoredEvent(Struct, frozen=True):
    """One event: its CloudEvents type, its data as JSON, and its offset in run.events."""

    type: str
    data: str
    offset: int


def load_open_runs(client: Client, partition: int) -> tuple[int, list[StoredEvent]]:
    """Where to read on in run.events, and the events before that of all that is not over.

    The offset is the one behind the last event that the projection has of this partition (0 when
    it has none). Whole histories, in the log's order; runs that were over by then are left out.

    Raises:
        EngineUnavailable: ClickHouse does not answer: read the log from its beginning.
    """
    end = next_offset(client, partition)
    # The projection grows while this is read, so both halves look at what lies before `end` only.
    # A terminal status is absorbing: one event that shows it tells that the run is over.
    rows = _read(
        client,
        """
        SELECT type, data, offset FROM runhistory.event_log
        WHERE partition = {partition:UInt32} AND offset < {end:UInt64} AND run_uuid NOT IN (
            SELECT run_uuid FROM runhistory.event_log
            WHERE partition = {partition:UInt32} AND offset < {end:UInt64}
                AND status IN ('Completed', 'Failed', 'Canceled')
        )
        ORDER BY offset
        """,
        partition=partition,
        end=end,
    )
    return end, rows


def load_events(
    client: Client, partition: int, run_ids: Sequence[str]
) -> tuple[int, list[StoredEvent]]:
    """Where the projection of this partition ends, and the events of `run_ids` before that.

    Raises:
        EngineUnavailable: ClickHouse does not answer.
    """
    end = next_offset(client, partition)
    if not run_ids:
        return end, []
    rows = _read(
        client,
        f"""
        SELECT type, data, offset FROM runhistory.event_log
        WHERE run_uuid IN {THESE_RUNS}
            AND partition = {{partition:UInt32}} AND offset < {{end:UInt64}}
        ORDER BY offset
        """,  # noqa: S608 - this package's words
        partition=partition,
        end=end,
        run_ids=list(run_ids),
    )
    return end, rows


def next_offset(client: Client, partition: int) -> int:
    """The offset behind the last event that the projection has of a partition of run.events.

    Raises:
        EngineUnavailable: ClickHouse does not answer.
    """
    with reporting_unavailable():
        found = client.query(
            "SELECT next_offset FROM runhistory.event_offsets WHERE partition = {partition:UInt32}",
            parameters={"partition": partition},
        )
    return int(found.result_rows[0][0]) if found.result_rows else 0


def _read(client: Client, sql: str, **parameters: Any) -> list[StoredEvent]:
    with reporting_unavailable():
        found = client.query(sql, parameters=parameters)
    return [StoredEvent(type, data, offset) for type, data, offset in found.result_rows]
