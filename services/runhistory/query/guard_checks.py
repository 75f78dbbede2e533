"""What the guard looks at beyond the grammar: names that are calls, types, indices, functions.

Each raises NotAllowed, or says what to write instead.
"""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

from sqlglot import exp

from runhistory.query.guard_text import NotAllowed
from runhistory.query.guard_words import (
    CALLS_WITHOUT_BRACKETS,
    REFUSED_FORMS,
    TAKES_TYPE,
    TIME_ZONE_AT,
    TYPES,
    function_names,
)
from runhistory.query.sql_views import readable_views

_TYPE: Final = re.compile(
    r"[A-Za-z_]\w* (?=[A-Z])"  # the name of a tuple's element
    r"|(?P<word>[A-Za-z]\w*)|\d+|'[A-Za-z][\w/+-]*'|[(), ]+",
    re.ASCII,
)
_SHIFTS: Final = frozenset("dateadd date_add datesub date_sub timestampadd timestampsub".split())
_TIME_ZONE: Final = re.compile(r"[A-Za-z][\w+-]*(/[\w+-]+)*", re.ASCII)


def refuse_call(first: exp.Expr, *rest: exp.Expr) -> None:
    """Refuse a name that ClickHouse takes for a call: one that stands alone, but for an index."""
    alone = not any(isinstance(one, exp.Identifier | exp.Star) for one in rest)
    if alone and first.name.lower() in CALLS_WITHOUT_BRACKETS:
        raise NotAllowed(
            f"ClickHouse takes the name {first.name} for a call, which may not be used here. For a "
            f"column of that name write view.{first.name}; an alias needs another name.",
            first,
        )


def index(node: exp.Expr) -> str:
    """A tuple element's number."""
    if isinstance(node, exp.Literal) and not node.is_string and node.this.isdecimal():
        return str(node.this)
    raise NotAllowed("An element of a tuple is asked for by its number or name: pair.1.", node)


def checked_type(text: str, node: exp.Expr) -> str:
    """The type of a cast, when it is made of known types alone."""
    position = 0
    while position < len(text):
        found = _TYPE.match(text, position)
        if not found or (found["word"] and found["word"] not in TYPES):
            raise NotAllowed(
                f"There is no cast to {text!r} here. Types are made of {', '.join(sorted(TYPES))}.",
                node,
            )
        position = found.end()
    return text


def check_texts(function: str, arguments: Sequence[exp.Expr]) -> None:
    """Refuse a time zone or a type, given as text, that is more than a plain name.

    ClickHouse opens what a time zone named `file:/…` names, be it another query's pipe. So the
    text has to stand here in full; put together by an expression, nobody could look at it.
    """
    for argument in arguments[TIME_ZONE_AT.get(function, len(arguments)) :]:
        is_literal = isinstance(argument, exp.Literal)
        if not is_literal or (argument.is_string and not _TIME_ZONE.fullmatch(argument.this)):
            raise NotAllowed(
                f"A time zone is written by its name: {function}(…, 'Europe/Berlin').", argument
            )
    if function in TAKES_TYPE and arguments:
        last = arguments[-1]
        if not isinstance(last, exp.Literal) or not last.is_string:
            raise NotAllowed(
                f"The type is written as a text: {function}(…, 'Array(Float64)').", last
            )
        checked_type(last.this, last)


def refused_form(node: exp.Expr) -> str:
    """What to say of a kind of expression that has no piece here."""
    kind = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(node).__name__).lower()
    advice = REFUSED_FORMS.get(kind, "")
    return f"This form ({kind}) may not be used here. {advice}".rstrip()


def unknown_function(name: str) -> str:
    """What to say of a function that is not allowed."""
    if name.lower() in readable_views():
        return f"{name} is a view, not a function. Leave the brackets out: FROM {name}."
    if name.lower() in _SHIFTS:
        return f"The function {name} may not be used here. Write created - INTERVAL 7 DAY."
    near = get_close_matches(name, function_names(), n=3, cutoff=0.75)
    advice = f" Is it {' or '.join(near)}?" if near else " docs/sql.md says which there are."
    return f"The function {name} may not be used here.{advice}"
