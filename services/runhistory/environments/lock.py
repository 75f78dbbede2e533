r"""Locks: every package of an environment at its exact version, as a pip requirements file.

There are two kinds, told apart by the first line:

    # runhistory lock 1: resolved        what uv resolved, installed from this very text: each
    idna==3.10 \                         package with the SHA-256 of all distributions that
        --hash=sha256:…                  its index had for the version

    # runhistory lock 1: interpreter     what was found in an interpreter that others made: each
    idna==3.10  # contents sha256:…      package with a digest of its files, which tells whether
                                         another installation of it is the same

Options of the requirements (`--find-links`, `--extra-index-url`, …) stand as they were given. A
package of the run's own code (`./lib`, `-e .`) and one of git has no hash: the snapshot's id
and the commit say which it is.
"""

import hashlib
import re
from collections.abc import Iterator
from functools import cached_property
from typing import Final, Literal

from msgspec import Struct

Kind = Literal["resolved", "interpreter"]

HEADER: Final = "# runhistory lock 1: "
_HASH: Final = re.compile(r"--hash[= ]sha256:([0-9a-f]{64})")
_CONTENTS: Final = re.compile(r"#.*\bcontents sha256:([0-9a-f]{64})")
_FOLDER: Final = "# from a folder"
_NAMED: Final = re.compile(
    r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*"
    r"(?:==\s*(?P<version>[^\s;\\]+)|@\s*(?P<url>\S+))?"
)


class InvalidLock(Exception):
    """The text is no lock."""


class Package(Struct, frozen=True, kw_only=True):
    """One package of a lock. `line` is its requirement without hashes and comments.

    `version` is the URL for one that is named by URL, and empty for a folder of the code.
    """

    name: str
    version: str
    line: str
    hashes: tuple[str, ...] = ()
    contents: str | None = None
    is_folder: bool = False


class Lock(Struct, frozen=True, dict=True):
    """A lock's text and what it says."""

    text: str

    @cached_property
    def kind(self) -> Kind:
        """Whether it was resolved, or found in an interpreter."""
        return "interpreter" if self.text.startswith(f"{HEADER}interpreter") else "resolved"

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of the text: two locks with one digest are the same packages."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @cached_property
    def packages(self) -> tuple[Package, ...]:
        """Its packages in the order in which they stand."""
        found = (_package(line) for line in joined_lines(self.text))
        return tuple(package for package in found if package)

    @cached_property
    def options(self) -> tuple[str, ...]:
        """The lines that are options to the installer."""
        return tuple(line for line in joined_lines(self.text) if is_option(line))

    @property
    def versions(self) -> dict[str, str]:
        """{name: version}."""
        return {package.name: package.version for package in self.packages}

    @property
    def is_hashed(self) -> bool:
        """Whether every package has the hash of a distribution."""
        return all(package.hashes for package in self.packages)


def parse_lock(text: str) -> Lock:
    """The lock with this text.

    Raises:
        InvalidLock: it does not begin as one does.
    """
    if not text.startswith((f"{HEADER}resolved\n", f"{HEADER}interpreter\n")):
        raise InvalidLock("It does not begin as a lock of runhistory does.")
    return Lock(text)


def resolved_lock(output: str, requirements: tuple[str, ...]) -> Lock:
    """The lock for what a resolver wrote.

    `requirements` are the lines that it was given: their options are kept, and where they name
    hashes, only those are.

    Raises:
        InvalidLock: for a package the index has none of the hashes that the requirements name.
    """
    wanted = _wanted_hashes(requirements)
    lines = [f"{HEADER}resolved", *(line for line in requirements if is_option(line))]
    for line in joined_lines(output):
        package = _package(line)
        if package is None:
            continue
        lines.append(_hashed(package, wanted.get(package.name)))
    return Lock("".join(f"{line}\n" for line in lines))


def interpreter_lock(packages: Iterator[Package]) -> Lock:
    """The lock for what was found in an interpreter."""
    lines = [f"{HEADER}interpreter"]
    for package in sorted(packages, key=lambda one: one.name):
        contents = f"contents sha256:{package.contents}" if package.contents else ""
        said = _FOLDER if package.is_folder else f"# {contents}" if contents else ""
        lines.append(f"{package.line}  {said}".rstrip())
    return Lock("".join(f"{line}\n" for line in lines))


def joined_lines(text: str) -> list[str]:
    """The lines of a requirements file that are not only a comment; continued ones as one."""
    lines = (line.strip() for line in text.replace("\\\n", " ").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def is_option(line: str) -> bool:
    """Whether the line tells the installer how to install, not what."""
    option = re.match(r"^(--?[a-z-]+)", line)
    return option is not None and option[1] not in {
        "-e", "--editable", "-r", "--requirement", "-c", "--constraint",
    }  # fmt: skip


def normalized(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _package(line: str) -> Package | None:
    if is_option(line):
        return None
    contents = _CONTENTS.search(line)
    requirement = re.sub(r"\s+#.*$", "", line)
    bare = re.sub(r"\s*--hash[= ]\S+", "", requirement).strip()
    named = None if bare.startswith(("-", ".", "/", "file:")) else _NAMED.match(bare)
    return Package(
        name=normalized(named["name"]) if named else bare,
        version=(named["version"] or named["url"] or "") if named else "",
        line=bare,
        hashes=tuple(_HASH.findall(requirement)),
        contents=contents[1] if contents else None,
        is_folder=named is None or line.endswith(_FOLDER),
    )


def _wanted_hashes(requirements: tuple[str, ...]) -> dict[str, set[str]]:
    """{name: hashes} of the requirements that name some."""
    found: dict[str, set[str]] = {}
    for line in requirements:
        if "--hash" in line and (package := _package(line)):
            found.setdefault(package.name, set()).update(package.hashes)
    return found


def _hashed(package: Package, wanted: set[str] | None) -> str:
    hashes = [one for one in package.hashes if wanted is None or one in wanted]
    if wanted is not None and not hashes:
        raise InvalidLock(
            f"The requirements allow {package.name} only with SHA-256 hashes that none of its "
            f"distributions of version {package.version} has."
        )
    return " \\\n".join([package.line, *(f"    --hash=sha256:{one}" for one in hashes)])
