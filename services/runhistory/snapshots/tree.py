"""What of a folder is in its snapshot: `scan(root)`.

`.amlignore` at the root decides, with git's meaning; without one the root's `.gitignore`; never
both, and never those of parents or subfolders. Put before its lines are `.venv` and the root's
`outputs` and `logs`, so a `!` brings these back. `.git` and `.runhistory` are never in.

Every directory that is not excluded is an entry, so empty ones survive. Permission bits are
kept as they are, except that the owner may always read (and enter and change a directory):
what is checked out can be scanned and deleted again. Sockets, pipes and devices are skipped and
listed in `Tree.skipped`.
"""

import heapq
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, Final

from runhistory.snapshots.ignore import IgnoreRules
from runhistory.snapshots.manifest import (
    NEVER_IN,
    Directory,
    Entry,
    File,
    InvalidManifest,
    Link,
    Manifest,
    SnapshotError,
)
from runhistory.snapshots.plain_file import KeepsChanging, digest_of, open_plain

IGNORE_FILES: Final = (".amlignore", ".gitignore")
DEFAULT_PATTERNS: Final = b".venv\n/outputs\n/logs\n"
MAX_FILES: Final = 100_000
MAX_BYTES: Final = 2**30
NAMED_FILES: Final = 5

_SKIPPED: Final = {
    stat.S_IFSOCK: "a socket",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class UnfitTree(SnapshotError):
    """The folder cannot be taken as it is; the message names the path and says what to do."""


@dataclass(frozen=True)
class Tree:
    """A folder as it was scanned. `skipped` says in words what was left out and why."""

    root: Path
    manifest: Manifest
    ignore_file: str | None
    skipped: tuple[str, ...] = ()

    @property
    def snapshot_id(self) -> str:
        """The id that this exact tree has everywhere."""
        return self.manifest.snapshot_id

    @cached_property
    def paths(self) -> dict[str, Path]:
        """For each blob (SHA-256) one file that had these bytes when it was scanned."""
        return {file.sha256: self.root / file.path for file in self.manifest.files}

    def open_blob(self, sha256: str) -> BinaryIO:
        """The file behind a blob, open for reading. It may have changed since: check the digest.

        Raises:
            KeyError: no file of the tree has this digest.
            OSError: the file is gone or has become something else.
        """
        return open_plain(self.paths[sha256])


def scan(
    root: str | os.PathLike[str],
    *,
    max_files: int = MAX_FILES,
    max_bytes: int = MAX_BYTES,
    progress: Callable[[int], None] | None = None,
) -> Tree:
    """Take stock of the folder `root`: reads every file that is in the snapshot once.

    `progress` is called with the number of bytes hashed since its last call.

    Raises:
        UnfitTree: no folder, too large, unreadable, a name that is no UTF-8, a file that keeps
            changing, or a link that leads out.
    """
    folder = Path(root)
    if not folder.is_dir():
        raise UnfitTree(f"{folder} is no folder. Name the folder that holds your code.")
    ignore_file, rules = _rules(folder)
    found, skipped = _walk(folder, rules)
    _check_limits(found, max_files, max_bytes, ignore_file)
    try:
        # Directories and links first: a link that leads out is refused before a file is read.
        skeleton = [_entry(folder, *one, progress) for one in found if not _is_file(one)]
        Manifest.of(skeleton)
        files = (_entry(folder, *one, progress) for one in found if _is_file(one))
        manifest = Manifest.of([*skeleton, *files])
    except InvalidManifest as error:
        raise UnfitTree(str(error)) from error
    return Tree(folder, manifest, ignore_file, tuple(skipped))


def _rules(folder: Path) -> tuple[str | None, IgnoreRules]:
    for name in IGNORE_FILES:
        path = folder / name
        if not os.path.lexists(path):
            continue
        try:
            with open_plain(path) as file:
                content = file.read()
        except OSError as error:
            raise UnfitTree(
                f"{name} cannot be read ({error.strerror}). Make it a plain, readable file."
            ) from error
        # Two files' worth of lines in one list: a byte order mark counts at the beginning only.
        return name, IgnoreRules.parse(DEFAULT_PATTERNS + content.removeprefix(b"\xef\xbb\xbf"))
    return None, IgnoreRules.parse(DEFAULT_PATTERNS)


Found = list[tuple[str, os.stat_result]]


def _is_file(one: tuple[str, os.stat_result]) -> bool:
    return stat.S_ISREG(one[1].st_mode)


def _walk(folder: Path, rules: IgnoreRules) -> tuple[Found, list[str]]:
    """Everything that is in, with what lstat says of it, and words about what was skipped."""
    found: Found = []
    skipped: list[str] = []
    pending = [""]
    while pending:
        prefix = pending.pop()
        for name, info in _children(folder / prefix):
            path, is_directory = prefix + name, stat.S_ISDIR(info.st_mode)
            if name in NEVER_IN or rules.excludes(os.fsencode(path), is_directory=is_directory):
                continue
            _check_name(path)
            if kind := _SKIPPED.get(stat.S_IFMT(info.st_mode)):
                skipped.append(f"{path} was left out: it is {kind}.")
                continue
            found.append((path, info))
            if is_directory:
                pending.append(path + "/")
    return found, sorted(skipped)


def _children(directory: Path) -> Iterator[tuple[str, os.stat_result]]:
    try:
        with os.scandir(directory) as children:
            listed = [(child.name, child.stat(follow_symlinks=False)) for child in children]
    except OSError as error:
        raise _unreadable(str(error.filename or directory), error) from error
    return iter(listed)


def _check_name(path: str) -> None:
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise UnfitTree(
            f"The name {os.fsencode(path)!r} is no UTF-8. Rename it, or exclude it in .amlignore."
        ) from error


def _check_limits(found: Found, max_files: int, max_bytes: int, ignore_file: str | None) -> None:
    sizes = {path: info.st_size for path, info in found if stat.S_ISREG(info.st_mode)}
    total = sum(sizes.values())
    if len(found) <= max_files and total <= max_bytes:
        return
    by_top: dict[str, tuple[int, int]] = {}
    for path, _ in found:
        top = path.partition("/")[0]
        size, count = by_top.get(top, (0, 0))
        by_top[top] = (size + sizes.get(path, 0), count + 1)
    measure = 0 if total > max_bytes else 1
    largest = sorted(by_top.items(), key=lambda item: item[1][measure], reverse=True)[:3]
    named = ", ".join(
        f"{name} ({count:,} {'entry' if count == 1 else 'entries'}, {size / 2**20:,.1f} MiB)"
        for name, (size, count) in largest
    )
    raise UnfitTree(
        f"The snapshot would have {len(found):,} entries and {total / 2**20:,.1f} MiB; at most "
        f"{max_files:,} and {max_bytes / 2**20:,.0f} MiB are allowed. Largest: {named}. "
        f"Largest files: {_largest_files(sizes)}. "
        f"Exclude what the run does not need in {ignore_file or '.amlignore'}, or allow more with "
        "RUNHISTORY_MAX_SNAPSHOT_BYTES and RUNHISTORY_MAX_SNAPSHOT_FILES."
    )


def _largest_files(sizes: dict[str, int]) -> str:
    largest = heapq.nlargest(NAMED_FILES, sizes.items(), key=lambda item: item[1])
    return ", ".join(f"{path} ({size / 2**20:,.1f} MiB)" for path, size in largest)


def _entry(
    folder: Path, path: str, info: os.stat_result, progress: Callable[[int], None] | None
) -> Entry:
    mode = stat.S_IMODE(info.st_mode) & 0o777
    try:
        if stat.S_ISDIR(info.st_mode):
            return Directory(path, mode | stat.S_IRWXU)
        if stat.S_ISLNK(info.st_mode):
            return Link(path, _checked_target(path, os.readlink(folder / path)))  # noqa: PTH115 - Path would change it
        size, sha256 = digest_of(folder / path, progress)
        return File(path, mode | stat.S_IRUSR, size, sha256)
    except KeepsChanging as error:
        raise UnfitTree(
            f"{path!r} changes while it is read. Stop what writes to it, or exclude it in "
            ".amlignore."
        ) from error
    except OSError as error:
        raise _unreadable(path, error) from error


def _checked_target(path: str, target: str) -> str:
    try:
        target.encode()
    except UnicodeEncodeError as error:
        raise UnfitTree(
            f"The target of the link {path!r} is no UTF-8. Exclude it in .amlignore."
        ) from error
    return target


def _unreadable(path: str, error: OSError) -> UnfitTree:
    reason = error.strerror or str(error)
    return UnfitTree(
        f"{path!r} cannot be read ({reason}). Make it readable, or exclude it in .amlignore."
    )
