"""`Workspace.sql`: the answer to a SELECT, as rows or as a data frame."""

import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, overload

import msgspec
import orjson

from runhistory.sdk.errors import RunHistoryError
from runhistory.sdk.http import Connection
from runhistory.sdk.sql_types import arrow_type, arrow_value, decoder

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

ROWS: Final = 10_000
ANSWER_SECONDS: Final = 60.0
"""More than a query may take by the gateway's own limit."""


class AnswerTruncated(UserWarning):
    """An answer had more rows than were asked for, and was cut off."""


class MissingLibrary(RunHistoryError, ImportError):
    """A library for data frames is not installed."""

    code = "missing_library"


class SqlResult:
    """The rows of an answer, as tuples in the order of `columns`.

    `for run_id, loss in result`, `result[0]`, `len(result)`; `to_dicts()` names the values. Values
    are exact: integers are `int`, floats `float` (NaN and infinities too), times aware `datetime`
    in UTC, `UUID`, `Decimal`, `bytes` for FixedString, `list`, `tuple`, `dict` for Map, None for
    NULL.

    Attributes:
        columns: the names.
        types: ClickHouse's types, in the same order.
        truncated: there were more rows than the limit.
        elapsed_ms: what ClickHouse took, milliseconds.
        rows_read: how many stored rows it read for it (one may hold many points); None where
            it does not say.
    """

    def __init__(self, answer: dict[str, Any]) -> None:
        self.columns: tuple[str, ...] = tuple(one["name"] for one in answer["columns"])
        self.types: tuple[str, ...] = tuple(one["type"] for one in answer["columns"])
        self.truncated: bool = answer["truncated"]
        self.elapsed_ms: float = answer["elapsed_ms"]
        self.rows_read: int | None = answer["rows_read"]
        self._rows = _decoded(answer["rows"], self.types)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> tuple[Any, ...]: ...
    @overload
    def __getitem__(self, index: slice) -> list[tuple[Any, ...]]: ...
    def __getitem__(self, index: int | slice) -> tuple[Any, ...] | list[tuple[Any, ...]]:
        return self._rows[index]

    def to_dicts(self) -> list[dict[str, Any]]:
        """The rows as dictionaries by column name."""
        return [dict(zip(self.columns, row, strict=True)) for row in self._rows]

    def to_arrow(self) -> "pa.Table":
        """A pyarrow Table. UUIDs are strings there; all else keeps its type.

        Raises:
            MissingLibrary: pyarrow is not installed.
        """
        pyarrow = _load("pyarrow")
        arrays = [
            pyarrow.array([arrow_value(type, row[number]) for row in self._rows], arrow_type(type))
            for number, type in enumerate(self.types)
        ]
        table: pa.Table = pyarrow.Table.from_arrays(arrays, names=list(self.columns))
        return table

    def to_pandas(self) -> "pd.DataFrame":
        """A pandas DataFrame. Integers with NULLs become pandas' nullable integers, so none is
        rounded; NULL and NaN are one in a column of floats, as everywhere in pandas.

        Raises:
            MissingLibrary: pandas or pyarrow is not installed.
        """
        pandas, pyarrow = _load("pandas"), _load("pyarrow")
        nullable = {
            getattr(pyarrow, name.lower())(): getattr(pandas, f"{name}Dtype")()
            for name in ("Int8 Int16 Int32 Int64 UInt8 UInt16 UInt32 UInt64".split())
        }
        table = self.to_arrow()
        parts = [
            table.select([number]).to_pandas(
                types_mapper=nullable.get if table.column(number).null_count else None
            )
            for number in range(table.num_columns)
        ]
        frame: pd.DataFrame = pandas.concat(parts, axis=1) if parts else pandas.DataFrame()
        return frame

    def to_polars(self) -> "pl.DataFrame":
        """A polars DataFrame.

        Raises:
            MissingLibrary: polars or pyarrow is not installed.
        """
        frame: pl.DataFrame = _load("polars").from_arrow(self.to_arrow())
        return frame

    def __repr__(self) -> str:
        cut = ", truncated" if self.truncated else ""
        return f"SqlResult({len(self)} rows of {', '.join(self.columns)}{cut})"


def run_sql(connection: Connection, query: str, limit: int = ROWS) -> SqlResult:
    """Ask the gateway; as `Workspace.sql`, without its warning."""
    watermarks = connection.watermarks()
    answer = connection.request(
        "POST",
        "/sql",
        body=msgspec.json.encode({"query": query, "limit": limit}),
        query={"watermark": watermarks},
        answer_within=ANSWER_SECONDS,
    )
    connection.forget(watermarks)
    return SqlResult(orjson.loads(answer.content))


def warn_if_truncated(result: SqlResult, limit: int) -> None:
    """Say that rows are missing, at the line of whoever asked."""
    if result.truncated:
        warnings.warn(
            f"The answer has more than {limit:,} rows and was cut off there. Aggregate, or ask for "
            "more with limit=….",
            AnswerTruncated,
            stacklevel=3,
        )


def _decoded(rows: list[list[Any]], types: tuple[str, ...]) -> list[tuple[Any, ...]]:
    decoders = [decoder(type) for type in types]
    if not any(decoders):
        return [tuple(row) for row in rows]
    return [
        tuple(
            decode(value) if decode else value for decode, value in zip(decoders, row, strict=True)
        )
        for row in rows
    ]


def _load(name: str) -> ModuleType:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingLibrary(
            f'{name} is not installed. Data frames need it: pip install "runhistory[frames]"'
        ) from error
