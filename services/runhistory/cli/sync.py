"""`runhistory sync`: send what killed or cut off programs left on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runhistory.cli import console, words
from runhistory.cli.progress import counting_bar

if TYPE_CHECKING:
    from runhistory.sdk.spool_folder import Left, Owner


def sync(
    directory: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DIR]",
            help="A spool, the folder of a detached run, or a folder with some of them. Default: "
            "RUNHISTORY_SPOOL, else ~/.local/state/runhistory/spool.",
        ),
    ] = None,
    only_list: Annotated[
        bool, typer.Option("--list", help="Show what is there, and send nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Send what programs that are gone have left on this machine.

    A program that logs keeps on disk what the gateway has not acknowledged yet. When it is killed,
    or ends while the gateway is away, that waits there, and so does the end of a run that could not
    be told. It is sent in order and under its old ids, so nothing is in the run twice; the run may
    be over. Programs that still run send theirs themselves, and the next program that logs sends
    what is left, too.

    A detached run (RUNHISTORY_MODE=detached) was recorded without a gateway. DIR, which it named,
    has all of it; it goes to the gateway that is set here, with the times of the recording.

    Exit code 1: something could not be sent, and stays where it is.

    \b
    Examples:
      runhistory sync --list
      runhistory sync
      runhistory sync /scratch/job-17/spool
      runhistory sync .runhistory/detached/20261124-101500-3f9a1c2e
    """
    from runhistory.sdk.errors import InvalidConfig
    from runhistory.sdk.limits import spool_root
    from runhistory.sdk.spool_folder import folders

    root = directory or spool_root()
    if root is None:
        raise InvalidConfig("RUNHISTORY_SPOOL is off, so nothing is kept here.")
    if directory is not None and not directory.is_dir():
        raise InvalidConfig(f"{directory} is no folder. `runhistory sync --list` shows the spool.")
    if (root / "writer.json").exists():
        found = [root]
    else:  # a spool, a detached run, or a folder of these
        found = folders(root) or [
            one for inner in sorted(root.glob("*/")) for one in folders(inner)
        ]
    rows = [row for folder in found if (row := _one(folder, only_list=only_list)) is not None]
    if as_json:
        console.say_json(rows)
    elif not rows:
        console.note(f"Nothing waits in {root}.")
    if any(row["state"] == "kept" for row in rows) and not only_list:
        raise typer.Exit(1)


def _one(folder: Path, *, only_list: bool) -> dict[str, Any] | None:
    """Send what one writer left, or say what it is."""
    from runhistory.sdk.errors import NotFound, RunHistoryError
    from runhistory.sdk.spool_folder import adopt, owner_of
    from runhistory.sdk.sync import send

    row: dict[str, Any]
    with adopt(folder) as left:
        if left is None:
            if (owner := owner_of(folder)) is None:
                return None
            row = {"run_id": owner.run_id, "writer": owner.writer, "state": "in use"}
            console.note(
                f"{_name(owner)}: in use, by process {owner.process} on {owner.host}, which sends "
                "what it logs itself, or by another sync."
            )
            return row
        owner, said = left.owner, left.said
        if not said and not left.has_damage and not left.is_detached:
            if not only_list:
                left.remove()  # it was killed with nothing left to send
            return None
        row = {"run_id": owner.run_id, "writer": owner.writer, "folder": str(folder)}
        row |= {stream: spool.items for stream, spool in left.spools.items()}
        if only_list:
            since = words.moment(_rfc3339(owner.began))
            console.say(f"{_name(owner)}: {said}, begun {since}, in {folder}")
            return row | {"state": "kept"}
        try:
            url = _send(left, send)
        except (RunHistoryError, OSError) as error:
            is_unknown = isinstance(error, NotFound)
            console.error(
                f"{_name(owner)}: {left.said} stay in {folder}: {error}"
                + (" Delete the folder to give them up." if is_unknown else "")
            )
            return row | {"state": "kept"}
        console.say(f"{_name(owner)}: {said or 'nothing more'} sent to {url}.")
        return row | {"state": "sent"}


def _send(left: "Left", send: Any) -> str:
    with counting_bar(_name(left.owner)[:16], left.items) as advance:
        url: str = send(left, advance)
        return url


def _name(owner: "Owner") -> str:
    return f"Run {owner.run_id}" if owner.run_id else f"Detached, process {owner.process}"


def _rfc3339(seconds: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).isoformat()
