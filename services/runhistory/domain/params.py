"""Params that a script run's arguments already tell: `--lr 0.1` and `--lr=0.1` are `lr = 0.1`.

The rule is plain on purpose, so that anybody can say what comes out of it: an argument that
begins with `--` is a name; its value stands behind `=`, or is the next argument unless that is an
option itself (`--fast`, `-v`; `-3` and `-1e-3` are numbers); a name without a value is `true`. Of
several values of one name the last counts, as argparse has it. Behind a lone `--` nothing is a
name. A text for a shell (`sh -c "python train.py --lr 0.1"`) is parted as a shell parts it, nothing
in it is filled in, and each of its commands counts.
"""

import re
import shlex
from collections.abc import Iterator, Sequence
from itertools import groupby, islice, takewhile, zip_longest
from typing import Final

from runhistory.domain.ids import END_OF_TEXT
from runhistory.domain.values import MAX_TEXT

MAX_PARAMS: Final = 1_000
_SHELLS: Final = (("sh", "-c"), ("bash", "-c"))
_NAME: Final = re.compile(r"^--([A-Za-z_][A-Za-z0-9_./-]{0,255})(?:=([\s\S]*))?" + END_OF_TEXT)


def params_of(arguments: Sequence[str]) -> dict[str, str]:
    """{name: value} of what `arguments` set; at most the first 1,000 names."""
    found: dict[str, str] = {}
    for name, value in _options(list(takewhile(lambda one: one != "--", arguments))):
        if (name in found or len(found) < MAX_PARAMS) and len(value) <= MAX_TEXT:
            found[name] = value
    return found


def params_of_command(command: Sequence[str]) -> dict[str, str]:
    """The same of a whole command, also where a shell is given its text."""
    if len(command) != 3 or tuple(command[:2]) not in _SHELLS:
        return params_of(command)
    found: dict[str, str] = {}
    for words in _commands(command[2]):
        found |= params_of(words)
    return dict(islice(found.items(), MAX_PARAMS))


def _commands(text: str) -> Iterator[list[str]]:
    """The words of each command in a shell's text; of one that is not whole, none."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError:
        return
    for is_operator, group in groupby(words, lambda word: not word.strip("();<>|&")):
        if not is_operator:
            yield list(group)


def _options(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    for argument, following in zip_longest(arguments, arguments[1:]):
        if match := _NAME.match(argument):
            name, value = match.groups()
            if value is None:
                value = "true" if following is None or _is_option(following) else following
            yield name, value


def _is_option(argument: str) -> bool:
    if not argument.startswith("-") or argument == "-" or " " in argument:
        return False  # a lone dash is a file to most programs, and a sentence is a text
    try:
        float(argument)
    except ValueError:
        return True
    return False
