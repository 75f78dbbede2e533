"""What the guard looks at beyond the grammar: names that are calls, types, indices, functions.

Each raises NotAllowed, or says what to write instead.
"""

import re
from difflib import get_close_matches
from typing import Final

from sqlglot import exp

from runhistory.query.guard_text import NotAllowed
from runhistory.query.guard_words import CALLS_WITHOUT_BRACKETS, TYPES, function_names
from runhistory.query.sql_views import readable_views

_TYPE: Final = re.compile(r"(?P<word>[A-Za-z]\w*)|\d+|'[\w/+-]+'|[(), ]+", re.ASCII)


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


def unknown_function(name: str) -> str:
    """What to say of a function that is not allowed."""
    if name.lower() in readable_views():
        return f"{name} is a view, not a function. Leave the brackets out: FROM {name}."
    near = get_close_matches(name, function_names(), n=3, cutoff=0.75)
    advice = f" Is it {' or '.join(near)}?" if near else " docs/sql.md says which there are."
    return f"The function {name} may not be used here.{advice}"
