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

_COLUMNS = (
    Column("metric", style="bold"),
    Column("last", right=True),
    Column("min", right=True),
    Column("max", right=True),
    Column("points", right=True),
    Column("curve", style="cyan", whole=True),
)


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
    as_json: AsJson = False,
) -> None:
    """Show a run's metrics as a table with curves.

    With --json every point is printed. Points of an earlier attempt are hidden from the step on
    at which a later one began.

    \b
    Examples:
      runhistory metrics @latest
      runhistory metrics brave_otter_7c11 loss val/accuracy
      runhistory metrics @latest loss --json
    """
    client = open_run(run)
    summaries = fetch_summaries(client, key or (), system)
    missing = [name for name in key or () if name not in {one["key"] for one in summaries}]
    if missing:
        keys = [one["key"] for one in fetch_summaries(client, system=True)]
        said = ", ".join(map(repr, missing))
        there = advice(missing[0], keys) or f" It has {', '.join(keys[:MOST_NAMED]) or 'none'}."
        raise NotFound(f"The run has no metric {said}.{there}")
    if as_json:
        console.say_json(fetch_curves(client, summaries))
    elif not summaries:
        console.note("The run has logged no metrics.")
    else:
        print_metrics(client, summaries)


def fetch_summaries(
    client: "RunClient", keys: Sequence[str] = (), system: bool = False
) -> list[dict[str, Any]]:
    """Count, last, min and max of each metric that is wanted, in the order of names."""
    found: list[dict[str, Any]] = client.connection.get(
        f"/runs/{client.run_id}/series", key=list(keys), system=str(system).lower()
    )["series"]
    return found


def fetch_curves(client: "RunClient", summaries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """All points of these metrics, in answers of MOST_POINTS or of one metric."""
    groups: list[list[str]] = []
    room = 0
    for one in summaries:
        count = int(one["count"])
        if count > room:
            groups.append([])
            room = MOST_POINTS
        groups[-1].append(one["key"])
        room -= count
    return [series for keys in groups for series in client.series(keys)]


def print_metrics(client: "RunClient", summaries: Sequence[dict[str, Any]]) -> None:
    """The table on stdout."""
    small = [one for one in summaries if int(one["count"]) <= MOST_POINTS]
    curves = {one["key"]: one["values"] for one in fetch_curves(client, small)}
    bars = bars_for(sys.stdout.encoding)
    table(
        _COLUMNS,
        [
            (
                one["key"],
                words.number(one["last"]),
                words.number(one["min"]),
                words.number(one["max"]),
                f"{one['count']:,}",
                sparkline([float(value) for value in curves.get(one["key"], ())], bars=bars),
            )
            for one in summaries
        ],
    )
