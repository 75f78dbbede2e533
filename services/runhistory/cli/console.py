"""What the command line says: results on stdout, progress and errors on stderr.

Colour only on a terminal (and never with NO_COLOR). In a pipe a table is as wide as it needs to
be: nothing is cut off or folded, one line is one row.
"""

import json
import shlex
import shutil
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

from msgspec import Struct

if TYPE_CHECKING:
    from rich.console import Console

STATUS_STYLES: Final = {
    "Completed": "green",
    "Failed": "red",
    "Canceled": "yellow",
    "CancelRequested": "yellow",
    "NotResponding": "red",
    "Running": "cyan",
}


NAME: Final = "runhistory"
_AS_WIDE_AS_NEEDED: Final = 1_000_000


class Column(Struct, frozen=True):
    """A table's column."""

    name: str
    right: bool = False
    style: str = ""


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


def table(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
    """A table on stdout. On a terminal long cells are folded, never cut."""
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        drawn.add_column(
            Text(column.name),
            justify="right" if column.right else "left",
            style=column.style,
            overflow="fold",
            no_wrap=not is_terminal(sys.stdout),
        )
    for row in rows:
        drawn.add_row(*(Text(cell, style=STATUS_STYLES.get(cell, "")) for cell in row))
    if is_terminal(sys.stdout):
        _console(False).print(drawn)
        return
    from rich.console import Console

    in_a_pipe = Console(width=_AS_WIDE_AS_NEEDED, color_system=None)
    with in_a_pipe.capture() as captured:
        in_a_pipe.print(drawn)
    for line in captured.get().splitlines():
        raw(line.rstrip())


def is_terminal(stream: TextIO) -> bool:
    """Whether a person looks at it."""
    return stream.isatty()


def _pasteable(path: Path) -> str:
    """A path for a shell, from here when it lies below."""
    try:
        path = path.absolute().relative_to(Path.cwd())
    except ValueError:
        return shlex.quote(str(path))
    return shlex.quote(str(path) if len(path.parts) > 1 else f"./{path}")


def _line(text: str, style: str, *, to_stderr: bool) -> None:
    stream = sys.stderr if to_stderr else sys.stdout
    if not style or not is_terminal(stream):
        stream.write(text + "\n")
        stream.flush()
        return
    _console(to_stderr).print(text, style=style, soft_wrap=True)


@cache
def _console(to_stderr: bool) -> "Console":
    from rich.console import Console

    return Console(stderr=to_stderr, markup=False, highlight=False, emoji=False)
