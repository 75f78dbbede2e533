"""`runhistory submit`: take a snapshot of a folder and have a script of it run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from runhistory.cli import completion, console, words
from runhistory.cli.progress import progress_bar
from runhistory.cli.reading import AsJson, open_run, open_workspace, pairs, whole_seconds
from runhistory.cli.waiting import waiting_hint

if TYPE_CHECKING:
    from runhistory.sdk.run import Run
    from runhistory.sdk.run_client import RunClient


class SubmitCommand(TyperCommand):
    """`submit` with a hint for the mistake that everybody makes once."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As the framework; an unknown option is most likely the script's own."""
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            option = getattr(error, "option_name", None)
            if option and type(error).__name__ == "NoSuchOption" and "--" not in args:
                ctx.fail(
                    f"No such option: {option}. If it is meant for the script, put it after `--`: "
                    f"{console.program()} submit DIR --script train.py -- {option} …"
                )
            raise


def submit(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder with the code; all of it is kept.")
    ],
    script: Annotated[
        str, typer.Option("--script", "-s", help="The Python file in DIR that is called.")
    ],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="-- ARGS", help="What the script is called with."),
    ] = None,
    experiment: Annotated[
        str | None,
        typer.Option(
            "--experiment",
            "-e",
            help="Its experiment. Default: the folder's name.",
            autocompletion=completion.experiments,
        ),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Print its output, and wait for its end.")
    ] = False,
    name: Annotated[
        str | None, typer.Option(help="A display name. Default: a readable one is made.")
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A tag; may be repeated.")
    ] = None,
    property: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A property, written once; may be repeated."),
    ] = None,
    description: Annotated[str, typer.Option(help="What it is about.")] = "",
    parent: Annotated[
        str | None,
        typer.Option(
            metavar="RUN", help="The run that it is a child of.", autocompletion=completion.runs
        ),
    ] = None,
    compute_target: Annotated[
        str, typer.Option(help="Where it runs.", autocompletion=completion.targets)
    ] = "local",
    requirements: Annotated[
        Path | None,
        typer.Option(
            "--requirements",
            "--environment-file",
            metavar="FILE",
            help="A pip requirements file. Default: requirements.txt in DIR, else the worker's "
            "own interpreter.",
        ),
    ] = None,
    slots: Annotated[int, typer.Option(min=1, help="How many slots it takes.")] = 1,
    gpus: Annotated[int, typer.Option(min=0, help="How many GPUs it takes.")] = 0,
    max_duration: Annotated[
        int | None,
        typer.Option(
            metavar="DURATION",
            parser=whole_seconds,
            help="End it when it has been Running for so long: seconds, or such as 15m, 2h, 1d. "
            "It is Failed then. Default: no limit.",
        ),
    ] = None,
    strict_secrets: Annotated[
        bool,
        typer.Option("--strict-secrets", help="Refuse what looks like a secret, do not warn."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Take a snapshot of DIR and run a script of it.

    What .amlignore says (else .gitignore) is left out of the snapshot, and so are .venv, outputs/
    and logs/. Only what the server does not have yet is sent. The script finds its run with
    Run.get_context(); what it writes below outputs/ is kept.

    With --follow the exit code is 0 only if the run ended Completed. Ctrl-C then asks whether to
    leave the run alone or to cancel it.

    \b
    Examples:
      runhistory submit ./train --script train.py --experiment bert --follow -- --lr 0.1
      runhistory submit . -s train.py --gpus 1 --tag team=vision --name "first try"
      runhistory submit . -s train.py --max-duration 2h --parent my-sweep -- --lr 0.2
      runhistory submit . -s train.py --json | jq -r .run_id
    """
    from runhistory.sdk.config import ScriptRunConfig
    from runhistory.sdk.environment import Environment
    from runhistory.sdk.experiment import Experiment
    from runhistory.sdk.run_client import RunClient

    tags, properties = pairs(tag, "--tag"), pairs(property, "--property")
    environment = None
    if requirements is not None:
        environment = Environment.from_pip_requirements(requirements.name, requirements)
    config = ScriptRunConfig(
        directory,
        script=script,
        arguments=arguments,
        compute_target=compute_target,
        environment=environment,
        max_run_duration_seconds=max_duration,
        slots=slots,
        gpus=gpus,
    )
    workspace = open_workspace()
    sent = 0

    def on_progress(so_far: int, total: int) -> None:
        nonlocal sent
        sent = total
        bar(so_far, total)

    with progress_bar("Sending code") as bar:
        run = Experiment(workspace, experiment or directory.resolve().name or "root").submit(
            config,
            tags=tags,
            display_name=name,
            description=description,
            properties=properties,
            parent=open_run(parent).run_id if parent else None,
            strict_secrets=strict_secrets,
            progress=on_progress,
        )
    console.note(f"Sent {words.size(sent)} of code.")
    client = RunClient(workspace.connection, run.id)
    if follow:
        from runhistory.cli.follow import follow_to_the_end

        raise typer.Exit(follow_to_the_end(client, as_json=as_json))
    _announce(run, client, as_json)


def _announce(run: "Run", client: "RunClient", as_json: bool) -> None:
    details = client.details()
    if as_json:
        console.say_json(details)
        return
    console.say(f"Submitted {details['display_name']} to {details['experiment']}.", "bold")
    console.say(f"  id        {client.run_id}")
    console.say(f"  snapshot  {details['snapshot_id']}")
    console.say(f"  studio    {run.get_portal_url()}")
    if hint := waiting_hint(client, details):
        console.say(f"  It {hint}.")
    program = console.program()
    console.say("Next:")
    console.say(f"  {program} logs {client.run_id} --follow")
    console.say(f"  {program} show {client.run_id}")
