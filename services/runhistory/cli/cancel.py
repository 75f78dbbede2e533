"""`runhistory cancel`: have a run stop."""

from typing import Annotated

import typer

from runhistory.cli import console
from runhistory.cli.reading import AsJson, RunReference, open_run


def cancel(
    run: RunReference,
    reason: Annotated[str, typer.Option(help="Why; kept with the run.")] = "",
    as_json: AsJson = False,
) -> None:
    """Cancel a run.

    Its script is terminated, and killed after 10 seconds. What it has written to outputs/ and
    logs/ is kept. A run that waits is cancelled at once.

    \b
    Example:
      runhistory cancel @latest --reason "wrong data"
    """
    result = open_run(run).command("cancel", reason=reason)
    if as_json:
        console.say_json(result)
    else:
        console.say(f"{result['run_id']} is {result['status']}.")
