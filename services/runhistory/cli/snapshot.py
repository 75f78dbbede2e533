"""`runhistory snapshot`: the exact code of a run."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runhistory.cli import console, words
from runhistory.cli.progress import progress_bar
from runhistory.cli.reading import AsJson, open_run, open_workspace
from runhistory.cli.table import Column, table
from runhistory.sdk.errors import NotFound

if TYPE_CHECKING:
    from runhistory.sdk.http import Connection
    from runhistory.snapshots import Entry, Manifest

_COLUMNS = (
    Column("mode", whole=True),
    Column("size", right=True),
    Column("path", style="bold"),
)
_SNAPSHOT_ID = re.compile(r"[0-9a-f]{64}")
_PIECE = 2**20


def snapshot(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="As everywhere; a snapshot's id will do as well.")
    ],
    restore: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write the code into DIR, which must be new or empty."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the exact code of a run, or write it to a folder.

    \b
    Examples:
      runhistory snapshot @latest
      runhistory snapshot @latest --restore ./as-it-was
    """
    from runhistory.sdk.restore import read_manifest

    connection, snapshot_id = _find(run)
    manifest = read_manifest(connection, snapshot_id)
    if restore is not None:
        _restore(connection, manifest, restore)
    if as_json:
        import msgspec

        content = {"snapshot_id": snapshot_id, **msgspec.to_builtins(manifest)}
        console.say_json(content)
    elif restore is not None:
        console.say(f"Snapshot {snapshot_id} is in {restore} ({words.size(manifest.size)}).")
    else:
        console.say(f"Snapshot {snapshot_id}")
        table(_COLUMNS, [_row(entry) for entry in manifest.entries])


def _find(reference: str) -> "tuple[Connection, str]":
    if _SNAPSHOT_ID.fullmatch(reference):
        return open_workspace().connection, reference
    client = open_run(reference)
    snapshot_id = client.details().get("snapshot_id")
    if not snapshot_id:
        raise NotFound(f"Run {client.run_id} has no snapshot: it was not submitted.")
    return client.connection, snapshot_id


def _restore(connection: "Connection", manifest: "Manifest", directory: Path) -> None:
    from runhistory.snapshots import checkout

    fetched = 0

    def open_blob(sha256: str) -> Iterator[bytes]:
        with connection.stream(f"/blobs/{sha256}") as answer:
            for piece in answer.iter_bytes(_PIECE):
                nonlocal fetched
                fetched += len(piece)
                bar(fetched, manifest.size)
                yield piece

    with progress_bar("Fetching code") as bar:
        checkout(manifest, open_blob, directory)


def _row(entry: "Entry") -> tuple[str, str, str]:
    from runhistory.snapshots import Directory, File

    if isinstance(entry, File):
        return f"{entry.mode:o}", words.size(entry.size), entry.path
    if isinstance(entry, Directory):
        return f"{entry.mode:o}", "", entry.path + "/"
    return "link", "", f"{entry.path} -> {entry.target}"
