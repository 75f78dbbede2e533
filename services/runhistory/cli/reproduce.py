"""`runhistory reproduce`: run again what was run before, in the same environment."""

from typing import Annotated

import typer

from runhistory.cli import completion, console
from runhistory.cli.reading import AsJson, RunReference, find_run, open_workspace, pairs


def reproduce(
    run: RunReference,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Print its output, and wait for its end.")
    ] = False,
    name: Annotated[
        str | None, typer.Option(help="A display name. Default: a readable one is made.")
    ] = None,
    experiment: Annotated[
        str | None,
        typer.Option(
            "--experiment",
            "-e",
            help="Another experiment than RUN's.",
            autocompletion=completion.experiments,
        ),
    ] = None,
    compute_target: Annotated[
        str | None,
        typer.Option(
            help="Where it runs. Default: where RUN ran.", autocompletion=completion.targets
        ),
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A tag; may be repeated.")
    ] = None,
    any_python: Annotated[
        bool,
        typer.Option(
            "--any-python", help="Take the worker's Python where RUN's version is not there."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run RUN again, with the same code and packages.

    The same arguments, variables, resources and Python too.

    Everything that was recorded comes back: the snapshot, and each package at its exact version
    and with its hash, whatever is newer by now. The new run names RUN. Where the worker cannot
    have the same environment, the new run fails and says what is missing.

    \b
    Examples:
      runhistory reproduce @latest --follow
      runhistory reproduce 0193a7 --name "once more" --compute-target gpu-pool
      runhistory diff 0193a7 @latest
    """
    workspace = open_workspace()
    again = find_run(workspace, run).reproduce(
        display_name=name,
        experiment=experiment,
        compute_target=compute_target,
        tags=pairs(tag, "--tag"),
        any_python=any_python,
    )
    if follow:
        from runhistory.cli.follow import follow_to_the_end
        from runhistory.sdk.run_client import RunClient

        client = RunClient(workspace.connection, again.id)
        raise typer.Exit(follow_to_the_end(client, as_json=as_json))
    details = again.get_details()
    if as_json:
        console.say_json(details)
        return
    console.say(f"Submitted {details['display_name']} to {details['experiment']}.", "bold")
    console.say(f"  id          {again.id}")
    console.say(f"  reproduces  {details['reproduces']}")
    console.say(f"  studio      {again.get_portal_url()}")
    console.say("Next:")
    console.say(f"  {console.program()} logs {again.id} --follow")
    console.say(f"  {console.program()} diff {details['reproduces']} {again.id}")
