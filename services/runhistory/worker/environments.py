"""Python environments for scripts: built once with uv, kept by hash, used by any number of runs.

The hash covers what an environment is made of: the Python version, the lines of its requirements
(those of files that they name with -r and -c as well) and what this SDK itself needs. The SDK is
not installed: its requirements are, and a .pth file names a folder that holds nothing but a link
to the package, so scripts import the worker's own version of it.

An environment is built aside and renamed into place when all of it works; a build that was killed
leaves only a folder that the next build of this hash removes. Builds of one hash wait for each
other (flock, so a dead builder holds up nobody). Requirements that name folders (`-e .`, `./lib`)
mean the run's own checkout: such an environment belongs to the attempt and is not shared.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import importlib.metadata
import platform
import re
import shutil
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import IO, Final

from msgspec import Struct
from uv import find_uv_bin

from runhistory.domain.values import Environment, canonical_json
from runhistory.worker.processes import kill_marked
from runhistory.worker.variables import tool_variables

REQUIREMENTS: Final = "requirements.txt"
ERROR_LINES: Final = 40

_INCLUDE: Final = re.compile(r"^(?:-r|-c|--requirement|--constraint)[ =]*(?P<file>\S+)")
_FOLDER: Final = re.compile(r"^(?:-e|--editable)[ =]|^\.{0,2}/|^\.$|^file:|@ *(?:file:|\.{0,2}/)")


class EnvironmentFailed(Exception):
    """The environment cannot be built. `details` are the last lines of the builder's output."""

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


class Recipe(Struct, frozen=True, kw_only=True):
    """What an environment is made of. Equal recipes are one environment."""

    python: str
    """A version as uv takes it, or the path of the worker's own interpreter with its version."""
    lines: tuple[str, ...]
    base: tuple[str, ...]

    @property
    def hash(self) -> str:
        """SHA-256 of the recipe, shortened to 32 hex digits."""
        return hashlib.sha256(canonical_json(self)).hexdigest()[:32]

    @property
    def needs_checkout(self) -> bool:
        """Whether a requirement is a folder of the run's own code."""
        return any(_FOLDER.search(line) for line in self.lines)


class Wanted(Struct, frozen=True, kw_only=True):
    """A recipe, and how to tell uv: the text of its requirements, or None for requirements.txt."""

    recipe: Recipe
    text: str | None
    checkout: Path
    python_version: str | None


def wanted_environment(spec: Environment, checkout: Path) -> Wanted | None:
    """What `spec` asks for, or None where the worker's own interpreter is meant.

    `requirements` of the spec, else the requirements.txt at the root of the checkout, else
    nothing. Paths in either are relative to the checkout.

    Raises:
        EnvironmentFailed: a requirements file names another that is not there.
    """
    text = None
    if spec.requirements is not None:
        text = "".join(f"{line}\n" for line in spec.requirements)
    elif not (checkout / REQUIREMENTS).is_file():
        if spec.python_version is None:
            return None
        text = ""
    said = _read(checkout / REQUIREMENTS) if text is None else text
    recipe = Recipe(
        python=spec.python_version or f"{platform.python_version()} {sys.base_prefix}",
        lines=tuple(_all_lines(said, checkout, ())),
        base=base_requirements(),
    )
    return Wanted(recipe=recipe, text=text, checkout=checkout, python_version=spec.python_version)


def base_requirements() -> tuple[str, ...]:
    """What the SDK needs, without its extras."""
    found = importlib.metadata.requires("runhistory") or []
    return tuple(sorted(line for line in found if "extra ==" not in line))


class Environments:
    """The kept environments in one folder."""

    def __init__(self, folder: Path, sdk: Path) -> None:
        """`sdk` holds the link to the package."""
        self._folder, self._sdk = folder, sdk

    async def provide(self, wanted: Wanted, private: Path, builder: "Builder") -> tuple[Path, bool]:
        """The environment's folder, and whether it was there already.

        `private` is where an environment is made that cannot be shared. Cancelling it kills
        the builder's processes.

        Raises:
            EnvironmentFailed: the requirements cannot be resolved, or the result is no good.
        """
        if wanted.recipe.needs_checkout:
            await self._build(wanted, private, builder)
            return private, False
        target = self._folder / wanted.recipe.hash
        async with _locked(self._folder / f"{wanted.recipe.hash}.lock"):
            if (target / "bin" / "python").exists():  # false too when its base Python is gone
                return target, True
            building = self._folder / f"{wanted.recipe.hash}.building"
            for leftover in (building, target):
                await asyncio.to_thread(shutil.rmtree, leftover, ignore_errors=True)
            try:
                await self._build(wanted, building, builder)
                building.rename(target)
            finally:
                await asyncio.to_thread(shutil.rmtree, building, ignore_errors=True)
        return target, False

    async def _build(self, wanted: Wanted, target: Path, builder: "Builder") -> None:
        python, base = str(target / "bin" / "python"), target / "runhistory-requirements.txt"
        version = wanted.python_version or sys.executable
        uv = str(find_uv_bin())
        await builder.run(
            uv, "venv", "-q", "--relocatable", "--no-project", "--python", version, str(target),
            directory=wanted.checkout,
        )  # fmt: skip
        base.write_text("".join(f"{line}\n" for line in wanted.recipe.base), "utf-8")
        await builder.run(
            uv, "pip", "install", "--python", python,
            "-r", REQUIREMENTS if wanted.text is None else "-", "-r", str(base),
            directory=wanted.checkout, text=wanted.text or "",
        )  # fmt: skip
        self._add_sdk(target)
        await builder.run(python, "-I", "-c", "import runhistory.sdk", directory=wanted.checkout)

    def _add_sdk(self, target: Path) -> None:
        for site_packages in target.glob("lib/python*/site-packages"):
            (site_packages / "runhistory-sdk.pth").write_text(f"{self._sdk}\n", "utf-8")


class Builder:
    """Runs the tools that build, and tells each line of theirs."""

    def __init__(self, marks: dict[str, str], tell: Callable[[str], None]) -> None:
        """`marks` go into the environment of all that is started, and find it again."""
        self._marks, self._tell = marks, tell

    async def run(self, *command: str, directory: Path, text: str = "") -> None:
        """Run a tool to its end, with `text` on its standard input.

        Raises:
            EnvironmentFailed: it did not end well.
        """
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=directory,
            env=tool_variables(self._marks),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        last: deque[str] = deque(maxlen=ERROR_LINES)
        try:
            await self._feed(process, text)
            await self._follow(process, last)
        except BaseException:
            await asyncio.to_thread(kill_marked, self._marks)  # compilers that it started too
            await process.wait()
            raise
        if process.returncode != 0:
            tool = Path(command[0]).name
            raise EnvironmentFailed(
                f"The environment cannot be built: {tool} {command[1]} ended with code "
                f"{process.returncode}. Its last lines are in the details; correct the "
                "requirements and submit again.",
                "\n".join(last),
            )

    async def _feed(self, process: asyncio.subprocess.Process, text: str) -> None:
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            process.stdin.write(text.encode())
            await process.stdin.drain()
        process.stdin.close()

    async def _follow(self, process: asyncio.subprocess.Process, last: deque[str]) -> None:
        assert process.stdout is not None
        while line := await _read_line(process.stdout):
            text = line.decode(errors="replace").rstrip()
            last.append(text)
            self._tell(text)
        await process.wait()


async def _read_line(stream: asyncio.StreamReader) -> bytes:
    try:
        return await stream.readline()
    except ValueError:  # longer than the reader's limit; the reader has dropped it
        return b"\n"


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
