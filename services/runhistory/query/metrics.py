"""Curves and their summaries, over a run's attempts.

`latest`, the default: an attempt hides earlier attempts of the same key from its own first step on.
So a run that resumed at step 500 shows the first attempt up to 499 and the second from there, and
every step shows one attempt.

Curves are read whole and what is hidden is dropped here: most keys have one attempt, and a window
over all points would cost every reader time. Summaries are made by ClickHouse.
"""

from collections.abc import Iterator, Sequence
from itertools import compress
from math import isfinite, isnan
from typing import Any, Final, Literal, TypeVar

from clickhouse_connect.driver.client import Client
from msgspec import Struct

from runhistory.query.rows import read, read_columns

AttemptChoice = Literal["latest", "all"] | int
"""Which attempts: what the latest show, all side by side, or one by its number."""

SYSTEM_PREFIX: Final = "system/"
MAX_POINTS: Final = 1_000_000

N = TypeVar("N")

Value = float | Literal["NaN", "Infinity", "-Infinity"]
"""A value as JSON can say it."""


class TooManyPoints(Exception):
    """More points than one answer may have."""

    def __init__(self, points: int, limit: int) -> None:
        super().__init__(
            f"That is {points:,} points, and one answer may have {limit:,}. Ask for fewer at once: "
            "name a key or an attempt, or leave out the load of host and GPUs (system=false). "
            "The gateway's RUNHISTORY_MAX_POINTS sets the limit."
        )
        self.points, self.limit = points, limit


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

    `min` and `max` are of finite values, None without one. `attempt` is the number of
    each where all attempts were asked for, side by side, and else None.
    """

    key: str
    attempt: int | None
    count: int
    first_step: int
    last_step: int
    last: Value
    min: float | None
    max: float | None


_OF_RUN: Final = "point.workspace = {workspace:String} AND point.run_uuid = unhex({run_id:String})"

_FOR_ONE_RUN: Final = "SETTINGS max_threads = 1, optimize_read_in_order = 0"
"""Most runs have few points, and of these the plan is most of the work: without many threads, an
order that reading keeps and conditions that nobody asked for, it is 12 instead of 16 ms of CPU for
20 points. 4 million are read and sorted in the same time.
"""


def load_curves(
    client: Client,
    *,
    workspace: str,
    run_id: str,
    keys: Sequence[str] = (),
    prefix: str = "",
    attempt: AttemptChoice = "latest",
    system: bool = True,
    max_points: int = MAX_POINTS,
) -> list[Series]:
    """The curves of the run's `keys` (all without), sorted by key. A key without points has none.

    Without `system` those under `system/` are left out, unless keys or that prefix are named.
    Points that later attempts hide count too against `max_points`: they are read.

    Raises:
        TooManyPoints: it says how many there are.
        EngineUnavailable
    """
    where, parameters = _asked(workspace, run_id, keys, prefix, attempt, system)
    columns = read_columns(
        client,
        f"""
        SELECT key, step, value, toUnixTimestamp64Micro(time), attempt, writer
        FROM runhistory.points AS point WHERE {where}
        ORDER BY key, step, attempt, writer, seq, index
        LIMIT {{most:UInt64}} {_FOR_ONE_RUN}
        """,  # noqa: S608 - this module's words
        **parameters,
        most=max_points + 1,
    )
    if columns and len(columns[0]) > max_points:
        counting = f"SELECT count() FROM runhistory.points AS point WHERE {where}"  # noqa: S608
        raise TooManyPoints(int(read(client, counting, **parameters)[0][0]), max_points)
    if not columns:
        return []
    found, *data = columns
    curves = [
        _shown(key, [column[begin:end] for column in data], attempt == "latest")
        for key, begin, end in stretches(found)
    ]
    return [
        Series(key, steps, sayable(values), times, attempts, writers)
        for key, (steps, values, times, attempts, writers) in curves
    ]


def load_summaries(
    client: Client,
    *,
    workspace: str,
    run_id: str,
    keys: Sequence[str] = (),
    prefix: str = "",
    attempt: AttemptChoice = "latest",
    system: bool = True,
) -> list[SeriesSummary]:
    """A summary of each curve that `load_curves` would give; of `all`, one for each attempt.

    Raises:
        EngineUnavailable
    """
    view = "latest_points" if attempt == "latest" else "points"
    where, parameters = _asked(workspace, run_id, keys, prefix, attempt, system)
    found = read(
        client,
        f"""
        SELECT point.key AS name, if({{all:Bool}}, point.attempt, NULL) AS of_attempt,
            count(), min(point.step), max(point.step),
            argMax(point.value, (point.step, point.time, point.seq, point.index,
                reinterpretAsUInt64(point.value))),
            minOrNullIf(point.value, isFinite(point.value)),
            maxOrNullIf(point.value, isFinite(point.value))
        FROM runhistory.{view} AS point
        WHERE {where}
        GROUP BY name, of_attempt ORDER BY name, of_attempt
        """,  # noqa: S608 - this module's words
        **parameters,
        all=attempt == "all",
    )
    return [
        SeriesSummary(
            key=key,
            attempt=of_attempt,
            count=count,
            first_step=first_step,
            last_step=last_step,
            last=sayable([last])[0],
            min=least,
            max=greatest,
        )
        for key, of_attempt, count, first_step, last_step, last, least, greatest in found
    ]


def _asked(
    workspace: str,
    run_id: str,
    keys: Sequence[str],
    prefix: str,
    attempt: AttemptChoice,
    system: bool,
) -> tuple[str, dict[str, object]]:
    """The condition on points, and its parameters. What is not asked for costs planning too."""
    conditions = [_OF_RUN]
    if keys:
        conditions.append("point.key IN {keys:Array(String)}")
    if prefix:
        conditions.append("startsWith(point.key, {prefix:String})")
    if not (system or keys or prefix.startswith(SYSTEM_PREFIX)):
        conditions.append(f"NOT startsWith(point.key, '{SYSTEM_PREFIX}')")
    if isinstance(attempt, int):
        conditions.append("point.attempt = {attempt:UInt32}")
    parameters = {
        "workspace": workspace,
        "run_id": run_id,
        "keys": list(keys),
        "prefix": prefix,
        "attempt": attempt if isinstance(attempt, int) else 0,
    }
    return " AND ".join(conditions), parameters


def stretches(keys: Sequence[N]) -> Iterator[tuple[N, int, int]]:
    """(key, begin, end) of each stretch of equal keys."""
    begin = 0
    for end in range(1, len(keys) + 1):
        if end == len(keys) or keys[end] != keys[begin]:
            yield keys[begin], begin, end
            begin = end


def _shown(
    key: str, columns: list[Sequence[Any]], latest: bool
) -> tuple[str, Sequence[Sequence[Any]]]:
    """One key's points (in step order), without what later attempts hide."""
    steps, attempts = columns[0], columns[3]
    if not latest or len(numbers := sorted(set(attempts), reverse=True)) < 2:
        return key, columns
    hidden_from: dict[int, int] = {}
    first = 2**63  # behind every step
    for number in numbers:
        hidden_from[number] = first
        first = min(first, steps[attempts.index(number)])
    kept = [step < hidden_from[attempt] for step, attempt in zip(steps, attempts, strict=True)]
    return key, [list(compress(column, kept)) for column in columns]


def sayable(values: Sequence[float]) -> Sequence[Value]:
    """The values as JSON can say them."""
    if all(map(isfinite, values)):
        return values
    return [value if isfinite(value) else _name(value) for value in values]


def _name(value: float) -> Value:
    if isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"
