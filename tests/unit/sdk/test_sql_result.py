"""`Workspace.sql`: every value exact, as rows and in each kind of data frame."""

import math
import subprocess
import sys
import warnings
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import polars as pl
import pyarrow as pa
import pytest

from runhistory import Workspace
from runhistory.sdk.errors import InvalidRequest
from runhistory.sdk.sql import AnswerTruncated, MissingLibrary, SqlResult
from runhistory.sdk.sql_types import elements, split_type
from tests.unit.cli.canned_gateway import CannedGateway, canned_gateway

SOME_ID = "61f0c404-5cb3-11e7-907b-a6006ad3dba0"
MOMENT = datetime(2026, 1, 2, 3, 4, 5, 6, UTC)

# type, as JSON says it, in Python
VALUES: list[tuple[str, Any, Any]] = [
    ("Int64", 9223372036854775807, 9223372036854775807),
    ("UInt64", 18446744073709551615, 18446744073709551615),
    ("Nullable(Int64)", None, None),
    ("Int128", "-170141183460469231731687303715884105728", -(2**127)),
    ("Float64", "-Infinity", -math.inf),
    ("Float64", 1, 1.0),
    ("LowCardinality(String)", "é", "é"),
    ("DateTime64(6, 'UTC')", "2026-01-02T03:04:05.000006Z", MOMENT),
    ("Nullable(DateTime)", None, None),
    ("Date", "2026-01-02", date(2026, 1, 2)),
    ("UUID", SOME_ID, UUID(SOME_ID)),
    ("Decimal(9, 2)", "1.50", Decimal("1.50")),
    ("FixedString(2)", "00ff", b"\x00\xff"),
    ("Bool", True, True),
    ("Array(Nullable(Float64))", [1, None, "Infinity"], [1.0, None, math.inf]),
    ("Map(String, Array(Date))", {"a": ["2026-01-02"]}, {"a": [date(2026, 1, 2)]}),
    ("Map(UInt8, String)", [[1, "x"]], {1: "x"}),
    ("Tuple(UInt8, UUID)", [1, SOME_ID], (1, UUID(SOME_ID))),
    ("Tuple(a UInt8, `b c` Date)", [1, "2026-01-02"], (1, date(2026, 1, 2))),
    ("Nullable(Nothing)", None, None),
]


def answer(types: list[str], *rows: list[Any], truncated: bool = False) -> dict[str, Any]:
    return {
        "columns": [{"name": f"c{n}", "type": type} for n, type in enumerate(types)],
        "rows": list(rows),
        "truncated": truncated,
        "elapsed_ms": 1.5,
        "rows_read": 7,
    }


@pytest.fixture
def everything() -> SqlResult:
    return SqlResult(answer([type for type, _, _ in VALUES], [value for _, value, _ in VALUES]))


@pytest.fixture
def gateway() -> Iterator[CannedGateway]:
    with canned_gateway() as gateway:
        yield gateway


def test_every_value_is_what_it_was(everything: SqlResult) -> None:
    (row,) = everything
    for found, (type, _, expected) in zip(row, VALUES, strict=True):
        assert (found, found.__class__) == (expected, expected.__class__), type


def test_nan_is_a_float() -> None:
    assert math.isnan(SqlResult(answer(["Float64"], ["NaN"]))[0][0])
    (value,) = SqlResult(answer(["String"], ["NaN"]))[0]
    assert value == "NaN"


def test_an_arrow_table_keeps_the_values(everything: SqlResult) -> None:
    (row,) = everything.to_arrow().to_pylist()
    for name, (type, _, expected) in zip(row, VALUES, strict=True):
        if "UUID" in type or type.startswith(("Map", "Tuple", "Int128")):
            continue
        assert row[name] == expected, type
    assert row["c10"] == SOME_ID
    assert row["c15"] == [("a", [date(2026, 1, 2)])]
    assert row["c18"] == {"a": 1, "b c": date(2026, 1, 2)}
    assert everything.to_arrow().schema.field("c7").type == pa.timestamp("us", tz="UTC")


