"""What the command line says: results on stdout, progress and errors on stderr.

Colour and bold only on a terminal, and not where NO_COLOR is set. In a pipe a table is as wide as
it needs to be: nothing is cut off or folded, one line is one row.
"""

import json
import os
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
_GAP: Final = 2  # characters between columns
_FOLDED: Final = 8  # characters that a folded column has at least


class Column(Struct, frozen=True):
    """A table's column. On a narrow terminal the cells of one that is `whole` stay in one line, so
    that they can be copied, and one that is `optional` is left out."""

    name: str
    right: bool = False
    style: str = ""
    whole: bool = False
    optional: bool = False


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
    """A table on stdout. On a terminal optional columns go, the first one first, until there is
    room; then long cells are folded, never cut."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = list(rows)
    widths = [_width(column, number, rows) for number, column in enumerate(columns)]
    if is_terminal(sys.stdout):
        room = shutil.get_terminal_size().columns
        kept = _kept(columns, widths, room)
        columns = [columns[number] for number in kept]
        rows = [[row[number] for number in kept] for row in rows]
        widths = _shrunk(columns, [widths[number] for number in kept], room)
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for column, width in zip(columns, widths, strict=True):
        drawn.add_column(
            Text(column.name),
            justify="right" if column.right else "left",
            style=column.style,
            overflow="fold",
            width=width,
        )
    total = sum(widths) + _GAP * len(widths)
    for row in rows:
        drawn.add_row(*(Text(cell, style=STATUS_STYLES.get(cell, "")) for cell in row))
    if _is_styled(sys.stdout):
        Console(width=total).print(drawn)
        return
    plain = Console(width=total, color_system=None)
    with plain.capture() as captured:
        plain.print(drawn)
    for line in captured.get().splitlines():
        raw(line.rstrip())


def _kept(columns: Sequence[Column], widths: Sequence[int], room: int) -> list[int]:
    """The numbers of the columns that are shown."""
    kept = list(range(len(columns)))
    for number, column in enumerate(columns):
        if column.optional and sum(widths[one] + _GAP for one in kept) - _GAP > room:
            kept.remove(number)
    return kept


def _shrunk(columns: Sequence[Column], widths: Sequence[int], room: int) -> list[int]:
    """The widths that fit `room`, where folding the cells that may be folded is enough for it."""
    found = list(widths)
    over = sum(found) + _GAP * (len(found) - 1) - room
    while over > 0:
        slack = [
            0 if column.whole else width - max(len(column.name), min(width, _FOLDED))
            for column, width in zip(columns, found, strict=True)
        ]
        if not any(slack):
            break
        widest = slack.index(max(slack))
        taken = min(over, slack[widest])
        found[widest] -= taken
        over -= taken
    return found


def _width(column: Column, number: int, rows: Sequence[Sequence[str]]) -> int:
    from rich.cells import cell_len

    return max(map(cell_len, (column.name, *(row[number] for row in rows))))


def is_terminal(stream: TextIO) -> bool:
    """Whether a person looks at it."""
    return stream.isatty()


def _is_styled(stream: TextIO) -> bool:
    """Whether to use colour, bold and the like: not where NO_COLOR says anything."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR")


def width() -> int | None:
    """How many characters fit into a line of stdout; None in a pipe, where all do."""
    return shutil.get_terminal_size().columns if is_terminal(sys.stdout) else None


def _pasteable(path: Path) -> str:
    """A path for a shell, from here when it lies below."""
    try:
        path = path.absolute().relative_to(Path.cwd())
    except ValueError:
        return shlex.quote(str(path))
    return shlex.quote(str(path) if len(path.parts) > 1 else f"./{path}")


def _line(text: str, style: str, *, to_stderr: bool) -> None:
    stream = sys.stderr if to_stderr else sys.stdout
    if not style or not _is_styled(stream):
        stream.write(text + "\n")
        stream.flush()
        return
    _console(to_stderr).print(text, style=style, soft_wrap=True)


@cache
def _console(to_stderr: bool) -> "Console":
    from rich.console import Console

    return Console(stderr=to_stderr, markup=False, highlight=False, emoji=False)
