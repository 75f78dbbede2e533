"""`runhistory runs`: what ran, newest first."""

from typing import Annotated, Any

import typer

from runhistory.cli import console, words
from runhistory.cli.reading import AsJson, open_workspace, pairs
from runhistory.domain.status import RunStatus

PAGE = 100
STATUSES = tuple(str(status) for status in RunStatus)

_COLUMNS = (
    console.Column("name", style="bold", whole=True),
    console.Column("experiment"),
    console.Column("status"),
    console.Column("created", optional=True),
    console.Column("took", right=True, optional=True),
    console.Column("id", style="dim", whole=True),
)


def runs(
    experiment: Annotated[
        str | None, typer.Option("--experiment", "-e", help="Only those of this experiment.")
    ] = None,
    status: Annotated[
        str | None, typer.Option(help="Only those in this status, such as Running.")
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Only those with this tag; may be repeated."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List runs, newest first.

    \b
    Examples:
      runhistory runs
      runhistory runs --experiment digits --status Failed
      runhistory runs --tag team=vision --limit 500 --json
    """
    if status is not None and status not in STATUSES:
        raise typer.BadParameter(f"choose one of {', '.join(STATUSES)}", param_hint="--status")
    wanted = [f"{name}:{value}" for name, value in pairs(tag, "--tag").items()]
    found = _fetch(limit, experiment=experiment, status=status, tag=wanted)
    if as_json:
        console.say_json(found)
    elif not found:
        program = console.program()
        console.note(f"No runs. Submit one: {program} submit DIR --script train.py --follow")
    else:
        console.table(_COLUMNS, [_row(run) for run in found])


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
