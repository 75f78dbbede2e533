"""`runhistory tag` and `describe`: what is said about a run after it was created."""

from typing import Annotated, Any

import typer

from runhistory.cli import console
from runhistory.cli.reading import AsJson, RunReference, open_run, pairs

TagsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="NAME=VALUE", help="Tags to set.")
]
RemoveOption = Annotated[
    list[str] | None,
    typer.Option("--remove", "-r", metavar="NAME", help="A tag to remove; may be repeated."),
]


def tag(
    run: RunReference,
    tags: TagsArgument = None,
    remove: RemoveOption = None,
    as_json: AsJson = False,
) -> None:
    """Set, remove or show tags of a run.

    \b
    Examples:
      runhistory tag @latest team=vision best=yes
      runhistory tag @latest --remove best
    """
    client = open_run(run)
    if wanted := pairs(tags, "NAME=VALUE"):
        client.command("set_tags", tags=wanted)
    if remove:
        client.command("remove_tags", names=remove)
    say_tags(client.details()["tags"], as_json)


def describe(
    run: RunReference,
    description: Annotated[
        str | None, typer.Argument(metavar="TEXT", help="What to say of it.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Another display name.")] = None,
    as_json: AsJson = False,
) -> None:
    """Give a run another description, or another display name.

    \b
    Examples:
      runhistory describe @latest "the one of the paper"
      runhistory describe 0193a7 --name baseline
    """
    if description is None and name is None:
        raise typer.BadParameter("give a description, or --name")
    fields = {"description": description, "display_name": name}
    given: dict[str, Any] = {name: text for name, text in fields.items() if text is not None}
    result = open_run(run).command("describe", **given)
    if as_json:
        console.say_json(result)
    else:
        console.say(f"{result['run_id']} is described.")


def say_tags(tags: dict[str, str], as_json: bool) -> None:
    """The tags, one a line."""
    if as_json:
        console.say_json(tags)
        return
    for name, value in sorted(tags.items()):
        console.say(f"{name}={value}")
    if not tags:
        console.note("No tags.")
