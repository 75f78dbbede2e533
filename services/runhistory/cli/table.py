"""Tables on stdout, which fit the terminal.

On a terminal that is too narrow, optional columns go, the last one first; then long cells are
folded, those of the widest column first; and where even that is not enough, each row becomes a
block of lines, one for each column. Nothing is ever cut off. In a pipe a table is as wide as it
needs to be: one line is one row.
"""

import sys
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from runhistory.cli import terminal

STATUS_STYLES: Final = {
    "Completed": "green",
    "Failed": "red",
    "Canceled": "yellow",
    "CancelRequested": "yellow",
    "NotResponding": "red",
    "Running": "cyan",
}
_GAP: Final = 2  # characters between columns
_INDENT: Final = "  "


class Column(Struct, frozen=True):
    """A table's column.

    The cells of one that is `whole`, and of one that is `right` (numbers), stay in one line, so
    that they can be read and copied; others are folded to `least` characters if need be. An
    `optional` one is left out on a narrow terminal.
    """

    name: str
    right: bool = False
    style: str = ""
    whole: bool = False
    optional: bool = False
    least: int = 12

    @property
    def is_folded(self) -> bool:
        """Whether its cells may be folded."""
        return not self.whole and not self.right


def table(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
    """A table on stdout; control characters in a cell are spelled out."""
    cells = [[terminal.harmless(cell) for cell in row] for row in rows]
    widths = [_width(column, number, cells) for number, column in enumerate(columns)]
    kept: Sequence[int] = range(len(columns))
    room = terminal.width()
    if room is not None:
        kept = _kept(columns, widths, room)
        shrunk = _shrunk([columns[one] for one in kept], [widths[one] for one in kept], room)
        if shrunk is None:
            _print_blocks(columns, cells)
            return
        for number, width in zip(kept, shrunk, strict=True):
            widths[number] = width
    header = [Column(column.name, right=column.right, style="bold") for column in columns]
    _print_row(header, [column.name for column in columns], widths, kept)
    for row in cells:
        _print_row(columns, row, widths, kept)


def _print_row(
    columns: Sequence[Column], row: Sequence[str], widths: Sequence[int], kept: Sequence[int]
) -> None:
    folded = {number: _folded(row[number], widths[number]) for number in kept}
    for line in range(max(map(len, folded.values()), default=0)):
        pieces, blanks = [], 0
        for number in kept:
            column, lines = columns[number], folded[number]
            text = lines[line] if line < len(lines) else ""
            room = widths[number] - _cell_len(text)
            before, after = (room, 0) if column.right else (0, room)
            style = STATUS_STYLES.get(row[number], column.style)
            if text:
                pieces.append(" " * (blanks + before) + terminal.styled(text, style, sys.stdout))
                blanks = 0
            blanks += (after if text else widths[number]) + _GAP
        sys.stdout.write("".join(pieces) + "\n")


def _print_blocks(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    for number, row in enumerate(rows):
        if number:
            sys.stdout.write("\n")
        for place, (column, cell) in enumerate(zip(columns, row, strict=True)):
            if cell:
                label = f"{_INDENT}{column.name}: " if place else ""
                style = STATUS_STYLES.get(cell, column.style)
                sys.stdout.write(label + terminal.styled(cell, style, sys.stdout) + "\n")


def _kept(columns: Sequence[Column], widths: Sequence[int], room: int) -> list[int]:
    """The numbers of the columns that are shown."""
    kept = list(range(len(columns)))
    for number in reversed(range(len(columns))):
        if columns[number].optional and _total([widths[one] for one in kept]) > room:
            kept.remove(number)
    return kept


def _shrunk(columns: Sequence[Column], widths: Sequence[int], room: int) -> list[int] | None:
    """The widths that fit into `room`; None where folding is not enough for that."""
    found = list(widths)
    least = [
        max(len(column.name), column.least) if column.is_folded else width
        for column, width in zip(columns, widths, strict=True)
    ]
    while (over := _total(found) - room) > 0:
        slack = [width - most for width, most in zip(found, least, strict=True)]
        widest = max(range(len(found)), key=lambda one: (slack[one] > 0, found[one]))
        if slack[widest] <= 0:
            return None
        found[widest] -= min(over, slack[widest], 8)
    return found


def _folded(cell: str, width: int) -> list[str]:
    """The cell in lines of at most `width`, broken at blanks where there are some."""
    from rich.cells import chop_cells

    lines = []
    while _cell_len(cell) > width:
        cut = len(chop_cells(cell, width)[0])
        blank = cell.rfind(" ", 1, cut + 1)
        cut = blank if blank > 0 else cut
        lines.append(cell[:cut].rstrip())
        cell = cell[cut:].lstrip()
    return [*lines, cell]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _width(column: Column, number: int, rows: Sequence[Sequence[str]]) -> int:
    return max(map(_cell_len, (column.name, *(row[number] for row in rows))))


def _cell_len(text: str) -> int:
    """How many characters of the terminal it takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)
