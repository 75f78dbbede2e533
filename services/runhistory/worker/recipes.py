"""What an environment is made of, as far as that is known before it is built."""

import hashlib
import importlib.metadata
import platform
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from runhistory.domain.values import Environment, canonical_json
from runhistory.environments.installed import installed_lock
from runhistory.environments.lock import Lock, Package
from runhistory.worker.builder import EnvironmentFailed

REQUIREMENTS: Final = "requirements.txt"
SDK: Final = "runhistory"

_INCLUDE: Final = re.compile(r"^(?:-r|-c|--requirement|--constraint)[ =]*(?P<file>\S+)")
_FOLDER: Final = re.compile(r"^(?:-e|--editable)[ =]|^\.{0,2}/|^\.$|^file:|@ *(?:file:|\.{0,2}/)")


class Recipe(Struct, frozen=True, kw_only=True):
    """What an environment is made of. Equal recipes are one environment."""

    python: str
    """A version as uv takes it, or the path of the worker's own interpreter with its version."""
    lines: tuple[str, ...]
    base: tuple[str, ...]
    lock_sha256: str | None = None

    @property
    def hash(self) -> str:
        """SHA-256 of the recipe, shortened to 32 hex digits."""
        return hashlib.sha256(canonical_json(self)).hexdigest()[:32]

    @property
    def needs_checkout(self) -> bool:
        """Whether a requirement is a folder of the run's own code."""
        return any(_FOLDER.search(line) for line in self.lines)


class Wanted(Struct, frozen=True, kw_only=True):
    """A recipe, and how to tell uv: the text of its requirements, or None for requirements.txt.

    With a `lock`, that is installed, and nothing is resolved.
    """

    recipe: Recipe
    text: str | None
    checkout: Path
    python_version: str | None
    lock: Lock | None = None


def wanted_environment(
    spec: Environment, checkout: Path, lock: Lock | None = None
) -> Wanted | None:
    """What `spec` asks for, or None where the worker's own interpreter is meant.

    The packages of an earlier run's `lock`; else `requirements` of the spec, else the
    requirements.txt at the root of the checkout, else nothing. Paths are relative to the checkout.

    Raises:
        EnvironmentFailed: a requirements file names another that is not there, or the lock has
            packages that cannot be installed.
    """
    if lock is not None:
        return None if _is_own(spec, lock) else _locked(spec, checkout, lock)
    text = None
    if spec.requirements is not None:
        text = "".join(f"{line}\n" for line in spec.requirements)
    elif not (checkout / REQUIREMENTS).is_file():
        if spec.python_version is None:
            return None
        text = ""
    said = _read(checkout / REQUIREMENTS) if text is None else text
    recipe = Recipe(
        python=_python(spec.python_version),
        lines=tuple(_all_lines(said, checkout, ())),
        base=base_requirements(),
    )
    return Wanted(recipe=recipe, text=text, checkout=checkout, python_version=spec.python_version)


def base_requirements() -> tuple[str, ...]:
    """What the SDK needs, without its extras."""
    found = importlib.metadata.requires(SDK) or []
    return tuple(sorted(line for line in found if "extra ==" not in line))


def is_own_python(version: str | None) -> bool:
    """Whether the worker's own interpreter is this very version."""
    return version is None or version == platform.python_version()


def installable(lock: Lock) -> tuple[Package, ...]:
    """The packages of a lock that are installed: all but this SDK, which is linked.

    Raises:
        EnvironmentFailed: one came from a folder of the machine that the earlier run was on.
    """
    packages = tuple(package for package in lock.packages if package.name != SDK)
    folders = [package.name for package in packages if package.is_folder]
    if lock.kind == "interpreter" and folders:
        raise EnvironmentFailed(
            "The interpreter of the run that is repeated had packages that were installed from "
            f"folders of its machine, which no index has: {', '.join(folders)}. Build wheels of "
            "them for an index, or submit the code anew with a requirements.txt."
        )
    return packages


def _is_own(spec: Environment, lock: Lock) -> bool:
    return (
        lock.kind == "interpreter"
        and is_own_python(spec.python_version)
        and lock.sha256 == installed_lock().sha256
    )


def _locked(spec: Environment, checkout: Path, lock: Lock) -> Wanted:
    lines = (*lock.options, *(package.line for package in installable(lock)))
    recipe = Recipe(
        python=_python(None if is_own_python(spec.python_version) else spec.python_version),
        lines=lines,
        base=(),
        lock_sha256=lock.sha256,
    )
    text = lock.text if lock.kind == "resolved" else "".join(f"{line}\n" for line in lines)
    return Wanted(
        recipe=recipe,
        text=text,
        checkout=checkout,
        python_version=None if is_own_python(spec.python_version) else spec.python_version,
        lock=lock,
    )


def _python(version: str | None) -> str:
    return version or f"{platform.python_version()} {sys.base_prefix}"


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EnvironmentFailed(f"{file.name} cannot be read: {error}") from error


def _all_lines(text: str, folder: Path, above: tuple[Path, ...]) -> Iterator[str]:
    """The lines of `text` without comments and blanks, and those of the files that they name."""
    for raw in text.replace("\\\n", " ").splitlines():
        line = re.sub(r"(^|\s)#.*$", "", raw).strip()
        if not line:
            continue
        yield line
        match = _INCLUDE.match(line)
        if match is None or "://" in match["file"]:
            continue
        file = folder / match["file"]
        if file not in above:
            yield from _all_lines(_read(file), file.parent, (*above, file))