def test_a_pandas_frame_rounds_no_integer() -> None:
    types = ["Nullable(UInt64)", "Int64", "DateTime64(6, 'UTC')", "Float64"]
    stamp = "2026-01-02T03:04:05.000006Z"
    rows = [[2**64 - 1, 2**63 - 1, stamp, "NaN"], [None, -1, stamp, 0.5]]
    frame = SqlResult(answer(types, *rows)).to_pandas()
    assert [str(one) for one in frame.dtypes] == [
        "UInt64",
        "int64",
        "datetime64[us, UTC]",
        "float64",
    ]
    assert frame["c0"][0] == 2**64 - 1
    assert frame["c1"][0] == 2**63 - 1
    assert frame["c2"][0].to_pydatetime() == MOMENT
    assert math.isnan(frame["c3"][0])


def test_a_polars_frame_keeps_nan_and_null_apart() -> None:
    frame = SqlResult(answer(["Nullable(Float64)"], ["NaN"], [None], [2**-1074])).to_polars()
    assert frame.schema["c0"] == pl.Float64
    nan, null, least = frame["c0"].to_list()
    assert math.isnan(nan)
    assert null is None
    assert least == 2**-1074


@pytest.mark.parametrize("way", ["to_arrow", "to_pandas", "to_polars"])
def test_an_empty_answer_is_an_empty_frame_with_columns(way: str) -> None:
    frame = getattr(SqlResult(answer(["Int64", "String"])), way)()
    names = frame.column_names if way == "to_arrow" else list(frame.columns)
    assert (names, len(frame)) == (["c0", "c1"], 0)


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(MissingLibrary, match=r'pip install "runhistory\[frames\]"'):
        SqlResult(answer(["Int64"])).to_polars()


def test_asking_loads_no_library_for_frames(gateway: CannedGateway) -> None:
    gateway.answers["/sql"] = answer(["UInt64"], [5])
    program = (
        "import sys; from runhistory import Workspace; "
        f"print(list(Workspace({gateway.url!r}).sql('SELECT 5')), "
        "{'pandas', 'polars', 'pyarrow', 'numpy'} & set(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout == "[(5,)] set()\n"


def test_rows_are_tuples_and_dictionaries(gateway: CannedGateway) -> None:
    gateway.answers["/sql"] = answer(["UInt64", "String"], [1, "a"], [2, "b"])
    result = Workspace(gateway.url).sql("SELECT …", limit=2)
    assert (list(result), len(result), result[-1]) == ([(1, "a"), (2, "b")], 2, (2, "b"))
    assert result.to_dicts()[0] == {"c0": 1, "c1": "a"}
    assert (result.columns, result.types) == (("c0", "c1"), ("UInt64", "String"))
    assert (result.truncated, result.elapsed_ms, result.rows_read) == (False, 1.5, 7)
    assert repr(result) == "SqlResult(2 rows of c0, c1)"


def test_a_cut_off_answer_warns_where_it_was_asked(gateway: CannedGateway) -> None:
    gateway.answers["/sql"] = answer(["UInt64"], [1], truncated=True)
    with pytest.warns(AnswerTruncated, match="more than 1 rows") as caught:
        Workspace(gateway.url).sql("SELECT …", limit=1)
    assert caught[0].filename == __file__
    with warnings.catch_warnings(action="error"):
        gateway.answers["/sql"] = answer(["UInt64"], [1])
        Workspace(gateway.url).sql("SELECT …", limit=1)


@pytest.mark.parametrize(("status", "code"), [(400, "invalid_sql"), (422, "query_too_expensive")])
def test_a_refused_query_is_not_sent_again(gateway: CannedGateway, status: int, code: str) -> None:
    gateway.refuse("/sql", status, code, "Write something else.")
    with pytest.raises(InvalidRequest, match="something else") as error:
        Workspace(gateway.url).sql("SELECT")
    assert error.value.code == code
    assert len(gateway.asked) == 1


def test_types_are_taken_apart() -> None:
    assert split_type("LowCardinality(Nullable(String))") == ("String", [])
    assert split_type("Map(String, Array(Tuple(Int8, Int8)))") == (
        "Map",
        ["String", "Array(Tuple(Int8, Int8))"],
    )
    assert elements(["a Int8", "DateTime64(6, 'UTC')"]) == [
        ("a", "Int8"),
        ("2", "DateTime64(6, 'UTC')"),
    ]
