"""One read: a statement with bound parameters, its rows as tuples, its errors told apart."""

from collections.abc import Sequence
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from runhistory.clickhouse.client import reporting_unavailable

Row = Sequence[Any]

THESE_RUNS: Final = "(SELECT toFixedString(unhex(arrayJoin({run_ids:Array(String)})), 16))"
"""What `run_uuid IN` takes, of the parameter `run_ids`. Texts of 16 bytes would not do: the engine
cuts zeros off their ends before it compares, and finds no run whose id ends with 00.
"""


def read(client: Client, sql: str, **parameters: Any) -> Sequence[Row]:
    """The rows of a SELECT; times carry UTC. Parameters are `{name:Type}` in `sql`.

    Raises:
        EngineUnavailable: ClickHouse does not answer, or has no room just now.
    """
    with reporting_unavailable():
        found = client.query(sql, parameters=parameters, tz_mode="aware")
        rows: Sequence[Row] = found.result_rows
    return rows


def read_columns(client: Client, sql: str, **parameters: Any) -> Sequence[Sequence[Any]]:
    """The same by columns, for many rows; without a row there is no column either.

    Raises:
        EngineUnavailable: as `read`.
    """
    with reporting_unavailable():
        found = client.query(sql, parameters=parameters, column_oriented=True)
        columns: Sequence[Sequence[Any]] = found.result_columns
    return columns
