"""Python environments for scripts: built once with uv, kept by hash, used by any number of runs.

The hash covers what an environment is made of: the Python version, the lines of its requirements
(those of files that they name with -r and -c as well) and what this SDK itself needs. The SDK is
not installed: its requirements are, and a .pth file names a folder that holds nothing but a link
to the package, so scripts import the worker's own version of it.

First uv resolves everything to a lock with hashes; then that lock is installed, so what is
recorded of an environment is what is in it. The lock lies in the environment's folder. A run that
repeats another brings the other's lock, which is installed as it is: nothing is resolved then.
Where that lock is what was found in an interpreter, it has no hashes of distributions; the
installed packages' contents are compared with the recorded ones instead.

An environment is built aside and renamed into place when all of it works; a build that was killed
leaves only a folder that the next build of this hash removes. Builds of one hash wait for each
other (flock, so a dead builder holds up nobody). Requirements that name folders (`-e .`, `./lib`)
mean the run's own checkout: such an environment belongs to the attempt and is not shared.
"""

import asyncio
import contextlib
import fcntl
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO, Final

from msgspec import Struct
from uv import find_uv_bin

from runhistory.domain.values import ResolvedEnvironment
from runhistory.environments.installed import described, installed_lock
from runhistory.environments.lock import InvalidLock, Lock, parse_lock, resolved_lock
from runhistory.worker.builder import Builder, EnvironmentFailed
from runhistory.worker.recipes import REQUIREMENTS, Wanted, installable

LOCK: Final = "runhistory-lock.txt"
_BASE: Final = "runhistory-requirements.txt"
_NAMES_SHOWN: Final = 20


class Provided(Struct, frozen=True, kw_only=True):
    """An environment that is ready: its folder, what is in it, and whether it was there before."""

    folder: Path
    lock: Lock
    was_kept: bool

    @property
    def description(self) -> ResolvedEnvironment:
        """What a script runs in."""
        facts = _venv_facts(self.folder)
        return described(
            self.lock,
            python_version=facts.get("version_info"),
            implementation=facts.get("implementation"),
        )


class Environments:
    """The kept environments in one folder."""

    def __init__(self, folder: Path, sdk: Path) -> None:
        """`sdk` holds the link to the package."""
        self._folder, self._sdk = folder, sdk

    async def provide(self, wanted: Wanted, private: Path, builder: Builder) -> Provided:
        """The environment, built unless it is kept.

        `private` is where an environment is made that cannot be shared. Cancelling it kills
        the builder's processes.

        Raises:
            EnvironmentFailed: the requirements cannot be resolved, or the result is no good.
        """
        if wanted.recipe.needs_checkout:
            return await self._build(wanted, private, private, builder)
        target = self._folder / wanted.recipe.hash
        async with _locked(self._folder / f"{wanted.recipe.hash}.lock"):
            if kept := _kept(target):
                return kept
            building = self._folder / f"{wanted.recipe.hash}.building"
            for leftover in (building, target):
                await asyncio.to_thread(shutil.rmtree, leftover, ignore_errors=True)
            try:
                built = await self._build(wanted, building, target, builder)
                building.rename(target)
            finally:
                await asyncio.to_thread(shutil.rmtree, building, ignore_errors=True)
        return built

    async def _build(
        self, wanted: Wanted, folder: Path, target: Path, builder: Builder
    ) -> Provided:
        """Build in `folder` what will lie in `target`."""
        python = str(folder / "bin" / "python")
        await _make_venv(wanted, folder, builder)
        lock = wanted.lock or await _resolve(wanted, folder, builder)
        await _install(wanted, lock, python, builder)
        if lock.kind == "interpreter":
            _compare(lock, folder)
        self._add_sdk(folder)
        await builder.run(python, "-I", "-c", "import runhistory.sdk", directory=wanted.checkout)
        (folder / LOCK).write_text(lock.text, "utf-8")
        return Provided(folder=target, lock=lock, was_kept=False)

    def _add_sdk(self, target: Path) -> None:
        for site_packages in target.glob("lib/python*/site-packages"):
            (site_packages / "runhistory-sdk.pth").write_text(f"{self._sdk}\n", "utf-8")


