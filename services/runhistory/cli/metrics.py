"""`runhistory metrics`: each metric as a row with its curve."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runhistory.cli import completion, console, words
from runhistory.cli.nearest import advice
from runhistory.cli.reading import AsJson, RunReference, open_run
from runhistory.cli.sparkline import bars_for, sparkline
from runhistory.cli.table import Column, table
from runhistory.sdk.errors import NotFound

if TYPE_CHECKING:
    from runhistory.sdk.run_client import RunClient

MOST_NAMED = 20
MOST_POINTS = 100_000
"""So many are fetched at once; a longer curve is not fetched only to be drawn in a line of text."""

_ATTEMPT = Column("attempt", right=True)
_COLUMNS = (
    Column("metric", style="bold"),
    Column("last", right=True),
    Column("min", right=True),
    Column("max", right=True),
    Column("points", right=True),
    Column("curve", style="cyan", whole=True),
)


def _attempts(text: str) -> str:
    if text in ("latest", "all") or (text.isascii() and text.isdigit() and int(text) >= 1):
        return text
    raise typer.BadParameter(f"{text!r} is none: give latest, all, or a number from 1")


def metrics(
    run: RunReference,
    key: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY", help="Only these metrics.", autocompletion=completion.metrics
        ),
    ] = None,
    system: Annotated[
        bool, typer.Option("--system", help="The load of host and GPUs (system/…) as well.")
    ] = False,
    attempt: Annotated[
        str,
        typer.Option(
            metavar="latest|all|N",
            help="Of a run that was started again: what the latest attempts show, all attempts "
            "side by side, or one of them.",
            callback=_attempts,
        ),
    ] = "latest",
    as_json: AsJson = False,
) -> None:
    """Show a run's metrics as a table with curves.

    With --json every point is printed. Points of an earlier attempt are hidden from the step on
    at which a later one began, unless --attempt says otherwise.

    \b
    Examples:
      runhistory metrics @latest
      runhistory metrics brave_otter_7c11 loss val/accuracy
      runhistory metrics @latest loss --attempt all
      runhistory metrics @latest loss --json
    """
    client = open_run(run)
    summaries = fetch_summaries(client, key or (), system, attempt)
    missing = [name for name in key or () if name not in {one["key"] for one in summaries}]
    if missing:
        keys = [one["key"] for one in fetch_summaries(client, system=True)]
        said = ", ".join(map(repr, missing))
        there = advice(missing[0], keys) or f" It has {', '.join(keys[:MOST_NAMED]) or 'none'}."
        there = f".{there}"
        if set(missing) <= set(keys):
            there = f" in attempt {attempt}; other attempts have it."
        raise NotFound(f"The run has no metric {said}{there}")
    if as_json:
        console.say_json(fetch_curves(client, summaries, attempt))
    elif not summaries:
        none = "The run has logged no metrics"
        console.note(f"{none} in attempt {attempt}." if attempt.isdigit() else f"{none}.")
    else:
        print_metrics(client, summaries, attempt)


def fetch_summaries(
    client: "RunClient", keys: Sequence[str] = (), system: bool = False, attempt: str = "latest"
) -> list[dict[str, Any]]:
    """Count, last, min and max of each metric that is wanted, in the order of names; of `all`
    attempts, for each attempt."""
    found: list[dict[str, Any]] = client.connection.get(
        f"/runs/{client.run_id}/series",
        key=list(keys),
        system=str(system).lower(),
        attempt=attempt,
    )["series"]
    return found


def fetch_curves(
    client: "RunClient", summaries: Sequence[dict[str, Any]], attempt: str = "latest"
) -> list[dict[str, Any]]:
    """All points of these metrics, in answers of MOST_POINTS or of one metric."""
    counts: dict[str, int] = {}
    for one in summaries:
        counts[one["key"]] = counts.get(one["key"], 0) + int(one["count"])
    groups: list[list[str]] = []
    room = 0
    for key, count in counts.items():
        if count > room:
            groups.append([])
            room = MOST_POINTS
        groups[-1].append(key)
        room -= count
    return [series for keys in groups for series in client.series(keys, attempt)]


def print_metrics(
    client: "RunClient", summaries: Sequence[dict[str, Any]], attempt: str = "latest"
) -> None:
    """The table on stdout."""
    small = [one for one in summaries if int(one["count"]) <= MOST_POINTS]
    curves = _values(fetch_curves(client, small, attempt), by_attempt=attempt == "all")
    bars = bars_for(sys.stdout.encoding)
    columns: Sequence[Column] = _COLUMNS
    rows: list[tuple[str, ...]] = [
        (
            one["key"],
            words.number(one["last"]),
            words.number(one["min"]),
            words.number(one["max"]),
            f"{one['count']:,}",
            sparkline(curves.get((one["key"], one.get("attempt")), []), bars=bars),
        )
        for one in summaries
    ]
    if attempt == "all":
        columns = (columns[0], _ATTEMPT, *columns[1:])
        rows = [
            (row[0], str(one["attempt"]), *row[1:])
            for row, one in zip(rows, summaries, strict=True)
        ]
    table(columns, rows)


def _values(
    curves: Sequence[dict[str, Any]], *, by_attempt: bool
) -> dict[tuple[str, int | None], list[float]]:
    """The values of each metric, parted by attempts if need be, in step order."""
    found: dict[tuple[str, int | None], list[float]] = {}
    for one in curves:
        if not by_attempt:
            found[one["key"], None] = [float(value) for value in one["values"]]
            continue
        for value, attempt in zip(one["values"], one["attempts"], strict=True):
            found.setdefault((one["key"], attempt), []).append(float(value))
    return found
