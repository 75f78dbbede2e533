"""What the command line says: results on stdout, progress and errors on stderr.

Control characters in it are spelled out, but for what a script printed itself (`raw`).
"""

import json
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any, Final

from runhistory.cli import terminal

NAME: Final = "runhistory"


def say(text: str = "", style: str = "") -> None:
    """A line of the result, on stdout."""
    _line(text, style, to_stderr=False)


def note(text: str, style: str = "dim") -> None:
    """A line about what is going on, on stderr: not part of the result."""
    _line(text, style, to_stderr=True)


def error(text: str) -> None:
    """Why it did not work and what to do, on stderr. The commands that it names can be pasted."""
    text = text.replace(f"`{NAME} ", f"`{program()} ")
    _line(f"Error: {text}", "red", to_stderr=True)


def program() -> str:
    """What to type to call this program again, for the commands that we suggest.

    Its name where PATH leads to it; else the path by which it was called, as from a virtual
    environment that is not activated.
    """
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return f"{_pasteable(Path(sys.executable))} -m runhistory.cli"
    found = shutil.which(NAME)
    if called.name != NAME or (found and Path(found).resolve() == called.resolve()):
        return NAME
    return _pasteable(called)


def raw(text: str, *, to_stderr: bool = False) -> None:
    """A line that is not ours (a script printed it), as it is."""
    stream = sys.stderr if to_stderr else sys.stdout
    stream.write(text + "\n")
    stream.flush()


def say_json(value: Any) -> None:
    """A result for programs."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def say_json_line(value: Any) -> None:
    """One of many results for programs: one line each, at once."""
    raw(json.dumps(value, ensure_ascii=False))


def _pasteable(path: Path) -> str:
    """A path for a shell, from here when it lies below."""
    try:
        path = path.absolute().relative_to(Path.cwd())
    except ValueError:
        return shlex.quote(str(path))
    return shlex.quote(str(path) if len(path.parts) > 1 else f"./{path}")


def _line(text: str, style: str, *, to_stderr: bool) -> None:
    stream = sys.stderr if to_stderr else sys.stdout
    text = terminal.harmless(text, allowed="\n\t")
    stream.write(terminal.styled(text, style, stream) + "\n")
    stream.flush()