def _kept(target: Path) -> Provided | None:
    """The environment that is there; None too when its base Python is gone, or it has no lock."""
    if not (target / "bin" / "python").exists():
        return None
    try:
        lock = parse_lock((target / LOCK).read_text("utf-8"))
    except (OSError, UnicodeDecodeError, InvalidLock):
        return None
    return Provided(folder=target, lock=lock, was_kept=True)


async def _make_venv(wanted: Wanted, folder: Path, builder: Builder) -> None:
    """An empty environment. For a recorded Python nothing is downloaded: it is here or it is not.

    Raises:
        EnvironmentFailed: there is no such Python.
    """
    recorded = wanted.lock is not None and wanted.python_version is not None
    try:
        await builder.run(
            str(find_uv_bin()), "venv", "-q", "--relocatable", "--no-project",
            *(["--no-python-downloads"] if recorded else []),
            "--python", wanted.python_version or sys.executable, str(folder),
            directory=wanted.checkout,
        )  # fmt: skip
    except EnvironmentFailed as error:
        if not recorded:
            raise
        raise EnvironmentFailed(
            f"The run that is repeated ran in Python {wanted.python_version}, which is not on this "
            "worker's machine. Install it there and reproduce again, or take the worker's "
            "Python with `runhistory reproduce RUN --any-python`.",
            error.details,
        ) from error


async def _resolve(wanted: Wanted, folder: Path, builder: Builder) -> Lock:
    base, output = folder / _BASE, folder / "runhistory-resolved.txt"
    base.write_text("".join(f"{line}\n" for line in wanted.recipe.base), "utf-8")
    await builder.run(
        str(find_uv_bin()), "pip", "compile", "-q", "--generate-hashes",
        "--no-header", "--no-annotate", "--python", str(folder / "bin" / "python"),
        "-o", str(output), REQUIREMENTS if wanted.text is None else "-", str(base),
        directory=wanted.checkout, text=wanted.text or "",
    )  # fmt: skip
    try:
        return resolved_lock(output.read_text("utf-8"), wanted.recipe.lines)
    except InvalidLock as error:
        raise EnvironmentFailed(f"The environment cannot be built. {error}") from error


async def _install(wanted: Wanted, lock: Lock, python: str, builder: Builder) -> None:
    """Install the lock, of which an earlier run's brings all that its packages need.

    Raises:
        EnvironmentFailed: an index has not (any more) what the lock names.
    """
    try:
        await builder.run(
            str(find_uv_bin()), "pip", "install", "--python", python,
            *(["--no-deps"] if wanted.lock else []),
            *(["--require-hashes"] if lock.is_hashed else []), "-r", "-",
            directory=wanted.checkout, text=(wanted.text if wanted.lock else None) or lock.text,
        )  # fmt: skip
    except EnvironmentFailed as error:
        if wanted.lock is None:
            raise
        raise EnvironmentFailed(
            "The packages of the run that is repeated cannot be had: the package index does not "
            "answer, or has no longer the very files that were installed then. The details name "
            "the package. Make its wheel available again, or submit the code anew.",
            error.details,
        ) from error


def _compare(lock: Lock, folder: Path) -> None:
    """See that the packages are those that were recorded, not only of their versions.

    Raises:
        EnvironmentFailed: some are not, or cannot be told; the message names them.
    """
    built = installed_lock([str(one) for one in folder.glob("lib/python*/site-packages")])
    found = {package.name: package.contents for package in built.packages}
    wrong = [
        package.name
        for package in installable(lock)
        if package.contents is None or found.get(package.name) != package.contents
    ]
    if wrong:
        more = ", …" if len(wrong) > _NAMES_SHOWN else ""
        raise EnvironmentFailed(
            "The interpreter of the run that is repeated cannot be rebuilt: of these packages the "
            "index has other files than that interpreter had, under the same version: "
            f"{', '.join(wrong[:_NAMES_SHOWN])}{more}."
        )


def _venv_facts(folder: Path) -> dict[str, str]:
    """What pyvenv.cfg says: `version_info`, `implementation`, …"""
    try:
        lines = (folder / "pyvenv.cfg").read_text("utf-8").splitlines()
    except OSError:
        return {}
    pairs = (line.partition("=") for line in lines)
    return {name.strip(): value.strip() for name, _, value in pairs}


@contextlib.asynccontextmanager
async def _locked(path: Path) -> AsyncIterator[IO[bytes]]:
    with path.open("ab") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(0.2)
        yield file
