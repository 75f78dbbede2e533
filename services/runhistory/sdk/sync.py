"""Sending what processes that are gone have left in their spools (spool_folder.py).

The batches (of a detached run: the requests) go as they are, in order, under the ids that they have
had from the beginning: what the gateway has already counts once. It takes points of runs that are
over. Nobody else sends from the same spool meanwhile. What cannot be sent now (no gateway, no good
token, no such run) stays; what the gateway refuses for good is reported and goes. Delivery: every
batch at least once, in order.
"""

import contextlib
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from runhistory.sdk.address import Address, find_address, from_environment
from runhistory.sdk.batch import Batch
from runhistory.sdk.detached_sync import Replay
from runhistory.sdk.errors import NotFound, RunHistoryError, Unauthorized, Unavailable
from runhistory.sdk.http import PATIENCE, Connection
from runhistory.sdk.limits import spool_settings
from runhistory.sdk.run_client import RunClient
from runhistory.sdk.spool_folder import END, Left, Owner, adopt, amount, folders

SendOne = Callable[[str, Batch], None]
Progress = Callable[[int], object]
"""So many points and records more are done with."""

logger: Final = logging.getLogger("runhistory")


def send(left: Left, progress: Progress = lambda items: None, patience: float = PATIENCE) -> str:
    """Send all that a writer left, then delete its folder. Returns the URL that it went to.

    Raises:
        RunHistoryError: not everything could be sent; the rest stays, in order.
    """
    connection = Connection(_address(left))
    replay = Replay(left.path, connection, patience) if left.is_detached else None
    try:
        send_one = replay.send_one if replay else _deliver(left, connection, patience)
        for stream, spool in left.spools.items():
            while (batch := spool.first()) is not None:
                try:
                    send_one(stream, batch)
                except RunHistoryError as error:
                    if not _is_final(error):
                        raise
                    _report_refusal(left.owner, stream, batch, error)
                spool.done(batch)
                progress(batch.items)
        if replay:
            replay.end_open_runs()
    finally:
        connection.close()
    _report_damage(left)
    left.remove()
    if left.is_detached:
        with contextlib.suppress(OSError):  # another process's is still there
            left.path.parent.rmdir()
    return connection.address.url


def _deliver(left: Left, connection: Connection, patience: float) -> SendOne:
    """How a writer's batches go."""
    owner = left.owner
    client = RunClient(connection, owner.run_id)

    def send_one(stream: str, batch: Batch) -> None:
        if stream == END:
            client.send_command(batch.body, patience)
        elif stream == "points":
            client.send_points(owner.attempt, batch.body, patience)
        else:
            client.send_records(owner.attempt, batch, patience)

    return send_one


def send_in_background() -> None:
    """Send what is left, quietly and with one try for each writer, in a thread of its own."""
    settings = spool_settings()
    if settings.root is None or not settings.root.is_dir():
        return
    thread = threading.Thread(
        target=_send_all_quietly,
        args=(settings.root, settings.max_bytes),
        name="runhistory-sync",
        daemon=True,
    )
    with contextlib.suppress(RuntimeError):  # the interpreter is ending
        thread.start()


def _send_all_quietly(root: Path, most_bytes: int) -> None:
    """The limit of a spool is for each writer, so it is said when those that are gone have left
    `most_bytes` together."""
    stays, why = [], ""
    for folder in folders(root):
        try:
            with adopt(folder) as left:
                if left is not None:
                    send(left, patience=0.0)
        except (RunHistoryError, OSError) as error:
            logger.debug("runhistory: what is left in %s stays there: %s", folder, error)
            stays.append(folder)
            why = str(error)
    size = sum(_size(folder) for folder in stays)
    if size > most_bytes:
        logger.warning(
            "runhistory: %d program(s) that are gone have left %s bytes in %s, which cannot be "
            "sent now. `runhistory sync --list` shows them and `runhistory sync` sends them; "
            "delete the folder of one to give it up. The last said: %s",
            len(stays),
            f"{size:,}",
            root,
            why,
        )


def _size(folder: Path) -> int:
    with contextlib.suppress(OSError):  # somebody else sends it meanwhile
        return sum(path.stat().st_size for path in folder.glob("*.seg"))
    return 0


def _address(left: Left) -> Address:
    """Where it was to go; with the token of today, if one is set for that gateway."""
    owner, token = left.owner, left.owner.token
    if left.is_detached:  # where it ran there may have been no gateway at all
        here = find_address()
        return Address(here.url, owner.workspace, here.token, here.origin, here.file)
    try:
        here = from_environment()
        if here.url == owner.url and here.token:
            token = here.token
    except RunHistoryError:
        pass
    return Address(owner.url, owner.workspace, token, origin=f"{left.path / 'writer.json'}")


def _is_final(error: RunHistoryError) -> bool:
    """Whether it would be refused for ever. Of a run that is not there nobody knows: the gateway
    may be another one under the same address."""
    if isinstance(error, NotFound):
        return error.status == 410
    return not isinstance(error, Unavailable | Unauthorized)


def _report_refusal(owner: Owner, stream: str, batch: Batch, error: RunHistoryError) -> None:
    logger.error(
        "runhistory: REFUSED, so lost: %s, run %s (writer %s, seq %d): %s",
        amount(batch.items, stream),
        owner.run_id or "(detached)",
        owner.writer,
        batch.seq,
        error,
    )


def _report_damage(left: Left) -> None:
    for spool in left.spools.values():
        for damage in spool.damage:
            logger.warning(
                "runhistory: the last %s bytes of %s of run %s were cut off or altered and are "
                "not sent: what was being written when the process was killed. They are kept in "
                "%s.",
                f"{damage.size - damage.offset:,}",
                damage.path.name,
                left.owner.run_id,
                left.path.parent / "damaged",
            )
