"""What a snapshot holds, as a value: its entries, its canonical bytes and its id.

One tree has one manifest: entries are sorted, every directory is an entry of its own, and the
bytes are canonical JSON. So the same tree gives the same `snapshot_id`, the SHA-256 of these
bytes. A manifest can come from anywhere, hence `decode` takes nothing on trust: what it returns
cannot write, nor point, outside of the directory it is checked out into.

Modes are the permission bits (0o777). Links have none.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from runhistory.domain.values import Sha256, Size, canonical_json

NEVER_IN: Final = frozenset({".git", ".runhistory"})
"""Names that no snapshot holds, at any level."""

MAX_LINK_HOPS: Final = 40
"""As Linux: a path that goes through more links cannot be opened."""

_MAX_PART: Final = 255  # bytes, as file systems have it
_MAX_PATH: Final = 4_095

Path = Annotated[str, Meta(min_length=1, max_length=_MAX_PATH)]
Mode = Annotated[int, Meta(ge=0, le=0o777)]


class SnapshotError(Exception):
    """Something about a snapshot is wrong; the message names the path and says what to do."""


class InvalidManifest(SnapshotError):
    """The manifest is not one that `scan` could have made, or it would escape its directory."""


class File(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="file"):
    """A plain file; `size` in bytes, the bytes themselves are the blob `sha256`."""

    path: Path
    mode: Mode
    size: Size
    sha256: Sha256


class Link(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="link"):
    """A symbolic link; `target` is relative to the link's own directory and stays inside."""

    path: Path
    target: Path


class Directory(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="directory"):
    """A directory, empty or not."""

    path: Path
    mode: Mode


Entry = File | Link | Directory


class Manifest(Struct, frozen=True, forbid_unknown_fields=True):
    """All entries of a snapshot, sorted by the UTF-8 bytes of their paths."""

    version: Literal[1]
    entries: tuple[Entry, ...]

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> "Manifest":
        """The manifest of `entries` in any order.

        Raises:
            InvalidManifest: they are not the entries of one tree, or a link leaves it.
        """
        manifest = cls(1, tuple(sorted(entries, key=_sort_key)))
        _check(manifest.entries)
        return manifest

    @classmethod
    def decode(cls, data: bytes) -> "Manifest":
        """The manifest with these canonical bytes.

        Raises:
            InvalidManifest: anything else than what `encode` gives for a valid manifest.
        """
        try:
            manifest = _decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidManifest(f"This is no manifest of a snapshot: {error}") from error
        _check(manifest.entries)
        if manifest.encode() != data:
            raise InvalidManifest(
                "The manifest's bytes are not canonical: fields in order, no blanks, no name twice."
            )
        return manifest

    def encode(self) -> bytes:
        """The canonical bytes."""
        return canonical_json(self)

    @property
    def snapshot_id(self) -> str:
        """SHA-256 of the canonical bytes, as 64 hex digits."""
        return hashlib.sha256(self.encode()).hexdigest()

    @property
    def files(self) -> tuple[File, ...]:
        """The plain files among the entries."""
        return tuple(entry for entry in self.entries if isinstance(entry, File))

    @property
    def blobs(self) -> dict[str, int]:
        """Size in bytes of each blob that the files need, by its SHA-256."""
        return {file.sha256: file.size for file in self.files}

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)


_decoder: Final = msgspec.json.Decoder(Manifest)


def _sort_key(entry: Entry) -> bytes:
    return _encoded(entry.path)


def _encoded(path: str) -> bytes:
    try:
        return path.encode()
    except UnicodeEncodeError as error:
        raise InvalidManifest(f"The path {path!r} is no UTF-8. Rename it.") from error


def _check(entries: tuple[Entry, ...]) -> None:
    seen: dict[str, Entry] = {}
    previous = b""
    for entry in entries:
        _check_path(entry.path)
        key = _sort_key(entry)
        if key == previous:
            raise InvalidManifest(f"The path {entry.path!r} stands twice.")
        if key < previous:
            raise InvalidManifest(f"The entries are not sorted: {entry.path!r} comes too late.")
        parent = entry.path.rpartition("/")[0]
        if parent and not isinstance(seen.get(parent), Directory):
            raise InvalidManifest(f"{entry.path!r} lies in {parent!r}, which is no directory.")
        seen[entry.path] = entry
        previous = key
    links = [entry for entry in entries if isinstance(entry, Link)]
    for others in ({}, seen):  # first those that leave by themselves: these are to be blamed
        for link in links:
            _check_link(link, others)


def _check_path(path: str) -> None:
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise InvalidManifest(f"The path {path!r} is absolute, climbs or has an empty part.")
    if "\0" in path or len(_encoded(path)) > _MAX_PATH:
        raise InvalidManifest(f"The path {path!r} holds a NUL or is too long.")
    if any(len(_encoded(part)) > _MAX_PART for part in parts):
        raise InvalidManifest(f"A part of the path {path!r} has more than {_MAX_PART} bytes.")
    if found := NEVER_IN.intersection(parts):
        raise InvalidManifest(f"{min(found)} is never part of a snapshot: {path!r}.")


def _check_link(link: Link, entries: Mapping[str, Entry]) -> None:
    if "\0" in link.target or len(_encoded(link.target)) > _MAX_PATH:
        raise InvalidManifest(f"The target of the link {link.path!r} is no path.")
    if escapes(link, entries):
        raise InvalidManifest(
            f"The link {link.path!r} -> {link.target!r} leads out of the snapshot. "
            "Point it inside with a relative path, or exclude it in .amlignore."
        )


def escapes(link: Link, entries: Mapping[str, Entry]) -> bool:
    """Whether following `link` leaves the root, through other links of the snapshot too.

    Names that are not in the snapshot count as plain directories: a dangling link may stay,
    one that climbs past the root through a missing name may not.
    """
    at = link.path.split("/")[:-1]
    pending = link.target.split("/")[::-1]
    if pending[-1] == "":
        return True
    hops = 1
    while pending:
        part = pending.pop()
        if part == "..":
            if not at:
                return True
            at.pop()
        elif part not in ("", "."):
            at.append(part)
            found = entries.get("/".join(at))
            if isinstance(found, Link):
                hops += 1
                if hops > MAX_LINK_HOPS:
                    return False  # a loop: the system refuses to follow it anywhere
                if found.target.startswith("/"):
                    return True
                at.pop()
                pending.extend(found.target.split("/")[::-1])
    return False
