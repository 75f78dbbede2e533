"""What is installed in an interpreter, read from its packages' metadata; nothing is executed.

An installed package does not know the hash of the wheel that it came from. Its RECORD names the
SHA-256 of each of its files, though, and of these a digest is taken here: without what
installers add or change (bytecode, programs, their own notes), so pip and uv, one machine and
another come to the same digest for the same wheel. It says what was installed, not whether
somebody has changed the files since.
"""

import hashlib
import json
import platform
import re
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from runhistory.domain.values import ResolvedEnvironment
from runhistory.environments.lock import Lock, Package, interpreter_lock, normalized

_SITES: Final = ("site-packages", "dist-packages")
_NOT_OF_THE_WHEEL: Final = re.compile(
    r"^\.\.|^/|\.pyc$|\.dist-info/(?:INSTALLER|REQUESTED|RECORD|direct_url\.json|uv_\w+\.json)$"
)

_kept: dict[tuple[tuple[str, int], ...], Lock] = {}


def installed_lock(sites: Sequence[str] | None = None) -> Lock:
    """The packages in the folders `sites`; default: those that this interpreter imports from.

    Reads every package's metadata once (40 ms for 120 packages); again only when a folder
    has changed, as it does when something is installed.
    """
    folders = own_sites() if sites is None else tuple(sites)
    state = tuple((folder, _changed(folder)) for folder in folders)
    if state not in _kept:
        _kept.clear()  # what was before is not asked for again
        _kept[state] = interpreter_lock(_packages(folders))
    return _kept[state]


def own_sites() -> tuple[str, ...]:
    """The folders of packages that this interpreter imports from."""
    return tuple(folder for folder in sys.path if Path(folder).name in _SITES)


def described(
    lock: Lock, *, python_version: str | None = None, implementation: str | None = None
) -> ResolvedEnvironment:
    """What a script runs in on this machine; default: in this interpreter.

    The lock's text is still to be stored, under its digest.
    """
    return ResolvedEnvironment(
        python_version=python_version or platform.python_version(),
        implementation=implementation or platform.python_implementation(),
        platform=platform.platform(),
        machine=platform.machine(),
        packages_sha256=lock.sha256,
        packages_count=len(lock.packages),
    )


def _changed(folder: str) -> int:
    try:
        return Path(folder).stat().st_mtime_ns
    except OSError:
        return 0


def _packages(folders: Sequence[str]) -> Iterator[Package]:
    seen = set()
    for found in distributions(path=list(folders)):
        name = normalized(found.metadata["Name"] or "")
        if name and name not in seen:  # the first on the path is the one that is imported
            seen.add(name)
            yield _package(name, found)


def _package(name: str, found: Distribution) -> Package:
    url, is_folder = _origin(found)
    return Package(
        name=name,
        version=url or found.version,
        line=f"{name} @ {url}" if url else f"{name}=={found.version}",
        contents=_contents(found),
        is_folder=is_folder,
    )


def _origin(found: Distribution) -> tuple[str, bool]:
    """The URL that it was installed from, if it can be again; and whether that was a folder."""
    try:
        said = json.loads(found.read_text("direct_url.json") or "{}")
        url, folder, commit = said.get("url", ""), "dir_info" in said, said.get("vcs_info", {})
    except (ValueError, AttributeError):
        return "", False
    if folder or url.startswith("file:"):
        return "", folder
    if commit:
        return f"{commit.get('vcs', 'git')}+{_public(url)}@{commit.get('commit_id', '')}", False
    return _public(url), False


def _public(url: str) -> str:
    """The URL without what stands before the `@` of its host: that may be a token."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _contents(found: Distribution) -> str | None:
    record = found.read_text("RECORD")
    if not record:
        return None
    rows = (row for row in record.splitlines() if row)
    files = sorted(row for row in rows if not _NOT_OF_THE_WHEEL.search(_path(row)))
    return hashlib.sha256("\n".join(files).encode()).hexdigest()


def _path(row: str) -> str:
    """The path of a RECORD's row, which is quoted where it holds a comma."""
    return row[1:].partition('",')[0] if row.startswith('"') else row.partition(",")[0]
