"""The smallest pieces of what the guard writes: names, strings and numbers, and its refusal.

Whatever a user wrote, a name becomes one back-quoted name and a string one quoted string, with
everything escaped that ClickHouse could take for its end.
"""

import re
from typing import Final

from sqlglot import exp

RESERVED: Final = "runhistory:"
"""How the guard's own names begin, so that no name of a user can mean one of them."""

_NUMBER: Final = re.compile(r"(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


class NotAllowed(Exception):
    """A part of a statement that may not run; the message says what to write instead.

    `node` is the part, where it is known; `name` is how it is written.
    """

    def __init__(self, message: str, node: exp.Expr | None = None, name: str = "") -> None:
        super().__init__(message)
        self.node, self.name = node, name


def quoted_name(name: str) -> str:
    """A name, back-quoted. Raises NotAllowed for one that is empty or the guard's own."""
    if not name or "\0" in name or name.startswith(RESERVED):
        raise NotAllowed(f"{name!r} is no name that may be used. Choose another one.", name=name)
    return own_name(name)


def own_name(name: str) -> str:
    """The same without the check, for names that the guard makes."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def quoted_string(text: str) -> str:
    """A string literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\0", "\\0")
    return f"'{escaped}'"


def number(text: str) -> str:
    """A number as it was written, when it is a plain one. Raises NotAllowed."""
    if not _NUMBER.fullmatch(text):
        raise NotAllowed(f"{text!r} is no plain number. Write digits, as in 10, 0.1 or 1e-3.")
    return text
