"""What the terminal is like: how wide, whether a person looks at it, and how to colour a text.

Colour and bold on a terminal alone, and not where NO_COLOR says anything or TERM is `dumb`;
FORCE_COLOR has them in a pipe too (`0` and `false` do not count). NO_COLOR wins over it.
"""

import os
import shutil
import sys
import unicodedata
from typing import Final, TextIO

_CODES: Final = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33, "cyan": 36}
_ESCAPED: Final = {"Cc", "Cs", "Zl", "Zp"}


def is_terminal(stream: TextIO) -> bool:
    """Whether a person looks at it."""
    return stream.isatty()


def can_move(stream: TextIO) -> bool:
    """Whether what was written there can be written over, as a progress bar does."""
    return is_terminal(stream) and os.environ.get("TERM") not in ("dumb", "unknown")


def is_styled(stream: TextIO) -> bool:
    """Whether to use colour, bold and the like."""
    if os.environ.get("NO_COLOR"):
        return False
    forced = os.environ.get("FORCE_COLOR", "").lower() not in ("", "0", "false")
    return forced or can_move(stream)


def width() -> int | None:
    """How many characters fit into a line of stdout; None in a pipe, where all do."""
    return shutil.get_terminal_size().columns if is_terminal(sys.stdout) else None


def styled(text: str, style: str, stream: TextIO) -> str:
    """The text in this style, where the stream has styles; an empty style is none."""
    if not style or not text or not is_styled(stream):
        return text
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m"


def harmless(text: str, allowed: str = "") -> str:
    """The text with control characters spelled out: nobody's name for a run moves our cursor."""
    if text.isprintable():
        return text
    return "".join(
        _spelled(letter)
        if unicodedata.category(letter) in _ESCAPED and letter not in allowed
        else letter
        for letter in text
    )


def _spelled(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
