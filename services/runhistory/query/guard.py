"""Lets a user's SQL through when it is one SELECT over the caller's own rows, and nothing else.

A user's text is never run. sqlglot reads it, and a text of our own is written from what it
understood (`guard_queries`, `guard_expressions`), out of known pieces alone: the documented
views, each behind a filter on the workspace (`sql_views`); known functions (`guard_words`);
quoted names, strings and numbers. So it does not matter where sqlglot and ClickHouse would read
the user's text differently: ClickHouse never sees it. Comments, SETTINGS, FORMAT, parameters, a
second statement and whatever else has no piece here end in a refusal.

The second line are the settings with which the text runs (`sql.py`).
"""

import re
from typing import Final

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from runhistory.query.guard_dialect import VerbatimClickHouse
from runhistory.query.guard_queries import Queries
from runhistory.query.guard_text import NotAllowed
from runhistory.query.sql_errors import place_at

MAX_LENGTH: Final = 50_000
MAX_TOKENS: Final = 10_000
MAX_DEPTH: Final = 30
"""Brackets within brackets: the parser tries several readings of each, so more cost it long."""

_BEGIN: Final = frozenset(
    {TokenType.SELECT, TokenType.WITH, TokenType.FROM, TokenType.L_PAREN, TokenType.SEMICOLON}
)
_OPEN: Final = frozenset(
    {TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE, TokenType.CASE}
)
_CLOSE: Final = frozenset(
    {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE, TokenType.END}
)


class InvalidSql(Exception):
    """A statement that is not let through. `line` and `column` count from 1; None: nowhere."""

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        place = "" if line is None else f" (line {line}, column {column})"
        super().__init__(f"{message}{place}")
        self.line, self.column = line, column


def guard(query: str, workspace: str) -> str:
    """The statement to run instead of `query`: it reads nothing but rows of `workspace`.

    Raises:
        InvalidSql: `query` is not one SELECT of what is allowed; the message says what to write.
    """
    statement = _parse(query)
    try:
        return Queries(workspace).query(statement)
    except NotAllowed as refusal:
        raise InvalidSql(str(refusal), *_place(query, refusal)) from None
    except RecursionError:
        raise InvalidSql("The query is nested too deeply. Name parts of it with WITH.") from None


def _parse(query: str) -> exp.Expr:
    if len(query) > MAX_LENGTH:
        raise InvalidSql(f"A query may have {MAX_LENGTH:,} characters.")
    try:
        tokens = VerbatimClickHouse().tokenize(query)
        _check_begin(tokens)
        _check_depth(tokens)
        statements = sqlglot.parse(query, dialect=VerbatimClickHouse)
    except ParseError as error:
        raise _syntax_error(error) from None
    except SqlglotError:
        raise InvalidSql(
            "The query cannot be read: a quote or a comment in it has no end."
        ) from None
    except RecursionError:
        raise InvalidSql("The query is nested too deeply. Name parts of it with WITH.") from None
    found = [one for one in statements if one is not None and not isinstance(one, exp.Semicolon)]
    match found:
        case [statement]:
            return statement
        case []:
            raise InvalidSql("There is no query. Write one SELECT.")
        case _:
            raise InvalidSql("One statement at a time: leave out what is behind the semicolon.")


def _check_begin(tokens: list[Token]) -> None:
    """Refuse other statements before sqlglot, which would only pass most of them through."""
    if tokens and tokens[0].token_type not in _BEGIN:
        raise InvalidSql(
            f"A query begins with SELECT or WITH, not with {tokens[0].text!r}: it only reads.",
            *_start(tokens[0]),
        )


def _check_depth(tokens: list[Token]) -> None:
    if len(tokens) > MAX_TOKENS:
        raise InvalidSql(f"A query may have {MAX_TOKENS:,} words.")
    depth = 0
    for token in tokens:
        depth += (token.token_type in _OPEN) - (token.token_type in _CLOSE)
        if depth > MAX_DEPTH:
            raise InvalidSql(
                f"Brackets may be nested {MAX_DEPTH} deep. Name parts of the query with WITH.",
                *_start(token),
            )


def _syntax_error(error: ParseError) -> InvalidSql:
    first = error.errors[0] if error.errors else {}
    near = first.get("highlight") or ""
    what = f" at {near!r}" if near else ""
    line, end = first.get("line"), first.get("col")
    begin = None if end is None else max(1, int(end) - len(near) + 1)
    why = _described(str(first.get("description")))
    if near.upper() == "FROM":
        why += "; parts of a time are toYear(x), …, a part of a text is substring(x, 1, 3)"
    return InvalidSql(
        f"The query cannot be read{what}: {why}. It has to be one SELECT in ClickHouse's dialect.",
        line if begin else None,
        begin,
    )


def _described(text: str) -> str:
    """The parser's reason, without its own words."""
    if text.startswith("Expecting"):
        return text.rstrip(".").replace("Expecting", "here belongs")
    return "something is missing before it" if "missing" in text else "this was not expected"


def _start(token: Token) -> tuple[int, int]:
    """Line and column of a token's first letter; the parser knows its last one."""
    return token.line, max(1, token.col - (token.end - token.start))


def _place(query: str, refusal: NotAllowed) -> tuple[int, int] | tuple[()]:
    """Line and column of what was refused: of its name, else of the first piece with a place."""
    start = None
    if refusal.name:
        found = re.search(rf"\b{re.escape(refusal.name)}\b", query)
        start = found.start() if found else None
    if start is None and refusal.node is not None:
        start = min(
            (one.meta["start"] for one in refusal.node.walk() if "start" in one.meta), default=None
        )
    if start is None:
        return ()
    return place_at(query, start)
