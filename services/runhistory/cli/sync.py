"""`runhistory sync`: send what killed or cut off programs left on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runhistory.cli import console, words
from runhistory.cli.progress import counting_bar

if TYPE_CHECKING:
    from runhistory.sdk.spool_folder import Left


def sync(
    directory: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DIR]",
            help="A spool, or the folder of one writer in it. Default: RUNHISTORY_SPOOL, else "
            "~/.local/state/runhistory/spool.",
        ),
    ] = None,
    only_list: Annotated[
        bool, typer.Option("--list", help="Show what is there, and send nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Send what programs that are gone have left on this machine.

    A program that logs keeps on disk what the gateway has not acknowledged yet. When it is killed,
    or ends while the gateway is away, that waits there. It is sent in order and under its old ids,
    so nothing is in the run twice; the run may be over. Programs that still run send theirs
    themselves, and the next program that logs sends what is left, too.

    Exit code 1: something could not be sent, and stays where it is.

    \b
    Examples:
      runhistory sync --list
      runhistory sync
      runhistory sync /scratch/job-17/spool
    """
    from runhistory.sdk.errors import InvalidConfig
    from runhistory.sdk.limits import spool_root
    from runhistory.sdk.spool_folder import folders

    root = directory or spool_root()
    if root is None:
        raise InvalidConfig("RUNHISTORY_SPOOL is off, so nothing is kept here.")
    if directory is not None and not directory.is_dir():
        raise InvalidConfig(f"{directory} is no folder. `runhistory sync --list` shows the spool.")
    found = [root] if (root / "writer.json").exists() else folders(root)
    rows = [row for folder in found if (row := _one(folder, only_list=only_list)) is not None]
    if as_json:
        console.say_json(rows)
    elif not rows:
        console.note(f"Nothing waits in {root}.")
    if any(row["state"] == "kept" for row in rows) and not only_list:
        raise typer.Exit(1)


def _one(folder: Path, *, only_list: bool) -> dict[str, Any] | None:
    """Send what one writer left, or say what it is."""
    from runhistory.sdk.errors import RunHistoryError
    from runhistory.sdk.spool_folder import adopt, owner_of
    from runhistory.sdk.sync import send

    row: dict[str, Any]
    with adopt(folder) as left:
        if left is None:
            if (owner := owner_of(folder)) is None:
                return None
            row = {"run_id": owner.run_id, "writer": owner.writer, "state": "in use"}
            console.note(
                f"Run {owner.run_id}: process {owner.process} on {owner.host} is at work, and "
                "sends what it logs itself."
            )
            return row
        owner, said = left.owner, left.said or "nothing"
        row = {"run_id": owner.run_id, "writer": owner.writer, "folder": str(folder)}
        row |= {stream: spool.items for stream, spool in left.spools.items()}
        if only_list:
            since = words.moment(_rfc3339(owner.began))
            console.say(f"Run {owner.run_id}: {said} for {owner.url}, begun {since}, in {folder}")
            return row | {"state": "kept"}
        try:
            _send(left, send)
        except RunHistoryError as error:
            console.error(
                f"Run {owner.run_id}: {left.said} stay in {folder}: {error}"
                + (" Delete the folder to give them up." if error.status == 404 else "")
            )
            return row | {"state": "kept"}
        console.say(f"Run {owner.run_id}: {said} sent to {owner.url}.")
        return row | {"state": "sent"}


def _send(left: "Left", send: Any) -> None:
    with counting_bar(f"Run {left.owner.run_id[:12]}…", left.items) as advance:
        send(left, advance)


def _rfc3339(seconds: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).isoformat()
