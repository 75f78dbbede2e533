"""What a run logged as Azure ML gives it back: one value as it is, several as a list.

Points and records of one name share their steps, so both together are in the order of logging.
Rows and tables become a dict of columns; images and charts the name of their file.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

import orjson

from runhistory.sdk.errors import InvalidRequest
from runhistory.sdk.record_values import columns_from_json, from_json
from runhistory.sdk.run_client import RunClient

TABULAR: Final = frozenset({"row", "table"})

Answer = list[dict[str, Any]]
"""Series or records, as the gateway gives them."""

Attempts = Literal["latest", "all"] | int
"""Which attempts of a run: what the latest show, all, or one by its number."""

Load = Callable[[str], bytes]
"""Gives the bytes of a kept file."""


class Entry(NamedTuple):
    """One thing that was logged; `value` of a point is its number, of a record its JSON."""

    step: int
    attempt: int
    time: int
    kind: str
    value: Any
    file: str | None = None


def read(
    client: RunClient, name: str | None, populate: bool = False, attempts: Attempts = "latest"
) -> dict[str, Any]:
    """{name: value, or list of values in the order of logging}: of all names, or of `name` alone.

    Without `name` the samples of host and GPUs are left out. What was never logged is not in it.
    With `populate` images are their bytes and charts their dicts, instead of names of files.

    Raises:
        InvalidRequest: `attempts` names none.
    """
    keys, asked = [name] if name is not None else [], as_query(attempts)
    series, records = client.series(keys, asked), client.records(keys, asked)
    if mixed := mixed_keys(series, records, attempts):
        series = without(series, mixed) + client.series(mixed, "all")
        records = without(records, mixed) + client.records(mixed, "all")
    latest = attempts == "latest"
    return in_shape(series, records, client.file_bytes, populate=populate, latest=latest)


def as_query(attempts: Attempts) -> str | None:
    """The choice as the gateway reads it; None is `latest`.

    Raises:
        InvalidRequest: it is none.
    """
    if attempts == "latest":
        return None
    if attempts == "all":
        return attempts
    if isinstance(attempts, int) and not isinstance(attempts, bool) and attempts >= 1:
        return str(attempts)
    raise InvalidRequest(
        f"attempts is 'latest', 'all', or the number of one (1, 2, …), not {attempts!r}."
    )


def mixed_keys(series: Answer, records: Answer, attempts: Attempts = "latest") -> list[str]:
    """Names that have points and records, over several attempts: the gateway has applied `latest`
    to the two apart, and `in_shape` needs all attempts of both to apply it to them together."""
    if attempts != "latest":
        return []
    mixed = sorted({one["key"] for one in series} & {one["key"] for one in records})
    return mixed if len({*_attempts(series, mixed), *_attempts(records, mixed)}) > 1 else []


def without(answer: Answer, keys: Sequence[str]) -> Answer:
    """Series or records but for those of the keys."""
    return [one for one in answer if one["key"] not in keys]


def files_wanted(records: Answer, *, populate: bool) -> list[str]:
    """The files that `in_shape` may load for these records."""
    return [
        record["file"]
        for record in records
        if record.get("file") and (populate or record["kind"] in TABULAR)
    ]


def in_shape(
    series: Iterable[dict[str, Any]],
    records: Iterable[dict[str, Any]] = (),
    load: Load | None = None,
    *,
    populate: bool = False,
    latest: bool = True,
) -> dict[str, Any]:
    """The gateway's series and records as `read` gives them; `load` is needed for tables that
    lie in files, and for `populate`. `latest`: what a later attempt hides is left out."""
    found = {one["key"]: list(map(float, one["values"])) for one in series if one["values"]}
    shaped: dict[str, Any] = {
        key: values[0] if len(values) == 1 else values for key, values in found.items()
    }
    by_key: dict[str, list[Entry]] = {}
    for record in records:
        by_key.setdefault(record["key"], []).append(_entry(record))
    for one in series:
        if one["key"] in by_key:
            by_key[one["key"]] += _points(one)
    for key, entries in by_key.items():
        shown = _latest(entries) if latest else entries
        shaped[key] = _shape(sorted(shown, key=lambda entry: entry[:3]), load, populate)
    return shaped


def _attempts(answer: Iterable[dict[str, Any]], keys: Sequence[str]) -> set[int]:
    found: set[int] = set()
    for one in answer:
        if one["key"] in keys:
            found.update(one["attempts"] if "attempts" in one else [one["attempt"]])
    return found


def _entry(record: dict[str, Any]) -> Entry:
    time = datetime.fromisoformat(record["time"])
    return Entry(
        record["step"],
        record["attempt"],
        int(time.timestamp()) * 1_000_000 + time.microsecond,
        record["kind"],
        record["value"],
        record.get("file"),
    )


def _points(series: dict[str, Any]) -> list[Entry]:
    columns = (series[name] for name in ("steps", "attempts", "times", "values"))
    return [
        Entry(step, attempt, time, "value", float(value))
        for step, attempt, time, value in zip(*columns, strict=True)
    ]


def _latest(entries: list[Entry]) -> list[Entry]:
    """Without what is hidden: an attempt hides earlier ones from its own first step on."""
    first = {
        attempt: min(entry.step for entry in entries if entry.attempt == attempt)
        for attempt in {entry.attempt for entry in entries}
    }
    return [
        entry
        for entry in entries
        if not any(later > entry.attempt and entry.step >= first[later] for later in first)
    ]


def _shape(entries: list[Entry], load: Load | None, populate: bool) -> Any:
    if all(entry.kind in TABULAR for entry in entries):
        return _table([_columns(entry, load) for entry in entries])
    values = [_value(entry, load, populate) for entry in entries]
    return values[0] if len(values) == 1 else values


def _value(entry: Entry, load: Load | None, populate: bool) -> Any:
    if entry.kind == "value":
        return entry.value
    if entry.kind in TABULAR:
        return _columns(entry, load)
    if not populate or load is None or entry.file is None:
        return entry.file
    content = load(entry.file)
    return content if entry.kind == "image" else from_json(orjson.loads(content))


def _columns(entry: Entry, load: Load | None) -> dict[str, Any]:
    value = entry.value
    if value is None and entry.file and load is not None:
        value = orjson.loads(load(entry.file))
    return columns_from_json(value or {})


def _table(logged: list[dict[str, Any]]) -> dict[str, Any]:
    """Several rows and tables as one, below each other: a list for each column, with None where
    one of them had no such column. A single one is as it was logged."""
    if len(logged) == 1:
        return logged[0]
    table: dict[str, list[Any]] = {}
    height = 0
    for columns in logged:
        cells = {name: v if isinstance(v, list) else [v] for name, v in columns.items()}
        for name, column in cells.items():
            above = table.setdefault(name, [])
            above += [None] * (height - len(above)) + column
        height += max(map(len, cells.values()), default=0)
    for column in table.values():
        column += [None] * (height - len(column))
    return table
