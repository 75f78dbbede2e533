"""What two snapshots have different: a unified diff of text files, the names of all others."""

from collections.abc import Callable
from typing import Final, Literal

from msgspec import Struct

from runhistory.snapshots.manifest import Directory, File, Link, Manifest

LARGE: Final = 1_048_576
"""Text files above this size are named, and not compared line by line."""

ReadBlob = Callable[[str], bytes]
"""The bytes of a blob by its SHA-256."""

Entry = File | Link | Directory


class FileChange(Struct, frozen=True, kw_only=True):
    """A file of the code. `lines` are a unified diff, or empty with the `reason` why."""

    path: str
    kind: Literal["added", "removed", "changed"]
    reason: str = ""
    lines: tuple[str, ...] = ()


def compare_code(
    old: Manifest, new: Manifest, read_old: ReadBlob, read_new: ReadBlob
) -> tuple[FileChange, ...]:
    """The files and links that are different, in the order of their paths; no bare folders."""
    before = {entry.path: entry for entry in old.entries}
    after = {entry.path: entry for entry in new.entries}
    found = []
    for path in sorted({*before, *after}):
        a, b = before.get(path), after.get(path)
        if a != b and not (isinstance(a or b, Directory) and isinstance(b or a, Directory)):
            found.append(_file_change(path, a, b, read_old, read_new))
    return tuple(found)


def _file_change(
    path: str, a: Entry | None, b: Entry | None, read_old: ReadBlob, read_new: ReadBlob
) -> FileChange:
    kind: Literal["added", "removed", "changed"]
    kind = "added" if a is None else "removed" if b is None else "changed"
    reason = _why_no_lines(a, b)
    if reason:
        return FileChange(path=path, kind=kind, reason=reason)
    texts = [
        _text(read(entry.sha256)) if isinstance(entry, File) else ""
        for entry, read in ((a, read_old), (b, read_new))
    ]
    if texts[0] is None or texts[1] is None:
        return FileChange(path=path, kind=kind, reason=f"binary, {_sizes(a, b)}")
    return FileChange(path=path, kind=kind, lines=_unified(path, texts[0], texts[1], a, b))


def _why_no_lines(a: Entry | None, b: Entry | None) -> str:
    """Why the entries are not compared line by line; empty when they are."""
    links = [entry.target for entry in (a, b) if isinstance(entry, Link)]
    if links:
        return f"a link to {' -> '.join(links)}"
    if isinstance(a, Directory) or isinstance(b, Directory):
        return "a folder, or in place of one"
    if isinstance(a, File) and isinstance(b, File) and a.sha256 == b.sha256:
        return f"mode {a.mode:o} -> {b.mode:o}"
    if any(isinstance(entry, File) and entry.size > LARGE for entry in (a, b)):
        return f"large, {_sizes(a, b)}"
    return ""


def _sizes(a: Entry | None, b: Entry | None) -> str:
    return " -> ".join(f"{entry.size:,} bytes" for entry in (a, b) if isinstance(entry, File))


def _text(data: bytes) -> str | None:
    """The bytes as text; None for what is none."""
    try:
        return None if b"\0" in data else data.decode()
    except UnicodeDecodeError:
        return None


def _unified(path: str, old: str, new: str, a: Entry | None, b: Entry | None) -> tuple[str, ...]:
    import difflib

    lines = difflib.unified_diff(
        old.splitlines(),
        new.splitlines(),
        f"a/{path}" if a else "/dev/null",
        f"b/{path}" if b else "/dev/null",
        lineterm="",
    )
    return tuple(lines)
