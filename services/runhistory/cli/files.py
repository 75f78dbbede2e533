"""`runhistory files` and `runhistory download`: what a run kept."""

from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import typer

from runhistory.cli import completion, console, words
from runhistory.cli.progress import Progress, progress_bar
from runhistory.cli.reading import AsJson, RunReference, open_run
from runhistory.cli.table import Column, table

_COLUMNS = (
    Column("file", style="bold", least=32),
    Column("size", right=True),
    Column("sha256", style="dim", optional=True),
)


def files(run: RunReference, as_json: AsJson = False) -> None:
    """List the files that a run kept.

    \b
    Example:
      runhistory files @latest
    """
    found = open_run(run).files()
    if as_json:
        console.say_json(found)
    elif not found:
        console.note("The run kept no files. What a script writes below outputs/ is kept.")
    else:
        table(_COLUMNS, [row(file) for file in found])


def row(file: dict[str, Any]) -> tuple[str, ...]:
    """A file as a row: name, size, digest."""
    return file["name"], words.size(file["size"]), file["sha256"]


def download(
    run: RunReference,
    name: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME",
            help="A file, a folder, or a pattern such as 'outputs/*.npz'. Default: all files.",
            autocompletion=completion.files,
        ),
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The folder to write into. Default: the run's name."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Download files that a run kept. Files of the same name are replaced.

    \b
    Examples:
      runhistory download @latest
      runhistory download brave_otter_7c11 outputs/model.npz --to .
    """
    from runhistory.sdk.download import download as fetch

    client = open_run(run)
    kept = client.files()
    chosen = _choose(kept, name or ["*"])
    folder = to or Path(client.details()["display_name"])
    targets = [folder / _safe(file["name"]) for file in chosen]
    total, before = sum(file["size"] for file in chosen), 0
    with progress_bar("Downloading") as bar:
        for file, target in zip(chosen, targets, strict=True):
            fetch(
                client.connection,
                client.file_path(file["name"]),
                target,
                sha256=file["sha256"],
                progress=partial(_advance, bar, before, total),
            )
            before += file["size"]
            if not as_json:
                console.say(f"{target}  {words.size(file['size'])}")
    if as_json:
        console.say_json(
            [{**file, "path": str(at)} for file, at in zip(chosen, targets, strict=True)]
        )


def _advance(bar: Progress, before: int, total: int, so_far: int) -> None:
    bar(before + so_far, total)


def _choose(kept: list[dict[str, Any]], wanted: list[str]) -> list[dict[str, Any]]:
    chosen: dict[str, dict[str, Any]] = {}
    for pattern in wanted:
        matching = [file for file in kept if _matches(file["name"], pattern)]
        if not matching:
            names = ", ".join(file["name"] for file in kept[:20]) or "none"
            console.error(f"The run kept no file {pattern!r}. Its files: {names}.")
            raise typer.Exit(1)
        chosen.update((file["name"], file) for file in matching)
    return list(chosen.values())


def _matches(name: str, pattern: str) -> bool:
    folder = pattern.rstrip("/") + "/"
    return name == pattern or name.startswith(folder) or fnmatchcase(name, pattern)


def _safe(name: str) -> PurePosixPath:
    """A name from the server, which must stay below the folder."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        console.error(f"The gateway names a file {name!r} that would climb out. Nothing done.")
        raise typer.Exit(1)
    return path
