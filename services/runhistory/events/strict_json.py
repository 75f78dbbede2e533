"""JSON that every parser reads alike: decoding that refuses two equal names in one object.

Parsers differ in which of two equal names they take, so a body that has them says one thing to
the check and another to whoever reads it later. `metric_batch` has a cheaper rule of its own.
"""

import json
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


class NotStrictJson(ValueError):
    """The bytes are no JSON, do not fit the type, or have a name twice in one object."""


def decode(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """The value in `body`, checked against the decoder's type.

    Raises:
        NotStrictJson: the message names the place and what is wrong there.
    """
    try:
        value = decoder.decode(body)  # first: the type bounds how deep the second look can go
        json.loads(body, object_pairs_hook=_refuse_equal_names, parse_int=str, parse_float=str)
    except (ValueError, RecursionError) as error:
        raise NotStrictJson(str(error)) from error
    return value


def _refuse_equal_names(pairs: list[tuple[str, Any]]) -> None:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"The name {twice!r} stands twice in one object.")
