"""From what the user wrote on the command line to the workspace and the run."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
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
    ),
]
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
    return RunClient(connection, connection.get("/runs/resolve", ref=reference)["run_id"])


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
