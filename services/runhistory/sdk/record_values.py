"""What becomes a record: the check of texts, rows and tables at the call, and the way back.

JSON cannot say NaN and the infinities, so those are objects there: `{"float": "NaN"}`.
"""

import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from numbers import Integral, Real
from typing import Any, Final

import msgspec

from runhistory.domain.values import MAX_INT64
from runhistory.events.record_batch import MAX_RECORD_BYTES, RecordKind
from runhistory.sdk.errors import InvalidMetric
from runhistory.sdk.metric_values import check_name

MAX_VALUE_BYTES: Final = MAX_RECORD_BYTES - 8_192
"""As JSON; the rest of a record's bytes is for its key and the name of its file."""

_encoder: Final = msgspec.json.Encoder()
_NAMES: Final = {math.inf: "Infinity", -math.inf: "-Infinity"}


def text(name: str, value: str | None) -> str | None:
    """A text (or None) as it can be kept.

    Raises:
        InvalidMetric: it is no valid Unicode.
    """
    if value is None:
        return None
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidMetric(f"Metric {name!r}: {value[:60]!r} is no valid Unicode text.") from None
    return str.__str__(value)  # of a subclass (numpy's, an enum's) the text itself


def row(name: str, columns: Mapping[str, Any]) -> dict[str, Any]:
    """A row's cells as JSON has them.

    Raises:
        InvalidMetric: there is none, or one that is no number, text or None.
    """
    if not columns:
        raise InvalidMetric(f"Metric {name!r}: a row needs a column, such as loss=0.5.")
    return {_column(name, column): cell(name, column, value) for column, value in columns.items()}


def table(name: str, columns: Any) -> dict[str, Any]:
    """A table's columns as JSON has them: each a list of cells, or one cell for a single row.

    Raises:
        InvalidMetric: it is no dict of columns, they differ in length, or a cell is no number,
            text or None.
    """
    if not isinstance(columns, Mapping):
        raise InvalidMetric(
            f"Metric {name!r}: a table is a dict of columns, such as {{'epoch': [1, 2], 'loss': "
            f"[0.9, 0.7]}}, not {type(columns).__name__}. Of a data frame it is "
            "df.to_dict('list')."
        )
    if not columns:
        raise InvalidMetric(f"Metric {name!r}: a table needs a column.")
    found = {_column(name, column): _cells(name, column, v) for column, v in columns.items()}
    heights = {column: len(v) if isinstance(v, list) else 1 for column, v in found.items()}
    if len({*heights.values()}) > 1:
        shown = ", ".join(f"{column!r} has {height}" for column, height in heights.items())
        raise InvalidMetric(
            f"Metric {name!r}: the columns of a table are of one length, and here {shown[:200]}. "
            "Give None for a cell that is not there."
        )
    return found


def cell(name: str, column: str, value: Any) -> Any:
    """One cell as JSON has it; numbers keep whether they are whole.

    Raises:
        InvalidMetric: it is no number, text or None, or a whole number beyond 64 bits.
    """
    if _is_scalar(value):
        value = value.item()
    match value:
        case None | bool():
            return value
        case str():
            return text(name, value)
        case Integral():
            return _whole(name, column, int(value))
        case Real() | Decimal():
            return number_as_json(float(value))
    raise InvalidMetric(
        f"Metric {name!r}, column {column!r}: {repr(value)[:60]} is a {type(value).__name__}; a "
        "cell is a number, a text, a boolean or None. Log its text, or its number."
    )


def _whole(name: str, column: str, value: int) -> int:
    """The number itself: readers of JSON make a float of one beyond 64 bits."""
    if -MAX_INT64 - 1 <= value <= MAX_INT64:
        return value
    raise InvalidMetric(
        f"Metric {name!r}, column {column!r}: a whole number beyond 64 bits ({MAX_INT64}). Log its "
        "text, or the float nearest to it."
    )


def number_as_json(value: float) -> Any:
    """The number, or the object that stands for one that JSON cannot say."""
    return value if math.isfinite(value) else {"float": _NAMES.get(value, "NaN")}


def numbers_as_json(value: Any) -> Any:
    """Dicts and lists with every number as `number_as_json` has it."""
    match value:
        case float():
            return number_as_json(value)
        case dict():
            return {name: numbers_as_json(element) for name, element in value.items()}
        case list():
            return [numbers_as_json(element) for element in value]
    return value


def value_json(name: str, value: Any) -> bytes:
    """The JSON of a value that is small enough for a record.

    Raises:
        InvalidMetric: it is too large.
    """
    encoded = _encoder.encode(value)
    if len(encoded) > MAX_VALUE_BYTES:
        raise InvalidMetric(
            f"Metric {name!r}: the value has {len(encoded):,} bytes as JSON, and "
            f"{MAX_VALUE_BYTES:,} are allowed. Keep it as a file, with upload_file."
        )
    return encoded


def record_json(
    key: str, kind: RecordKind, step: int, time: int, value: bytes, file: str | None
) -> bytes:
    """A record as it stands in a batch; `value` is JSON already, `time` in µs since 1970."""
    record: dict[str, Any] = {"key": key, "kind": kind, "step": step, "time": time}
    if file is None:
        record["value"] = msgspec.Raw(value)
    else:
        record["file"] = file
    return _encoder.encode(record)


def from_json(value: Any) -> Any:
    """What was logged, from its JSON: the opposite of `cell`, at every depth."""
    match value:
        case {"float": "NaN" | "Infinity" | "-Infinity" as number, **rest} if not rest:
            return float(number)
        case dict():
            return {name: from_json(element) for name, element in value.items()}
        case list():
            return [from_json(element) for element in value]
    return value


def columns_from_json(value: dict[str, Any]) -> dict[str, Any]:
    """The columns of a row or table, one of which may be called `float`."""
    return {column: from_json(cells) for column, cells in value.items()}


def _is_scalar(value: Any) -> bool:
    """Whether it is an array library's scalar, and no time: the item of that is a bare integer."""
    return (
        callable(getattr(value, "item", None))
        and not getattr(value, "ndim", 0)
        and getattr(getattr(value, "dtype", None), "kind", "") not in ("m", "M")
    )


def _column(name: str, column: Any) -> str:
    try:
        return check_name(column)
    except InvalidMetric as error:
        raise InvalidMetric(f"Metric {name!r}, a column's name: {error}") from error


def _cells(name: str, column: str, value: Any) -> Any:
    if getattr(value, "ndim", 0) > 1:
        raise InvalidMetric(
            f"Metric {name!r}, column {column!r}: it has {value.ndim} dimensions; a column is a "
            "list of cells."
        )
    is_array = getattr(value, "ndim", 0) == 1 and callable(getattr(value, "tolist", None))
    if isinstance(value, str | bytes | Mapping) or not (is_array or isinstance(value, Iterable)):
        return cell(name, column, value)
    elements = value.tolist() if is_array else value
    return [cell(name, column, element) for element in elements]
