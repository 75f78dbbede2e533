"""`up`, `down` and `status`: Kafka, ClickHouse and the services on this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from runhistory.cli import console
from runhistory.cli.reading import AsJson
from runhistory.cli.table import Column, table

DEFAULT_PORT = 8780

Data = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Where the stack keeps everything. Default: the nearest .runhistory/ that has a "
        "stack, or else this user's data directory.",
    ),
]


class StackTrouble(Exception):
    """The stack cannot do it; the message says why and what to do."""


def up(
    data: Data = None,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Come back when it is ready; it goes on.")
    ] = False,
    port: Annotated[
        int, typer.Option(help="The gateway's port; the others are 10 to 17 above.")
    ] = DEFAULT_PORT,
    slots: Annotated[int, typer.Option(help="How many slots the worker offers.")] = 2,
    as_json: AsJson = False,
) -> None:
    """Start Kafka, ClickHouse and the services on this machine.

    Without --detach it stays in the foreground until Ctrl-C. What died is started again; what
    was kept is there again after the next `up`.

    \b
    Examples:
      runhistory up --detach
      runhistory up --detach --data ./.runhistory --port 9000
    """
    commands = _commands()
    try:
        if not detach:
            commands.run(data, port=port, slots=slots, report=console.note)
            return
        state = commands.up(data, port=port, slots=slots, report=console.note)
    except commands.StackError as error:
        raise StackTrouble(str(error)) from error
    if as_json:
        console.say_json({"url": state.url, "data": str(commands.data_directory(data))})
        return
    console.say(f"Runhistory is up at {state.url}: the studio is there, for a browser.")
    program = console.program()
    console.say(f"Next: {program} submit DIR --script train.py --experiment NAME --follow")


def down(data: Data = None, as_json: AsJson = False) -> None:
    """Stop the stack on this machine. Nothing that it keeps is lost.

    \b
    Example:
      runhistory down
    """
    commands = _commands()
    try:
        stopped = commands.down(data, report=console.note)
    except commands.StackError as error:
        raise StackTrouble(str(error)) from error
    if as_json:
        console.say_json({"stopped": stopped})
    else:
        console.say("Stopped." if stopped else "Nothing was running.")


def status(data: Data = None, as_json: AsJson = False) -> None:
    """Show whether the stack on this machine works.

    Each process is asked. Exit code 0 means that all of it works.

    \b
    Examples:
      runhistory status
      runhistory status --json
    """
    import msgspec

    found = _commands().status(data)
    if as_json:
        console.say_json(msgspec.to_builtins(found))
    else:
        message = "" if found.phase == "ready" else f" ({found.message})"
        console.say(f"{found.url}: {found.phase}{message}")
        console.say(f"Data in {found.data}")
        if found.processes:
            table(
                _COLUMNS,
                [
                    (
                        process.name,
                        process.phase,
                        str(process.pid or "-"),
                        process.address,
                        str(process.restarts),
                        process.problem or "ok",
                    )
                    for process in found.processes
                ],
            )
    if not found.is_up:
        raise typer.Exit(1)


_COLUMNS = (
    Column("process", style="bold", whole=True),
    Column("phase", whole=True),
    Column("pid", right=True, optional=True),
    Column("address", whole=True, optional=True),
    Column("restarts", right=True, optional=True),
    Column("state"),
)


@contextmanager
def needs_local() -> Iterator[None]:
    """For imports that only the extra `local` makes possible.

    Raises:
        StackTrouble: it is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "runhistory":
            raise
        raise StackTrouble(
            f"This installation has no stack to run ({error.name} is missing). "
            "Install it with: pip install 'runhistory[local]'"
        ) from error


def _commands() -> ModuleType:
    """The stack, which only the extra `local` brings."""
    with needs_local():
        from runhistory.stack import commands
    return commands
