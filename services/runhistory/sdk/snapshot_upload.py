"""A snapshot to the gateway: only what is missing there, several blobs at a time, manifest last.

Blobs and manifests are named by their digest, so sending one twice is harmless, and a manifest
is kept only when all of its blobs are: there is no half-uploaded snapshot.
"""

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from runhistory.sdk.errors import InvalidConfig, InvalidRequest, RunHistoryError
from runhistory.sdk.http import Connection
from runhistory.sdk.limits import snapshot_limits

if TYPE_CHECKING:
    from runhistory.snapshots import Tree

AT_ONCE: Final = 8
DIGESTS_A_REQUEST: Final = 10_000

Progress = Callable[[int, int], None]
"""Called with (bytes sent, bytes to send) as uploading goes on, from one thread: the caller's."""


def keep_snapshot(connection: Connection, path: Path) -> str:
    """See that the gateway has the snapshot of a folder, or of a single file; returns its id.

    Raises:
        InvalidConfig: it cannot be taken.
        RunHistoryError: it cannot be sent.
    """
    from tempfile import TemporaryDirectory

    if not path.is_file():
        from runhistory.sdk.secrets import check_secrets

        tree = scan_folder(path)
        check_secrets(tree, None)
        return upload_snapshot(connection, tree)
    import shutil

    with TemporaryDirectory() as folder:
        shutil.copy(path, folder)
        return upload_snapshot(connection, scan_folder(folder))


def scan_folder(folder: str | os.PathLike[str]) -> "Tree":
    """What is in the folder's snapshot.

    Raises:
        InvalidConfig: it cannot be taken.
    """
    from runhistory.snapshots import SnapshotError, scan

    try:
        return scan(folder, **snapshot_limits())
    except SnapshotError as error:
        raise InvalidConfig(str(error)) from error


def upload_snapshot(connection: Connection, tree: "Tree", progress: Progress | None = None) -> str:
    """See that the gateway has the tree's snapshot; returns its id.

    Raises:
        RunHistoryError: it cannot be sent, or a file changed since the scan.
    """
    from concurrent.futures import ThreadPoolExecutor, as_completed

    sizes = tree.manifest.blobs
    missing = list(_missing(connection, list(sizes)))
    sent, total = 0, sum(sizes[sha256] for sha256 in missing)
    if progress:
        progress(sent, total)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        uploads = {pool.submit(_upload, connection, tree, sha256): sha256 for sha256 in missing}
        try:
            for upload in as_completed(uploads):
                upload.result()
                sent += sizes[uploads[upload]]
                if progress:
                    progress(sent, total)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # the others, after an error
    connection.put(f"/snapshots/{tree.snapshot_id}", tree.manifest.encode())
    return tree.snapshot_id


def _missing(connection: Connection, digests: list[str]) -> Iterator[str]:
    remaining = iter(digests)
    while some := list(itertools.islice(remaining, DIGESTS_A_REQUEST)):
        yield from connection.send("POST", "/blobs/missing", {"sha256": some})["missing"]


def _upload(connection: Connection, tree: "Tree", sha256: str) -> None:
    path = tree.paths[sha256]
    try:
        connection.put(f"/blobs/{sha256}", lambda: tree.open_blob(sha256))
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read any more: {error}. Submit again.") from error
    except RunHistoryError as error:
        if error.code != "digest_mismatch":
            raise
        raise InvalidRequest(
            f"{path} changed while it was being sent. Submit again when nothing writes to it.",
            code=error.code,
            status=error.status,
        ) from error
