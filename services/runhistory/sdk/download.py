"""Bytes from the gateway to a file: never half a file under its name, never other bytes."""

import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from runhistory.sdk.errors import RunHistoryError, Unavailable
from runhistory.sdk.http import PATIENCE, Connection


def download(
    connection: Connection,
    path: str,
    destination: Path,
    *,
    sha256: str | None = None,
    progress: Callable[[int], None] = lambda so_far: None,
    **query: Any,
) -> None:
    """Write the answer to a GET to `destination`, whose folders are made; begun anew when the
    connection breaks. `progress` hears how many bytes are there. The bytes must have the digest
    `sha256` (else the one that ETag promises).

    Raises:
        RunHistoryError: the gateway refuses or does not answer, or sends other bytes.
        OSError: the file cannot be written.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(
        dir=destination.parent, prefix=f".{destination.name[:200]}."
    )
    try:
        with open(handle, "w+b") as file:  # noqa: PTH123 - a descriptor has no Path
            for tried in _tries():
                file.seek(0)
                file.truncate()
                try:
                    digest, promised = _fetch(connection, path, file, query, progress)
                    break
                except Unavailable:
                    if tried > PATIENCE:
                        raise
        if (sha256 or promised) not in (None, digest):
            raise RunHistoryError(
                f"The bytes of {path} are not those that were kept. Try again; if it happens "
                "again, the object store is damaged.",
                code="digest_mismatch",
            )
        _open_to_others(temporary)
        os.replace(temporary, destination)  # noqa: PTH105
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _tries() -> Iterator[float]:
    """Seconds since the first try, with a growing pause before each further one."""
    began, pause = time.monotonic(), 0.1
    while True:
        yield time.monotonic() - began
        time.sleep(pause)
        pause = min(pause * 2, 2.0)


def _fetch(
    connection: Connection,
    path: str,
    file: Any,
    query: dict[str, Any],
    progress: Callable[[int], None],
) -> tuple[str, str | None]:
    """The digest of what came, and the one that was promised."""
    digest = hashlib.sha256()
    with connection.stream(path, **query) as answer:
        for piece in answer.iter_bytes(1_048_576):
            digest.update(piece)
            file.write(piece)
            progress(file.tell())
        etag = answer.headers.get("etag", "").strip('"')
    return digest.hexdigest(), etag if len(etag) == 64 else None


def _open_to_others(path: str) -> None:
    """Give a temporary file the mode that a plain new file would have."""
    mask = os.umask(0)
    os.umask(mask)
    os.chmod(path, 0o666 & ~mask)  # noqa: PTH101
