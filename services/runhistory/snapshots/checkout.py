"""Put a snapshot's tree on disk: `checkout(manifest, open_blob, directory)`.

A new directory is built beside its place and renamed into it when all of it is there and every
digest was right, so nobody ever sees half a checkout. An empty one that exists stays the same
directory (it may be somebody's current one, or a mount): the tree is built in a folder inside it
and moved up at the end. Directories come first, then files, then links: while bytes are written
there is no link that they could go through. A crash leaves at most a folder `*.partial` behind.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from runhistory.snapshots.manifest import Directory, File, Link, Manifest, SnapshotError

OpenBlob = Callable[[str], Iterable[bytes]]
"""From a blob's SHA-256 to its bytes, in pieces of any length (an open binary file will do)."""


class CheckoutFailed(SnapshotError):
    """Nothing was checked out; the message says why."""


def checkout(manifest: Manifest, open_blob: OpenBlob, directory: str | os.PathLike[str]) -> None:
    """Create `directory` with exactly the snapshot's files, links, directories and modes.

    `directory` may exist if it is empty. Each blob is asked for once, in no promised order.
    What `open_blob` raises comes through unchanged.

    Raises:
        CheckoutFailed: the directory holds something, or a blob's bytes are not those that its
            digest promises.
        InvalidManifest: the manifest was put together by hand, and wrongly.
        OSError: the file system refuses (full, read-only).
    """
    target = Path(directory).absolute()
    if os.path.lexists(target) and not _is_empty_directory(target):
        raise CheckoutFailed(f"{target} is not an empty folder. Choose another, or empty it.")
    manifest = Manifest.of(manifest.entries)
    if target.is_dir():
        with _partial(".", target) as partial:
            _build(manifest, open_blob, partial)
            for child in list(partial.iterdir()):
                child.rename(target / child.name)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _partial(f".{target.name[:200]}.", target.parent) as partial:
            _build(manifest, open_blob, partial)
            partial.chmod(0o755)
            partial.rename(target)


@contextmanager
def _partial(prefix: str, parent: Path) -> Iterator[Path]:
    """A fresh folder, of which nothing is left under its name."""
    partial = Path(tempfile.mkdtemp(".partial", prefix, parent))
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _is_empty_directory(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and not any(path.iterdir())


def _build(manifest: Manifest, open_blob: OpenBlob, root: Path) -> None:
    directories = [entry for entry in manifest.entries if isinstance(entry, Directory)]
    for directory in directories:  # sorted, so a parent comes before its children
        (root / directory.path).mkdir(mode=0o700)
    written: dict[str, Path] = {}
    for file in manifest.files:
        _write_file(file, open_blob, root / file.path, written)
    for entry in manifest.entries:
        if isinstance(entry, Link):
            (root / entry.path).symlink_to(entry.target)
    for directory in directories:
        (root / directory.path).chmod(directory.mode)


def _write_file(file: File, open_blob: OpenBlob, path: Path, written: dict[str, Path]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        if same := written.get(file.sha256):
            with same.open("rb") as source:
                shutil.copyfileobj(source, stream)
        else:
            _write_blob(file, open_blob(file.sha256), stream.write)
        os.fchmod(stream.fileno(), file.mode)
    written.setdefault(file.sha256, path)


def _write_blob(file: File, pieces: Iterable[bytes], write: Callable[[bytes], object]) -> None:
    digest, size = hashlib.sha256(), 0
    for piece in pieces:
        size += len(piece)
        if size > file.size:
            break  # whatever sends more than was promised is not read to its end
        digest.update(piece)
        write(piece)
    if size != file.size or digest.hexdigest() != file.sha256:
        raise CheckoutFailed(
            f"The bytes of {file.path!r} are not those of blob {file.sha256} "
            f"({file.size} bytes): the store is damaged or another one."
        )
