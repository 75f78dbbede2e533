"""Curves and their summaries, over a run's attempts.

`latest`, the default: an attempt hides earlier attempts of the same key from its own first step on.
So a run that resumed at step 500 shows the first attempt up to 499 and the second from there, and
every step shows one attempt.
"""

from collections.abc import Iterator, Sequence
from math import isfinite, isnan
from typing import Final, Literal

from clickhouse_connect.driver.client import Client
from msgspec import Struct

from runhistory.query.rows import read, read_columns

AttemptChoice = Literal["latest", "all"] | int
"""Which attempts: what the latest show, all side by side, or one by its number."""

Value = float | Literal["NaN", "Infinity", "-Infinity"]
"""A value as JSON can say it."""


class Series(Struct, frozen=True):
    """The points of one key in step order, by columns of equal length. Times: µs since 1970."""

    key: str
    steps: Sequence[int]
    values: Sequence[Value]
    times: Sequence[int]
    attempts: Sequence[int]
    writers: Sequence[str]


class SeriesSummary(Struct, frozen=True, kw_only=True):
    """One key: `last` is the value at the highest step, the latest in time there.

    `min` and `max` are of finite values, None without one.
    """

    key: str
    count: int
    first_step: int
    last_step: int
    last: Value
    min: float | None
    max: float | None


# An attempt's points count up to the first step of any later attempt of the key (`hidden_from`).
_SHOWN: Final = """
    FROM runhistory.points AS point
    LEFT JOIN (
        SELECT key, attempt,
            min(toNullable(first_step)) OVER (PARTITION BY key ORDER BY attempt DESC
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS hidden_from
        FROM runhistory.series
        WHERE {latest:Bool} AND workspace = {workspace:String}
            AND run_uuid = unhex({run_id:String})
    ) AS later ON later.key = point.key AND later.attempt = point.attempt
    WHERE point.workspace = {workspace:String} AND point.run_uuid = unhex({run_id:String})
        AND (empty({keys:Array(String)}) OR point.key IN {keys:Array(String)})
        AND startsWith(point.key, {prefix:String})
        AND ({attempt:UInt32} = 0 OR point.attempt = {attempt:UInt32})
        AND (isNull(later.hidden_from) OR point.step < later.hidden_from)
"""


def load_curves(
    client: Client,
    *,
    workspace: str,
    run_id: str,
    keys: Sequence[str] = (),
    prefix: str = "",
    attempt: AttemptChoice = "latest",
) -> list[Series]:
    """The curves of the run's `keys` (all without), sorted by key. A key without points has none.

    Raises:
        EngineUnavailable
    """
    columns = read_columns(
        client,
        "SELECT point.key, point.step, point.value, toUnixTimestamp64Micro(point.time), "
        "point.attempt, point.writer"
        + _SHOWN
        + "ORDER BY point.key, point.step, point.attempt, point.writer, point.seq, point.index",
        **_parameters(workspace, run_id, keys, prefix, attempt),
    )
    if not columns:
        return []
    found, steps, values, times, attempts, writers = columns
    return [
        Series(
            key=found[begin],
            steps=steps[begin:end],
            values=_sayable(values[begin:end]),
            times=times[begin:end],
            attempts=attempts[begin:end],
            writers=writers[begin:end],
        )
        for begin, end in _stretches(found)
    ]


def load_summaries(
    client: Client,
    *,
    workspace: str,
    run_id: str,
    keys: Sequence[str] = (),
    prefix: str = "",
    attempt: AttemptChoice = "latest",
) -> list[SeriesSummary]:
    """A summary of each curve that `load_curves` would give.

    Raises:
        EngineUnavailable
    """
    found = read(
        client,
        "SELECT point.key AS name, count(), min(point.step), max(point.step), "
        "argMax(point.value, (point.step, point.time, point.seq, point.index, "
        "reinterpretAsUInt64(point.value))), "
        "minOrNullIf(point.value, isFinite(point.value)), "
        "maxOrNullIf(point.value, isFinite(point.value))" + _SHOWN + "GROUP BY name ORDER BY name",
        **_parameters(workspace, run_id, keys, prefix, attempt),
    )
    return [
        SeriesSummary(
            key=key,
            count=count,
            first_step=first_step,
            last_step=last_step,
            last=_sayable([last])[0],
            min=least,
            max=greatest,
        )
        for key, count, first_step, last_step, last, least, greatest in found
    ]


def _parameters(
    workspace: str, run_id: str, keys: Sequence[str], prefix: str, attempt: AttemptChoice
) -> dict[str, object]:
    return {
        "workspace": workspace,
        "run_id": run_id,
        "keys": list(keys),
        "prefix": prefix,
        "latest": attempt == "latest",
        "attempt": attempt if isinstance(attempt, int) else 0,
    }


def _stretches(keys: Sequence[str]) -> Iterator[tuple[int, int]]:
    """(begin, end) of each stretch of equal keys."""
    begin = 0
    for end in range(1, len(keys) + 1):
        if end == len(keys) or keys[end] != keys[begin]:
            yield begin, end
            begin = end


def _sayable(values: Sequence[float]) -> Sequence[Value]:
    if all(map(isfinite, values)):
        return values
    return [value if isfinite(value) else _name(value) for value in values]


def _name(value: float) -> Value:
    if isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"
