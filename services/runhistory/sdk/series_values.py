"""What becomes a series: arrays, tensors and lists, checked and copied at the call of `log_series`.

Array libraries are known by what their objects can do, so none is imported. What lies on another
device is fetched in one go.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from runhistory.events.metric_batch import MAX_TIME
from runhistory.sdk.errors import InvalidMetric
from runhistory.sdk.metric_encoding import BATCH_POINTS, Series
from runhistory.sdk.metric_values import check_step, number

_PIECE: Final = 65_536
"""Elements that are Python objects at a time."""


def pieces(name: str, steps: Any, values: Any, times: Any, now: int) -> list[Series]:
    """The points in pieces of at most BATCH_POINTS. `times` are seconds since 1970, datetimes or
    numpy's datetime64; None: all at `now`, in µs since 1970.

    Raises:
        InvalidMetric: the columns differ in length, or an element is wrong; the message has the
            name and the element's place, such as values[17].
    """
    y = _column(name, "values", values, "d", number)
    x = _column(name, "steps", steps, "q", check_step)
    t = array("q", [now]) * len(y) if times is None else _column(name, "times", times, "", _time)
    if not len(x) == len(y) == len(t):
        raise InvalidMetric(
            f"Metric {name!r}: a series has a step and a time for each value; here are {len(y):,} "
            f"values, {len(x):,} steps and {len(t):,} times."
        )
    cuts = [slice(i, i + BATCH_POINTS) for i in range(0, len(y), BATCH_POINTS)]
    return [Series(name, x[cut], y[cut], t[cut]) for cut in cuts]


def _column(
    name: str, what: str, data: Any, code: str, check: Callable[[str, Any], Any]
) -> "array[Any]":
    """`data` as a column of doubles ("d") or 64-bit integers; without a code each element is
    made by `check`, else only where the column does not take it as it is."""
    column = array(code or "q")
    for elements in _lists(name, what, data):
        begin = len(column)
        try:
            if code:
                column.fromlist(elements)
                continue
        except (TypeError, ValueError, OverflowError):
            pass  # which one, and why, is said by `check`; fromlist took none
        for i, element in enumerate(elements, begin):
            try:
                column.append(check(name, element))
            except InvalidMetric as error:
                raise InvalidMetric(f"{what}[{i}]: {error}") from None
    return column


def _lists(name: str, what: str, data: Any) -> Iterator[list[Any]]:
    """The elements of `data`, some thousands at a time where it is an array."""
    if data is None or isinstance(data, str | bytes | Mapping):
        raise InvalidMetric(
            f"Metric {name!r}: {what} is a {type(data).__name__}; give a list, an array or a "
            "tensor of one dimension."
        )
    data = _on_host(data)
    if (dimensions := getattr(data, "ndim", 1)) != 1:
        raise InvalidMetric(
            f"Metric {name!r}: {what} has {dimensions} dimensions; a series has one. "
            "Give its columns one by one, or .flatten() it."
        )
    kind = getattr(getattr(data, "dtype", None), "kind", "")
    if kind == "M" and what == "times":
        data = data.astype("datetime64[us]").astype("int64") / 1e6
    elif kind in ("m", "M"):  # their elements may come as bare integers
        raise InvalidMetric(f"Metric {name!r}: {what} are times or durations; give numbers.")
    if callable(getattr(data, "tolist", None)):
        for i in range(0, len(data), _PIECE):
            yield data[i : i + _PIECE].tolist()
    elif isinstance(data, Iterable):
        yield list(data)
    else:
        raise InvalidMetric(f"Metric {name!r}: {what} is a {type(data).__name__}, and no list.")


def _on_host(data: Any) -> Any:
    """`data` in this machine's memory, as something whose slices are cheap."""
    for method in ("detach", "cpu"):  # torch
        if callable(getattr(data, method, None)):
            data = getattr(data, method)()
    if callable(getattr(data, "tolist", None)) and hasattr(data, "addressable_shards"):  # jax
        return data.tolist()
    for method in ("to_list", "numpy"):  # pandas and polars; tensorflow
        if callable(getattr(data, method, None)) and not hasattr(data, "detach"):
            return getattr(data, method)()
    return data


def _time(name: str, time: Any) -> int:
    """µs since 1970."""
    seconds = time.timestamp() if isinstance(time, datetime) else number(name, time)
    if not 0 <= seconds <= MAX_TIME / 1e6:
        raise InvalidMetric(
            f"Metric {name!r}: {time!r} is no time in seconds since 1970, as time.time() gives it."
        )
    return round(seconds * 1e6)
