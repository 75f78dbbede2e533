"""Hypothesis strategies for the wire's types, read off the types themselves (msgspec.inspect)."""

import enum
from datetime import datetime, timedelta, timezone
from typing import Any, TypeVar

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

S = TypeVar("S", bound=msgspec.Struct)

CHARACTERS = st.characters(exclude_categories=["Cs"])
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def values_of(struct: type[S]) -> st.SearchStrategy[S]:
    """Any value of a struct that its own decoder takes: limits and patterns are kept."""
    return _strategy(inspect.type_info(struct))


def _strategy(type: inspect.Type) -> st.SearchStrategy[Any]:
    match type:
        case inspect.Metadata(type=inner):
            return _strategy(inner)
        case inspect.StructType(cls=cls, fields=fields):
            return st.builds(cls, **{field.name: _strategy(field.type) for field in fields})
        case inspect.UnionType(types=types):
            return st.one_of([_strategy(member) for member in types])
        case inspect.ListType(item_type=item, min_length=least):
            return st.lists(_strategy(item), min_size=least or 0, max_size=4)
        case inspect.VarTupleType(item_type=item, min_length=least):
            return st.lists(_strategy(item), min_size=least or 0, max_size=4).map(tuple)
        case inspect.DictType(key_type=key, value_type=value):
            return st.dictionaries(_strategy(key), _strategy(value), max_size=3)
        case _:
            return _scalar(type)


def _scalar(type: inspect.Type) -> st.SearchStrategy[Any]:
    match type:
        case inspect.StrType(pattern=None, max_length=longest):
            return st.text(CHARACTERS, max_size=min(longest or 20, 20))
        case inspect.StrType(pattern=str(pattern), max_length=longest):
            matching = st.from_regex(pattern, alphabet=CHARACTERS)
            return matching.filter(lambda text: len(text) <= (longest or len(text)))
        case inspect.IntType(ge=least, le=most):
            return st.integers(least, most)
        case inspect.FloatType():
            return st.floats(allow_nan=False, allow_infinity=False)
        case inspect.LiteralType(values=values):
            return st.sampled_from(values)
        case inspect.EnumType(cls=cls) if issubclass(cls, enum.Enum):
            return st.sampled_from(list(cls))
        case inspect.DateTimeType():
            return st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=ZONES)
        case inspect.BoolType():
            return st.booleans()
        case inspect.NoneType():
            return st.none()
    raise NotImplementedError(f"no strategy for {type}: add one")
