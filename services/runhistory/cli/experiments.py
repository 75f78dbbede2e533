"""`runhistory experiments …`: the collections that runs are in."""

from typing import Annotated, Any, Final

import typer

from runhistory.cli import completion, console, words
from runhistory.cli.nearest import meant
from runhistory.cli.reading import AsJson, ExperimentName, open_workspace, pairs, read_experiment
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
def experiments(
    context: typer.Context, archived: ArchivedOption = False, as_json: AsJson = False
) -> None:
    """Experiments: named collections of runs. Without a command, list them.

    The first run of a name creates its experiment.

    \b
    Examples:
      runhistory experiments
      runhistory experiments tag digits team=vision
      runhistory experiments archive digits
    """
    if context.invoked_subcommand is None:
        list_experiments(archived, as_json)


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
    found = read_experiment(name)
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
    """Set, remove or show tags of an experiment.

    \b
    Examples:
      runhistory experiments tag digits team=vision
      runhistory experiments tag digits --remove team
    """
    if wanted := pairs(tags, "NAME=VALUE"):
        _command(name, "set_tags", tags=wanted)
    if remove:
        _command(name, "remove_tags", names=remove)
    say_tags(read_experiment(name)["tags"], as_json)


@app.command()
def describe(
    name: ExperimentName,
    description: Annotated[str, typer.Argument(metavar="TEXT", help="What it is about.")],
    as_json: AsJson = False,
) -> None:
    """Give an experiment another description.

    \b
    Example:
      runhistory experiments describe digits "handwritten digits, small networks"
    """
    _say(_command(name, "describe", description=description), f"{name} is described.", as_json)


@app.command()
def archive(name: ExperimentName, as_json: AsJson = False) -> None:
    """Put an experiment out of sight. Its runs stay as they are.

    \b
    Example:
      runhistory experiments archive digits
    """
    _say(_command(name, "archive"), f"{name} is archived.", as_json)


@app.command()
def reactivate(name: ExperimentName, as_json: AsJson = False) -> None:
    """Bring an archived experiment back into sight.

    \b
    Example:
      runhistory experiments reactivate digits
    """
    _say(_command(name, "reactivate"), f"{name} is in sight again.", as_json)


@app.command()
def delete(
    name: ExperimentName,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete an experiment that has no runs any more. A new run of its name creates it anew.

    \b
    Example:
      runhistory experiments delete digits
    """
    if not yes:
        typer.confirm(f"Delete experiment {name}?", abort=True, err=True)
    _say(_command(name, "delete"), f"{name} is deleted.", as_json)


def _say(result: dict[str, Any], text: str, as_json: bool) -> None:
    if as_json:
        console.say_json(result)
    else:
        console.say(text)


def _command(name: str, type: str, **fields: Any) -> dict[str, Any]:
    command = {"name": name, "type": type, "command_id": new_command_id(), **fields}
    with meant(name, completion.experiments):
        result: dict[str, Any] = open_workspace().connection.send(
            "POST", "/experiments/commands", command
        )
    return result


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
