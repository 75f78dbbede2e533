"""`runhistory cancel | pause | resume | archive | reactivate | delete`: commands to runs."""

from typing import Annotated, Any

import typer

from runhistory.cli import console
from runhistory.cli.reading import (
    AsJson,
    RunReference,
    RunReferences,
    open_run,
    open_runs,
    open_workspace,
)
from runhistory.domain.status import TERMINAL
from runhistory.sdk.errors import RunHistoryError
from runhistory.sdk.run_client import RunClient

WithChildren = Annotated[
    bool, typer.Option("--children", help="Their children too, and the children of these.")
]


def cancel(
    runs: RunReferences,
    reason: Annotated[str, typer.Option(help="Why; kept with the run.")] = "",
    children: WithChildren = False,
    as_json: AsJson = False,
) -> None:
    """Cancel runs, in whatever status they are.

    A run that waits is cancelled at once. A script that runs is terminated, and killed after 10
    seconds; what it has written to outputs/ and logs/ is kept. With --children those that are
    over already are passed over.

    \b
    Examples:
      runhistory cancel @latest --reason "wrong data"
      runhistory cancel my-sweep --children
    """
    found = open_runs(runs)
    if children:
        found = [run for run in _with_children(found) if _goes_on(run)]
        if not found:
            console.note("Nothing to cancel: they are all over.")
    _each(found, "cancel", None, as_json, reason=reason)


def pause(run: RunReference, as_json: AsJson = False) -> None:
    """Pause a running run.

    Its processes stand still, and keep their place and memory. Its maximum duration goes on
    counting.

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


def archive(runs: RunReferences, children: WithChildren = False, as_json: AsJson = False) -> None:
    """Put runs out of sight. Nothing of them is lost; `runhistory runs --archived` lists them.

    \b
    Examples:
      runhistory archive 0193a7 brave_otter_7c11
      runhistory archive my-sweep --children
    """
    found = open_runs(runs)
    _each(_with_children(found) if children else found, "archive", "archived", as_json)


def reactivate(
    runs: RunReferences, children: WithChildren = False, as_json: AsJson = False
) -> None:
    """Bring archived runs back into sight.

    \b
    Example:
      runhistory reactivate 0193a7
    """
    found = open_runs(runs)
    _each(_with_children(found) if children else found, "reactivate", "in sight again", as_json)


def delete(
    runs: RunReferences,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    children: WithChildren = False,
    as_json: AsJson = False,
) -> None:
    """Delete runs with all their points, lines and files. There is no way back.

    Cancel a run that is under way first, with `runhistory cancel`. What other runs have too
    (the same code, the same files) stays with them, and so do children without --children.

    \b
    Examples:
      runhistory delete 0193a7
      runhistory delete 0193a7 0193a8 --yes
      runhistory delete my-sweep --children
    """
    found = open_runs(runs)
    if children:  # these first: as long as one is left, its parent leads to it
        found = _with_children(found)[::-1]
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


def _with_children(runs: list[RunClient]) -> list[RunClient]:
    """The runs and all their descendants, each once; parents come first."""
    from runhistory.sdk.run_search import find_runs

    found = {run.run_id: run for run in runs}
    for parent in runs:
        workspace = open_workspace()
        descendants = find_runs(workspace, parent=parent.run_id, recursive=True, archived="all")
        for one in sorted(descendants, key=lambda run: run.id):
            found.setdefault(one.id, RunClient(workspace.connection, one.id))
    return list(found.values())


def _goes_on(run: RunClient) -> bool:
    return run.details()["status"] not in TERMINAL


def _each(
    runs: list[RunClient], type: str, outcome: str | None, as_json: bool, **fields: Any
) -> None:
    """Send the command to each, whatever becomes of the others; exit code 1 if one failed.

    Without an `outcome` the status is what is told.
    """
    results: list[dict[str, Any]] = []
    failed = False
    for run in runs:
        try:
            results.append(run.command(type, **fields))
        except RunHistoryError as error:
            failed = True
            console.error(str(error))
            continue
        if not as_json:
            console.say(f"{run.run_id} is {outcome or results[-1]['status']}.")
    if as_json:
        console.say_json(results)
    if failed:
        raise typer.Exit(1)
