"""What the shell is offered at a TAB, and `runhistory completion`, which teaches the shell to ask.

Nobody waits long for a completion, and nobody wants to read an error in the middle of a line: a
gateway that does not answer within a moment completes nothing.
"""

import contextlib
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Final

import typer

from runhistory.cli import console
from runhistory.cli.completion_scripts import SCRIPTS
from runhistory.domain.status import RunStatus

SECONDS: Final = 1.0
OFFERED: Final = 50

Offers = list[tuple[str, str]]
"""What may be put in, and what it is."""

Offer = Callable[[str], Offers]


def runs(incomplete: str) -> Offers:
    """Display names of the newest runs; ids for who has begun to type one."""
    offers: Offers = [("@latest", "the newest run")]
    for run in _ask("/runs", "runs", limit=OFFERED, children="true"):
        what = f"{run['experiment']}, {run['status']}"
        offers += [(run["display_name"], what), (run["run_id"], f"{run['display_name']}, {what}")]
    names = _begun(offers, incomplete)
    return names if incomplete else [offer for offer in names if len(offer[0]) != 32]


def experiments(incomplete: str) -> Offers:
    """Names of experiments, the last active first."""
    found = _ask("/experiments", "experiments")
    offers = [(one["name"], f"{sum(one['runs'].values())} runs") for one in found]
    return _begun(offers, incomplete)[:OFFERED]


def targets(incomplete: str) -> Offers:
    """Names of compute targets."""
    found = _ask("/compute", "compute_targets")
    offers = [(one["name"], f"{one['running']} running, {one['waiting']} waiting") for one in found]
    return _begun(offers, incomplete)


def statuses(incomplete: str) -> Offers:
    """The statuses of a run."""
    return _begun([(str(status), "") for status in RunStatus], incomplete)


def metrics(context: typer.Context, incomplete: str) -> Offers:
    """Keys of the run that was named."""
    found = _ask_of_run(context, "series", "series", system="true")
    return _begun([(one["key"], f"{one['count']} points") for one in found], incomplete)


def files(context: typer.Context, incomplete: str) -> Offers:
    """Names of the files that the run kept."""
    return _begun([(one["name"], "") for one in _ask_of_run(context, "files", "files")], incomplete)


def completion(
    shell: Annotated[
        str,
        typer.Argument(
            metavar="SHELL",
            help=f"One of {', '.join(SCRIPTS)}.",
            autocompletion=lambda incomplete: _begun([(one, "") for one in SCRIPTS], incomplete),
        ),
    ],
) -> None:
    """Print what teaches your shell to complete.

    Commands, options, runs and other names are offered at a TAB.

    Put the line of your shell where it reads it at its start: ~/.bashrc, ~/.zshrc, or
    ~/.config/fish/config.fish.

    \b
    Examples:
      eval "$(runhistory completion bash)"
      eval "$(runhistory completion zsh)"
      runhistory completion fish | source
    """
    if shell not in SCRIPTS:
        raise typer.BadParameter(f"choose one of {', '.join(SCRIPTS)}", param_hint="SHELL")
    console.say(SCRIPTS[shell].rstrip())


def _begun(offers: Offers, incomplete: str) -> Offers:
    return [offer for offer in offers if offer[0].startswith(incomplete)]


def _ask(path: str, field: str, **query: Any) -> Iterable[dict[str, Any]]:
    with contextlib.suppress(Exception):
        import orjson

        from runhistory.cli.reading import open_workspace

        answer = open_workspace().connection.request(
            "GET", path, query=query, patience=0.0, answer_within=SECONDS
        )
        found: list[dict[str, Any]] = orjson.loads(answer.content)[field]
        return found
    return []


def _ask_of_run(
    context: typer.Context, what: str, field: str, **query: Any
) -> Iterable[dict[str, Any]]:
    with contextlib.suppress(Exception):
        from runhistory.cli.reading import open_run

        return _ask(f"/runs/{open_run(context.params['run']).run_id}/{what}", field, **query)
    return []
