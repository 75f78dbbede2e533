"""What is wrong with a batch of points, in words that find the place: column, index and key.

The strict decoder stops at the first bad element and names it, or the byte where the JSON ends to
be any. This is read only where a batch is refused, so it may look at the body at leisure.
"""

import json
import re
from typing import Any, Final

_PLACE: Final = re.compile(r" - at `\$\.(\w+)(?:\[(\d+)\])?.*`$", re.DOTALL)
_BYTE: Final = re.compile(r"\(byte (\d+)\)$")
_COLUMN: Final = re.compile(rb'"(keys|key_index|steps|values|times)"\s*:\s*\[')
_RULES: Final = {
    "values": 'A value is a number, or "NaN", "Infinity" or "-Infinity" as a string.',
    "steps": "A step is an integer of 64 bits, without point or exponent.",
    "times": "A time is an integer, µs since 1970, at most 9000000000000000.",
    "keys": "A key is a text without control characters, and not empty.",
    "key_index": "It counts from 1 to the number of keys.",
}
_SHOWN: Final = 80


def explain(body: bytes, error: str) -> str:
    """The decoder's `error` about `body`, with the place as column and index, and its key."""
    found = _PLACE.search(error)
    if found is not None:
        column, index = found[1], found[2]
        problem, number = error[: found.start()], None if index is None else int(index)
    else:
        broken = _BYTE.search(error)
        if broken is None:
            return error
        column, number = _element_at(body, int(broken[1]))
        problem = error
        if column is None:
            return error
    return at(body, f"{problem}. {_RULES.get(column, '')}".rstrip(), column, number)


def at(body: bytes, problem: str, column: str, index: int | None) -> str:
    """`problem`, and where: "… - at `$.steps[3]` (key 'train/loss')"."""
    if index is None:
        return f"{problem} - at `$.{column}`"
    key = _key_of(body, column, index)
    return f"{problem} - at `$.{column}[{index}]`" + (f" (key {_shown(key)})" if key else "")


def texts_of(body: bytes) -> list[str]:
    """The keys of a body in which something is wrong; none where it is the keys."""
    found = _array(body, "keys")
    is_good = isinstance(found, list) and all(isinstance(key, str) for key in found)
    return found if is_good else []


def _element_at(body: bytes, byte: int) -> tuple[str | None, int | None]:
    """The column that a byte of broken JSON is in, and the element's index, as far as it is told.

    Commas between numbers part elements; within texts they may not, so keys have no index.
    """
    begun = [found for found in _COLUMN.finditer(body, 0, byte + 1) if found.end() <= byte]
    if not begun or (column := begun[-1][1]) == b"keys":
        return ("keys", None) if begun else (None, None)
    return column.decode(), body.count(b",", begun[-1].end(), byte)


def _key_of(body: bytes, column: str, index: int) -> str | None:
    """The key of a point, or the bad key itself; None where that cannot be told."""
    keys = _array(body, "keys")
    found: str | None
    if column == "keys":
        found = _element(keys, index)
        return found
    place = _element(_array(body, "key_index"), index)
    is_place = isinstance(place, int) and place >= 1
    found = _element(keys, place - 1) if is_place else None
    return found


def _array(body: bytes, name: str) -> Any:
    text = body.decode("utf-8", "replace")
    found = re.search(rf'"{name}"\s*:\s*', text)
    try:
        return json.JSONDecoder().raw_decode(text, found.end())[0] if found else None
    except (ValueError, RecursionError):
        return None


def _element(array: Any, index: int) -> Any:
    return array[index] if isinstance(array, list) and index < len(array) else None


def _shown(key: Any) -> str:
    text = repr(key)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
