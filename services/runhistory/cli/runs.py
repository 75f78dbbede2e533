"""`runhistory runs`: what ran, newest first."""

from typing import Annotated, Any

import typer

from runhistory.cli import completion, console, words
from runhistory.cli.nearest import advice
from runhistory.cli.reading import (
    AsJson,
    ExperimentOption,
    names_or_pairs,
    open_run,
    open_workspace,
    read_experiment,
)
from runhistory.cli.table import Column, table
from runhistory.domain.status import RunStatus

PAGE = 100
STATUSES = tuple(str(status) for status in RunStatus)

_COLUMNS = (
    Column("name", style="bold", least=20),
    Column("experiment"),
    Column("status", whole=True),
    Column("created", optional=True),
    Column("took", right=True, optional=True),
    Column("id", style="dim", whole=True),
)


def runs(
    experiment: ExperimentOption = None,
    status: Annotated[
        str | None,
        typer.Option(
            help="Only those in this status, such as Running.", autocompletion=completion.statuses
        ),
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[=VALUE]", help="Only those with this tag; may be repeated."),
    ] = None,
    property: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[=VALUE]", help="Only those with this property, likewise."),
    ] = None,
    parent: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="Children of this run.", autocompletion=completion.runs),
    ] = None,
    children: Annotated[
        bool,
        typer.Option(
            "--children", help="Runs that have a parent too; with --parent, children's children."
        ),
    ] = False,
    archived: Annotated[
        bool, typer.Option("--archived", help="Those archived, instead of those in sight.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List runs, newest first: those in sight that have no parent.

    \b
    Examples:
      runhistory runs
      runhistory runs --experiment digits --status Failed
      runhistory runs --tag team=vision --limit 500 --json
      runhistory runs --parent @latest --children
    """
    if status is not None:
        status = _status(status)
    asked = {
        "experiment": experiment,
        "status": status,
        "tag": names_or_pairs(tag, "--tag"),
        "property": names_or_pairs(property, "--property"),
        "parent": open_run(parent).run_id if parent else None,
        "recursive": "true" if parent and children else None,
        "children": "true" if children and not parent else None,
        "archived": "true" if archived else None,
    }
    found = _fetch(limit, **asked)
    if as_json:
        console.say_json(found)
    elif found:
        table(_COLUMNS, [_row(run) for run in found])
    elif any(asked.values()):
        if experiment is not None:
            read_experiment(experiment)  # or say that there is none
        console.note("No such runs.")
    else:
        program = console.program()
        console.note(f"No runs. Submit one: {program} submit DIR --script train.py --follow")


def _status(text: str) -> str:
    """The status that is meant, whatever its case."""
    for status in STATUSES:
        if status.lower() == text.lower():
            return status
    near = advice(text, STATUSES).strip()
    raise typer.BadParameter(
        f"{text!r} is none. {near or 'Choose one of ' + ', '.join(STATUSES)}",
        param_hint="--status",
    )


def _fetch(limit: int, **query: Any) -> list[dict[str, Any]]:
    connection = open_workspace().connection
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while len(found) < limit:
        page = connection.get("/runs", limit=min(PAGE, limit - len(found)), cursor=cursor, **query)
        found += page["runs"]
        cursor = page.get("next_cursor")
        if not cursor:
            break
    return found


def _row(run: dict[str, Any]) -> tuple[str, ...]:
    return (
        run["display_name"],
        run["experiment"],
        run["status"],
        words.moment(run.get("created")),
        words.duration(run.get("started"), run.get("ended")) if run.get("started") else "-",
        run["run_id"],
    )
