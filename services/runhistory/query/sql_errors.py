"""What ClickHouse says of a user's query, told to its user: what is wrong, and where."""

import re
from typing import Final

from clickhouse_connect.driver.exceptions import ClickHouseError

_LIMIT_OF_CODE: Final = {
    159: "time", 160: "time", 173: "memory", 241: "memory", 243: "memory", 307: "bytes",
    396: "bytes",
}  # fmt: skip
_OF_THE_SERVER: Final = re.compile(r"\(total\)|server memory", re.IGNORECASE)
_NAMED: Final = re.compile(
    r"identifier '?([\w.]*\w)|[Cc]olumn '([\w.]+)'|[Ff]unction '?(\w+)|string '([^']+)'"
)


def limit_in(error: ClickHouseError) -> str:
    """The limit that was reached, or nothing where it was another's (the server's memory)."""
    limit = _LIMIT_OF_CODE.get(getattr(error, "code", None) or 0, "")
    return "" if limit == "memory" and _OF_THE_SERVER.search(str(error)) else limit


_HEAD: Final = re.compile(r"^.*?DB::Exception: ", re.DOTALL)
_TAIL: Final = re.compile(
    r"(:? ?\b[Ii]n scope\b.*?(?=\. Maybe you meant|$)"
    r"|: ?[Ww]hile (executing|processing|converting|evaluating)\b.*"
    r"|\.? ?\b[Ii]n query SELECT\b.*|: ?\(?(at row|at column)\b.*|\(version .*|\(for url .*)",
    re.DOTALL,
)
_INTERNAL: Final = re.compile(r"projection_\d|runhistory:|__table|__set|(^|[\s'\"(])/\w|\bsystem\.")
_NAME: Final = re.compile(r"\(([A-Z][A-Z_]+)\)")


def clean_message(text: str) -> str:
    """ClickHouse's message without what is the server's own: the statement, places, versions."""
    names = _NAME.findall(text)
    message = _HEAD.sub("", " ".join(text.split()))
    message = _TAIL.sub("", message).strip()
    message = re.sub(r"\s*\([A-Z][A-Z_]+\)\s*$", "", message).rstrip(" .:,")
    message = re.sub(r"\b__table\d+\.", "", message).replace("`", "")
    if not message or _INTERNAL.search(message):
        reason = names[-1].replace("_", " ").lower() if names else "no reason given"
        return f"ClickHouse cannot run the query ({reason})."
    return f"{message[:600]}."


def place_of(message: str, query: str) -> tuple[int, int] | tuple[()]:
    """Line and column of what the message names, where the query has it; they count from 1."""
    for found in _NAMED.finditer(message):
        named = str(found[found.lastindex or 0])
        for name in (named, named.rpartition(".")[2]):
            if written := re.search(rf"\b{re.escape(name)}\b", query):
                return place_at(query, written.start())
    return ()


def place_at(query: str, index: int) -> tuple[int, int]:
    """Line and column of a character."""
    before = query[:index]
    return before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1
