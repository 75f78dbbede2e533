"""`runhistory pause | resume | archive | reactivate | delete`: commands to one run or several."""

from typing import Annotated, Any

import typer

from runhistory.cli import console
from runhistory.cli.reading import AsJson, RunReference, RunReferences, open_run, open_runs
from runhistory.sdk.errors import RunHistoryError
from runhistory.sdk.run_client import RunClient


def pause(run: RunReference, as_json: AsJson = False) -> None:
    """Pause a running run: its processes stand still, and keep their place and memory.

    Its maximum duration goes on counting.

    \b
    Example:
      runhistory pause @latest
    """
    _one(run, "pause", as_json)


def resume(run: RunReference, as_json: AsJson = False) -> None:
    """Let a paused run go on.

    \b
    Example:
      runhistory resume @latest
    """
    _one(run, "resume", as_json)


def archive(runs: RunReferences, as_json: AsJson = False) -> None:
    """Put runs out of sight. Nothing of them is lost; `runhistory runs --archived` lists them.

    \b
    Example:
      runhistory archive 0193a7 brave_otter_7c11
    """
    _each(open_runs(runs), "archive", "archived", as_json)


def reactivate(runs: RunReferences, as_json: AsJson = False) -> None:
    """Bring archived runs back into sight.

    \b
    Example:
      runhistory reactivate 0193a7
    """
    _each(open_runs(runs), "reactivate", "in sight again", as_json)


def delete(
    runs: RunReferences,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete runs with all their points, lines and files. There is no way back.

    A run that is under way is cancelled first, with `runhistory cancel`. What other runs have too
    (the same code, the same files) stays with them.

    \b
    Examples:
      runhistory delete 0193a7
      runhistory delete 0193a7 0193a8 --yes
    """
    found = open_runs(runs)
    if not yes:
        _confirm(found)
    _each(found, "delete", "deleted", as_json)


def _confirm(runs: list[RunClient]) -> None:
    for run in runs:
        details = run.details()
        console.note(
            f"  {run.run_id}  {details['display_name']} ({details['experiment']}), "
            f"{details['status']}",
            style="",
        )
    count = "this run" if len(runs) == 1 else f"these {len(runs)} runs"
    typer.confirm(f"Delete {count} for good?", abort=True, err=True)


def _one(reference: str, type: str, as_json: bool) -> None:
    result = open_run(reference).command(type)
    if as_json:
        console.say_json(result)
    else:
        console.say(f"{result['run_id']} is {result['status']}.")


def _each(runs: list[RunClient], type: str, outcome: str, as_json: bool) -> None:
    """Send the command to each, whatever becomes of the others; exit code 1 if one failed."""
    results: list[dict[str, Any]] = []
    failed = False
    for run in runs:
        try:
            results.append(run.command(type))
        except RunHistoryError as error:
            failed = True
            console.error(str(error))
            continue
        if not as_json:
            console.say(f"{run.run_id} is {outcome}.")
    if as_json:
        console.say_json(results)
    if failed:
        raise typer.Exit(1)
