"""The studio's built pages: files of one folder, read once and kept as they are sent.

`make studio` builds them into pages/ beside this module, and the wheel carries them. They are few
and small, so they are held in memory, pressed already; a new build is noticed by its index.html,
and until it is whole the old one is served.
"""

import gzip
import hashlib
import mimetypes
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

PAGES: Final = Path(__file__).parent / "pages"
INDEX: Final = "index.html"
ASSETS: Final = "assets/"
"""Names below it carry a digest of their content."""

_PRESSED: Final = ("text/", "application/json", "image/svg+xml")
_NOT_BUILT: Final = b"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>runhistory</title>
<h1>The studio's pages are not built</h1>
<p>Build them with <code>make studio</code> in a clone of runhistory, and load this page again.
What programs use, below <code>/api</code>, works without them.</p></html>
"""


class PageFile(Struct, frozen=True):
    """One file as it is sent; `pressed` by gzip, where that makes it smaller."""

    content: bytes
    pressed: bytes | None
    media_type: str
    etag: str
    is_immutable: bool


class StudioPages:
    """The files of `folder`, as the last whole build left them; not thread-safe."""

    def __init__(self, folder: Path = PAGES) -> None:
        self._folder = folder
        self._build: tuple[int, int] | None = None
        self._files: Mapping[str, PageFile] = {INDEX: _file(INDEX, _NOT_BUILT)}

    def find(self, name: str) -> PageFile | None:
        """A file by its name below the folder; None: the build has none.

        Names are looked up, never joined to a path, so none can climb out.
        """
        self._look()
        return self._files.get(name)

    def _look(self) -> None:
        try:
            status = (self._folder / INDEX).stat()
            build = (status.st_ino, status.st_mtime_ns)
            if build != self._build:
                self._files = _read(self._folder)
                self._build = build
        except FileNotFoundError:
            return  # not built, or just being replaced


def _read(folder: Path) -> dict[str, PageFile]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in paths}
    return {name: _file(name, path.read_bytes()) for name, path in names.items()}


def _file(name: str, content: bytes) -> PageFile:
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    pressed = gzip.compress(content, mtime=0) if media_type.startswith(_PRESSED) else content
    return PageFile(
        content=content,
        pressed=pressed if len(pressed) < len(content) else None,
        media_type=media_type,
        etag=f'"{hashlib.sha256(content).hexdigest()[:32]}"',
        is_immutable=name.startswith(ASSETS),
    )
