"""The domain's limits, enforced before anything is sent: a wrong value is the caller's to know."""

from typing import Any, TypeVar

import msgspec

from runhistory.domain.values import FileName, Pairs
from runhistory.sdk.errors import InvalidConfig, InvalidRequest

T = TypeVar("T", bound=msgspec.Struct)


def checked(value: T, what: str) -> T:
    """The value itself, when every field keeps its limits.

    Raises:
        InvalidConfig: one does not; the message names `what` and the field.
    """
    try:
        return msgspec.convert(msgspec.to_builtins(value), type(value))
    except (msgspec.ValidationError, TypeError, UnicodeEncodeError) as error:
        raise InvalidConfig(f"{what}: {_plainly(error)}") from error


def pairs(what: str, given: dict[str, Any] | None) -> dict[str, str]:
    """Tags or properties as names and texts; numbers and booleans become text, None becomes "".

    Raises:
        InvalidRequest: a name or text is over its limit.
    """
    texts = {name: "" if value is None else str(value) for name, value in (given or {}).items()}
    try:
        return msgspec.convert(texts, Pairs)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"{what}: {_plainly(error)}") from error


def file_name(name: str) -> str:
    """The name itself, when a run may keep a file under it.

    Raises:
        InvalidRequest: it is not a relative path that climbs nowhere.
    """
    try:
        return msgspec.convert(name, FileName)
    except msgspec.ValidationError as error:
        raise InvalidRequest(
            f"A file cannot be named {name!r}: a name is a relative path such as "
            "outputs/model.pt, without `..`, doubled slashes or control characters."
        ) from error


def _plainly(error: Exception) -> str:
    return str(error).replace(" - at `$", " - at `")
