"""The commands, put together, and what becomes of errors.

Exit codes: 0 done (with --follow: the run ended Completed), 1 failure, 2 wrong usage, 130 after
Ctrl-C. An expected error is one message that says what to do; `--debug` adds where it came from.
"""

import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from runhistory import __version__
from runhistory.cli import (
    completion,
    compute,
    console,
    diff,
    dlq,
    events,
    experiments,
    files,
    life,
    logs,
    metrics,
    rebuild,
    reproduce,
    runs,
    show,
    snapshot,
    sql,
    stack,
    submit,
    sync,
    tagging,
)
from runhistory.sdk.errors import RunHistoryError
from runhistory.snapshots.manifest import SnapshotError

INTERRUPTED = 130
_FRAMEWORKS = ("install_completion", "show_completion")


class Commands(TyperGroup):
    """The group of all commands; turns expected errors into a message and exit code 1."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Without the framework's options for completion: `runhistory completion` does it."""
        return [one for one in super().get_params(ctx) if one.name not in _FRAMEWORKS]

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # whoever read our output has seen enough; the framework ends quietly
        except (RunHistoryError, SnapshotError, stack.StackTrouble, OSError) as error:
            if ctx.params.get("debug"):
                raise
            console.error(_message(error))
            raise typer.Exit(1) from error
        except KeyboardInterrupt:
            console.note("Interrupted.")
            raise typer.Exit(INTERRUPTED) from None


def _message(error: Exception) -> str:
    """What the error says; of a file that is not there, also which there are."""
    text = str(error) or type(error).__name__
    there = error.details.get("files") if isinstance(error, RunHistoryError) else None
    return f"{text} Its files: {', '.join(there)}." if there else text


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _version(wanted: bool) -> None:
    if wanted:
        console.say(f"runhistory {__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Run training scripts and keep their whole history: code, metrics, logs and files.

    \b
    A first run on this machine:
      runhistory up --detach
      runhistory submit ./train --script train.py --experiment first --follow -- --lr 0.1
      runhistory metrics @latest

    RUN is a run's id, the beginning of an id (4 digits or more), its display name, or @latest.

    The gateway is the one in .runhistory/config.json, here or in a folder above, else the one in
    RUNHISTORY_URL, else http://127.0.0.1:8780.

    `runhistory COMMAND --help` says more, with examples.
    """


COMMANDS: tuple[Callable[..., None], ...] = (
    stack.up,
    stack.down,
    stack.status,
    rebuild.rebuild,
    submit.submit,
    runs.runs,
    show.show,
    metrics.metrics,
    logs.logs,
    events.events,
    files.files,
    files.download,
    life.cancel,
    life.pause,
    life.resume,
    tagging.tag,
    tagging.describe,
    life.archive,
    life.reactivate,
    life.delete,
    snapshot.snapshot,
    reproduce.reproduce,
    diff.diff,
    sql.sql,
    sync.sync,
    completion.completion,
)
for command in COMMANDS:
    app.command(cls=submit.SubmitCommand if command is submit.submit else None)(command)
app.add_typer(experiments.app, name="experiments")
app.add_typer(compute.app, name="compute")
app.add_typer(dlq.app, name="dlq")


def main() -> None:
    """The entry point of the command `runhistory`."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that lacks a letter still works
    app(prog_name="runhistory")
