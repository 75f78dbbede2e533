"""From ClickHouse's types to Python's and Arrow's: what makes an answer in JSON exact again."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

if TYPE_CHECKING:
    import pyarrow as pa

Decode = Callable[[Any], Any]

_TYPE: Final = re.compile(r"(\w+)(?:\((.*)\))?", re.DOTALL)
_ELEMENT_NAME: Final = re.compile(r"(?:`((?:[^`\\]|\\.)*)`|([A-Za-z_]\w*)) (?=\S)")
_TRANSPARENT: Final = frozenset({"Nullable", "LowCardinality"})
_INTEGERS: Final = {f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)}
_WIDE: Final = frozenset({"Int128", "Int256", "UInt128", "UInt256"})


def split_type(type: str) -> tuple[str, list[str]]:
    """A type's name and its arguments: `Map(String, Array(Int8))` is Map of String, Array(Int8)."""
    found = _TYPE.fullmatch(type.strip())
    if found is None:
        return type, []
    name, inner = found.groups()
    if name in _TRANSPARENT:
        return split_type(inner or "")
    return name, _arguments(inner or "")


def _arguments(text: str) -> list[str]:
    parts, depth, begin = [], 0, 0
    for position, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append(text[begin:position].strip())
            begin = position + 1
    last = text[begin:].strip()
    return [*parts, last] if last else parts


def decoder(type: str) -> Decode | None:
    """What makes a value of JSON a value of this type; None where it is one already."""
    name, arguments = split_type(type)
    simple = _SIMPLE.get(name) or (int if name in _WIDE else None)
    if simple is not None:
        return _unless_none(simple)
    match name:
        case "Array":
            return _array(decoder(arguments[0]))
        case "Map":
            return _map(decoder(arguments[0]), decoder(arguments[1]))
        case "Tuple":
            return _tuple([decoder(one) for _, one in elements(arguments)])
        case _:
            return None


def elements(arguments: list[str]) -> list[tuple[str, str]]:
    """Names and types of a tuple's elements; the unnamed ones are called 1, 2, 3, …"""
    found = []
    for number, text in enumerate(arguments, start=1):
        name = _ELEMENT_NAME.match(text)
        if name:
            found.append((name[1] or name[2], text[name.end() :]))
        else:
            found.append((str(number), text))
    return found


def _datetime(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)


_SIMPLE: Final[dict[str, Decode]] = {
    "Float32": float,
    "Float64": float,
    "DateTime": _datetime,
    "DateTime64": _datetime,
    "Date": date.fromisoformat,
    "Date32": date.fromisoformat,
    "UUID": UUID,
    "Decimal": Decimal,
    "FixedString": bytes.fromhex,
}


def _unless_none(decode: Decode) -> Decode:
    return lambda value: None if value is None else decode(value)


def _array(decode: Decode | None) -> Decode | None:
    return decode and (lambda values: [decode(one) for one in values])


def _map(key: Decode | None, value: Decode | None) -> Decode:
    def decode(pairs: Any) -> dict[Any, Any]:
        found = pairs.items() if isinstance(pairs, dict) else pairs
        return {(key(k) if key else k): (value(v) if value else v) for k, v in found}

    return decode


def _tuple(parts: list[Decode | None]) -> Decode:
    def decode(values: Any) -> tuple[Any, ...]:
        values = values.values() if isinstance(values, dict) else values
        return tuple(part(one) if part else one for part, one in zip(parts, values, strict=True))

    return decode


def arrow_type(type: str) -> "pa.DataType":
    """Arrow's type for values of ClickHouse's. UUIDs and integers beyond 64 bits are text there."""
    import pyarrow as pa

    name, arguments = split_type(type)
    if name in _INTEGERS or name in {"Float32", "Float64", "Bool", "Nothing"}:
        return {"Bool": pa.bool_(), "Nothing": pa.null()}.get(name) or pa.type_for_alias(
            name.lower()
        )
    match name:
        case "Date" | "Date32":
            return pa.date32()
        case "DateTime" | "DateTime64":
            return pa.timestamp("us", tz="UTC")
        case "Decimal":
            precision, scale = (int(one) for one in arguments)
            return (
                pa.decimal128(precision, scale)
                if precision <= 38
                else pa.decimal256(precision, scale)
            )
        case "FixedString":
            return pa.binary()
        case "Array":
            return pa.list_(arrow_type(arguments[0]))
        case "Map":
            return pa.map_(arrow_type(arguments[0]), arrow_type(arguments[1]))
        case "Tuple":
            return pa.struct([(part, arrow_type(one)) for part, one in elements(arguments)])
        case _:
            return pa.string()


def arrow_value(type: str, value: Any) -> Any:
    """A value as Arrow takes it for `arrow_type(type)`."""
    if value is None:
        return None
    name, arguments = split_type(type)
    match name:
        case "Array":
            return [arrow_value(arguments[0], one) for one in value]
        case "Map":
            key, kept = arguments
            return [(arrow_value(key, k), arrow_value(kept, v)) for k, v in value.items()]
        case "Tuple":
            parts = elements(arguments)
            return {part: arrow_value(one, v) for (part, one), v in zip(parts, value, strict=True)}
        case "UUID":
            return str(value)
        case _:
            return str(value) if name in _WIDE else value
