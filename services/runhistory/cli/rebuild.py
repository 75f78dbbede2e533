"""`runhistory rebuild`: the tables in ClickHouse, made anew from the log."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Final

import typer

from runhistory.cli import console, terminal
from runhistory.cli.progress import step_bars
from runhistory.cli.reading import AsJson
from runhistory.cli.stack import Data, StackTrouble
from runhistory.cli.table import Column, table

DIFFERENT: Final = 1
_STEPS: Final = {
    "make": "Making the tables",
    "read": "Reading the log",
    "join": "Letting the sink write into both",
    "catch up": "Reading what came meanwhile",
    "wait for sinks": "Waiting for the sink",
    "erase": "Erasing deleted runs",
    "compare": "Comparing the digests",
    "switch": "Switching the readers",
    "drop": "Dropping what nobody reads",
}


def rebuild(
    data: Data = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only compare; readers keep what they have.")
    ] = False,
    accept_differences: Annotated[
        bool,
        typer.Option(
            "--accept-differences", help="Switch even if the new tables say something else."
        ),
    ] = False,
    abandon: Annotated[
        bool, typer.Option("--abandon", help="Throw away what an earlier rebuild left half done.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make the tables in ClickHouse anew from the log in Kafka.

    Kafka's log is the truth, and ClickHouse's tables are made from it. This makes them a second
    time, beside the present ones, while ingestion goes on: it reads the log from its beginning,
    lets the sink write into both, compares their digests, switches the readers, and drops the
    old ones. Readers see all of the old ones until then, and all of the new ones from then on.

    Where the digests differ it stops and says in which tables; readers keep what they have, and
    the new tables are kept for the next time. --accept-differences switches all the same: for
    tables that were damaged, or made by an older version.

    It may be interrupted or killed at any moment: started again, it goes on. It needs as much
    disk as the present tables, and all of the log: where Kafka has deleted records it refuses.

    The stack is the one on this machine (see --data), or what RUNHISTORY_KAFKA and
    RUNHISTORY_CLICKHOUSE name. Exit code 1 means that it was refused, or that something differs.

    \b
    Examples:
      runhistory rebuild --check
      runhistory rebuild
    """
    wishes = {"check": check, "accept-differences": accept_differences, "abandon": abandon}
    chosen = [f"--{name}" for name, given in wishes.items() if given]
    if len(chosen) > 1:
        raise typer.BadParameter(f"Choose one of {' and '.join(chosen)}.")
    outcome = _run(data, chosen[0] if chosen else None)
    different = [one for one in outcome["tables"] if one["different"]]
    if as_json:
        console.say_json(outcome)
    else:
        _show(outcome, different)
    if different and not accept_differences:
        raise typer.Exit(DIFFERENT)


def _run(data: Path | None, option: str | None) -> dict[str, Any]:
    stack = _stack()
    try:
        with _progress() as on_step:
            outcome: dict[str, Any] = stack.rebuild(data, option=option, on_step=on_step)
    except stack.StackError as error:
        raise StackTrouble(str(error)) from error
    return outcome


def _show(outcome: dict[str, Any], different: list[dict[str, Any]]) -> None:
    if outcome["tables"]:
        table(
            (
                Column("table", style="bold", whole=True),
                Column("rows", right=True),
                Column("digest", optional=True),
                Column("rebuilt"),
            ),
            [
                (one["table"], f"{one['rows']:,}", one["digest"], _compared(one["different"]))
                for one in outcome["tables"]
            ],
        )
    if outcome["unreadable"]:
        console.say(f"Passed over {outcome['unreadable']:,} records that cannot be stored.")
    console.say(_sentence(outcome, [one["table"] for one in different]))


def _compared(different: list[str]) -> str:
    if not different:
        return "equal"
    more = ", …" if len(different) > 2 else ""
    return f"differs ({', '.join(different[:2])}{more})"


def _sentence(outcome: dict[str, Any], different: list[str]) -> str:
    done, reading = outcome["done"], outcome["reading"]
    if done == "switched":
        return f"Readers see the rebuilt tables now ({reading})."
    if done == "abandoned":
        return f"What was half done is gone. Readers see {reading}, as before."
    if done == "nothing":
        return "There is nothing to abandon: no rebuild is half done."
    if not different:
        return "The tables say what the log says."
    program = console.program()
    return (
        f"The log says something else than {', '.join(different)}. Readers see what they saw. "
        f"`{program} rebuild --accept-differences` takes what the log says."
    )


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each step on a terminal, elsewhere a line for each."""
    if terminal.can_move(sys.stderr):
        with step_bars() as bar:
            yield lambda step, done, total: bar(_STEPS.get(step, step), done, total)
        return
    told: list[str] = []

    def note(step: str, done: int, total: int) -> None:
        if told[-1:] != [step]:
            told.append(step)
            amount = f" ({total:,})" if total > 1 else ""
            console.note(f"{_STEPS.get(step, step)}{amount}")

    yield note


def _stack() -> ModuleType:
    """The stack's part, which only the extra `local` brings."""
    try:
        from runhistory.stack import rebuilding
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "runhistory":
            raise
        raise StackTrouble(
            f"This installation cannot rebuild ({error.name} is missing). "
            "Install it with: pip install 'runhistory[local]'"
        ) from error
    return rebuilding
