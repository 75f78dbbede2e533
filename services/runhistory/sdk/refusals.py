"""What Azure ML has and runhistory has not: refused by name, with what to do instead.

A parameter or setting without a meaning here is an error and not passed over: a program that
relies on it would do something else than its author thinks. `azure_names.py` has the names.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn

from runhistory.sdk.azure_names import MODULE
from runhistory.sdk.errors import Unsupported, UnsupportedName

_WHAT_THERE_IS: Final = "docs/sdk.md lists what there is"


class _RefusingType(type):
    """The class of a class: names that are asked of the class itself, as static methods are."""

    _azures: Mapping[str, str]

    if not TYPE_CHECKING:

        def __getattr__(cls, name: str) -> NoReturn:
            missing(cls.__name__, cls._azures, name)


class Refusing(metaclass=_RefusingType):
    """A class that has a namesake in Azure ML, with more names than here (`_azures`)."""

    _azures: ClassVar[Mapping[str, str]] = {}

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            missing(type(self).__name__, self._azures, name)


class Closed(Refusing):
    """One whose attributes are settings: only those in `_settings` can be set, so that none of
    Azure ML's, and no slip of the keyboard, is passed over."""

    _settings: ClassVar[frozenset[str]] = frozenset()

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._settings and not name.startswith("_"):
            missing(type(self).__name__, self._azures, name, sorted(self._settings))
        super().__setattr__(name, value)


def refuse(where: str, **parameters: tuple[Any, str]) -> None:
    """Raise for the first parameter that is not None: name=(value, what to do instead).

    Raises:
        Unsupported: the message names the parameter.
    """
    for name, (value, instead) in parameters.items():
        if value is not None:
            raise Unsupported(f"{where}({name}=…) has no meaning here: {instead}.")


def refuse_unknown(where: str, names: Mapping[str, Any]) -> None:
    """Raise for keyword arguments that a method does not know.

    Raises:
        Unsupported: it names them.
    """
    if names:
        raise Unsupported(f"{where} does not know {', '.join(sorted(names))}. {_WHAT_THERE_IS}.")


def missing(
    where: str, known: Mapping[str, str], name: str, settings: list[str] | None = None
) -> NoReturn:
    """What happens for a name that is not there; `settings` are those that could be set.

    Raises:
        UnsupportedName: it is one of Azure ML's; the message says what to do instead.
        AttributeError: it is nobody's.
    """
    if name in known:
        raise UnsupportedName(f"{where}.{name} is not part of runhistory: {known[name]}.")
    may = f"; its settings are {', '.join(settings)}" if settings else ""
    raise AttributeError(f"{where} has no attribute {name!r}{may}")


def refuse_import(name: str) -> NoReturn:
    """What happens for a name that the package has not.

    Raises:
        Unsupported: it is one of Azure ML's (no AttributeError: `from runhistory import NAME`
            would lose the message).
        AttributeError: it is nobody's.
    """
    if name in MODULE:
        raise Unsupported(f"runhistory.{name} is not part of runhistory: {MODULE[name]}.")
    raise AttributeError(f"module 'runhistory' has no attribute {name!r}")
