"""`runhistory experiments …`: the collections that runs are in."""

from typing import Annotated, Any, Final
from urllib.parse import quote

import typer

from runhistory.cli import console, words
from runhistory.cli.reading import AsJson, ExperimentName, open_workspace, pairs
from runhistory.cli.table import Column, table
from runhistory.cli.tagging import RemoveOption, TagsArgument, say_tags
from runhistory.domain.ids import new_command_id

app: Final = typer.Typer(rich_markup_mode=None)

ArchivedOption = Annotated[
    bool, typer.Option("--archived", help="Those that are archived, instead of those in sight.")
]

_COLUMNS: Final = (
    Column("name", style="bold", least=20),
    Column("runs", right=True),
    Column("by status", least=16),
    Column("last activity", optional=True),
    Column("tags", optional=True),
)


@app.callback(invoke_without_command=True)
def experiments(context: typer.Context) -> None:
    """Experiments: named collections of runs. Without a command, list them.

    The first run of a name creates its experiment.

    \b
    Examples:
      runhistory experiments
      runhistory experiments tag digits team=vision
      runhistory experiments archive digits
    """
    if context.invoked_subcommand is None:
        list_experiments()


@app.command("list")
def list_experiments(archived: ArchivedOption = False, as_json: AsJson = False) -> None:
    """List experiments, the last active first.

    \b
    Examples:
      runhistory experiments list
      runhistory experiments list --archived --json
    """
    wanted = "true" if archived else "false"
    found = open_workspace().connection.get("/experiments", archived=wanted)["experiments"]
    if as_json:
        console.say_json(found)
    elif not found:
        console.note("No archived experiments." if archived else "No experiments yet.")
    else:
        table(_COLUMNS, [_row(one) for one in found])


@app.command()
def show(name: ExperimentName, as_json: AsJson = False) -> None:
    """Show an experiment.

    \b
    Example:
      runhistory experiments show digits
    """
    found = _read(name)
    if as_json:
        console.say_json(found)
        return
    console.say(f"{found['name']}{' (archived)' if found['archived'] else ''}", "bold")
    facts = {
        "id": found["experiment_id"],
        "description": found["description"],
        "created": words.moment(found["created"]),
        "active": words.moment(found["last_activity"]),
        "runs": _by_status(found["runs"]) or "none",
        **{f"tag {tag}": value for tag, value in sorted(found["tags"].items())},
    }
    for fact, value in facts.items():
        if value:
            console.say(f"  {fact:<12} {value}")


@app.command()
def tag(
    name: ExperimentName,
    tags: TagsArgument = None,
    remove: RemoveOption = None,
    as_json: AsJson = False,
) -> None:
    """Set and remove tags of an experiment; without either, show them.

    \b
    Examples:
      runhistory experiments tag digits team=vision
      runhistory experiments tag digits --remove team
    """
    if wanted := pairs(tags, "NAME=VALUE"):
        _command(name, "set_tags", tags=wanted)
    if remove:
        _command(name, "remove_tags", names=remove)
    say_tags(_read(name)["tags"], as_json)


@app.command()
def describe(
    name: ExperimentName,
    description: Annotated[str, typer.Argument(help="What it is about.")],
) -> None:
    """Give an experiment another description.

    \b
    Example:
      runhistory experiments describe digits "handwritten digits, small networks"
    """
    _command(name, "describe", description=description)
    console.say(f"{name} is described.")


@app.command()
def archive(name: ExperimentName) -> None:
    """Put an experiment out of sight. Its runs stay as they are.

    \b
    Example:
      runhistory experiments archive digits
    """
    _command(name, "archive")
    console.say(f"{name} is archived.")


@app.command()
def reactivate(name: ExperimentName) -> None:
    """Bring an archived experiment back into sight.

    \b
    Example:
      runhistory experiments reactivate digits
    """
    _command(name, "reactivate")
    console.say(f"{name} is in sight again.")


@app.command()
def delete(
    name: ExperimentName,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete an experiment that has no runs any more. A new run of its name creates it anew.

    \b
    Example:
      runhistory experiments delete digits
    """
    if not yes:
        typer.confirm(f"Delete experiment {name}?", abort=True, err=True)
    _command(name, "delete")
    console.say(f"{name} is deleted.")


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = open_workspace().connection.get(f"/experiments/{quote(name, safe='')}")
    return found


def _command(name: str, type: str, **fields: Any) -> None:
    command = {"name": name, "type": type, "command_id": new_command_id(), **fields}
    open_workspace().connection.send("POST", "/experiments/commands", command)


def _row(experiment: dict[str, Any]) -> tuple[str, ...]:
    tags = ", ".join(f"{name}={value}" for name, value in sorted(experiment["tags"].items()))
    return (
        experiment["name"],
        str(sum(experiment["runs"].values())),
        _by_status(experiment["runs"]) or "-",
        words.moment(experiment["last_activity"]),
        tags or "-",
    )


def _by_status(runs: dict[str, int]) -> str:
    return ", ".join(f"{count} {status}" for status, count in sorted(runs.items()))
