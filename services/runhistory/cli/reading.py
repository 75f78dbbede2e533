"""From what the user wrote on the command line to the workspace and the run."""

from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import quote

import typer

from runhistory.cli import completion
from runhistory.cli.nearest import meant

if TYPE_CHECKING:
    from runhistory.sdk.run import Run
    from runhistory.sdk.run_client import RunClient
    from runhistory.sdk.workspace import Workspace


def _not_empty(reference: str) -> str:
    if not reference.strip():
        raise typer.BadParameter("name a run, or @latest for the newest")
    return reference


RunReference = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run's id, the beginning of it, its display name, or @latest.",
        callback=_not_empty,
        autocompletion=completion.runs,
    ),
]
RunReferences = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN",
        help="Runs, each by its id, the beginning of it, its display name, or @latest.",
        autocompletion=completion.runs,
    ),
]
ExperimentName = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="The experiment's name.", autocompletion=completion.experiments
    ),
]
ExperimentOption = Annotated[
    str | None,
    typer.Option(
        "--experiment",
        "-e",
        help="Only those of this experiment.",
        autocompletion=completion.experiments,
    ),
]
_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def open_workspace() -> "Workspace":
    """The workspace that the configuration names."""
    from runhistory.sdk.workspace import Workspace

    return Workspace.from_config()


def open_run(reference: str) -> "RunClient":
    """The run that `reference` means.

    Raises:
        NotFound: none is called so.
        Conflict: several are; the message names them.
    """
    from runhistory.domain.ids import is_run_id
    from runhistory.sdk.run_client import RunClient

    connection = open_workspace().connection
    if is_run_id(reference):
        return RunClient(connection, reference)
    with meant(reference, completion.runs):
        return RunClient(connection, connection.get("/runs/resolve", ref=reference)["run_id"])


def find_run(workspace: "Workspace", reference: str) -> "Run":
    """The same as the SDK's run.

    Raises:
        NotFound, Conflict: as `open_run`.
    """
    with meant(reference, completion.runs):
        return workspace.find_run(reference)


def open_runs(references: list[str]) -> list["RunClient"]:
    """The runs that `references` mean, each once; none when one of them means nothing.

    Raises:
        NotFound, Conflict: as `open_run`.
    """
    found = {run.run_id: run for run in map(open_run, references)}
    return list(found.values())


def whole_seconds(text: str) -> int:
    """`90`, `90s`, `15m`, `2h` or `1d` in seconds.

    Raises:
        typer.BadParameter: it has another form, or is nothing.
    """
    number, unit = (text[:-1], text[-1]) if text[-1:].isalpha() else (text, "")
    if unit not in _UNITS or not (number.isascii() and number.isdigit()) or int(number) < 1:
        raise typer.BadParameter(f"{text!r} is no duration: give seconds, or such as 15m, 2h, 1d")
    return int(number) * _UNITS[unit]


def read_experiment(name: str) -> dict[str, Any]:
    """The experiment of that name.

    Raises:
        NotFound: there is none; the message has the names that are near.
    """
    with meant(name, completion.experiments):
        path = f"/experiments/{quote(name, safe='')}"
        found: dict[str, Any] = open_workspace().connection.get(path)
    return found


def names_or_pairs(given: list[str] | None, option: str) -> list[str]:
    """`NAME` or `NAME=VALUE` options, as the gateway filters by them: `name`, `name:value`.

    Raises:
        typer.BadParameter: one has no name.
    """
    if any(text.startswith("=") or not text for text in given or ()):
        raise typer.BadParameter("give NAME=VALUE, or NAME for any value", param_hint=option)
    return [":".join(text.split("=", 1)) for text in given or ()]


def pairs(given: list[str] | None, option: str) -> dict[str, str]:
    """`name=value` options as a dictionary.

    Raises:
        typer.BadParameter: one has no `=`.
    """
    found = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise typer.BadParameter(f"{text!r} must have the form NAME=VALUE.", param_hint=option)
        found[name] = value
    return found
