"""The domain's limits, enforced before anything is sent: a wrong value is the caller's to know."""

import os
from typing import Any, TypedDict, TypeVar

import msgspec

from runhistory.domain.values import FileName, Pairs
from runhistory.sdk.errors import InvalidConfig, InvalidRequest

T = TypeVar("T", bound=msgspec.Struct)


class SnapshotLimits(TypedDict, total=False):
    """What `scan` is to allow, as far as it is not what it allows by itself."""

    max_bytes: int
    max_files: int


def snapshot_limits() -> SnapshotLimits:
    """The limits of a snapshot that the environment sets.

    Raises:
        InvalidConfig: one is no positive number.
    """
    found: SnapshotLimits = {}
    if (max_bytes := _number("RUNHISTORY_MAX_SNAPSHOT_BYTES")) is not None:
        found["max_bytes"] = max_bytes
    if (max_files := _number("RUNHISTORY_MAX_SNAPSHOT_FILES")) is not None:
        found["max_files"] = max_files
    return found


def _number(variable: str) -> int | None:
    text = os.environ.get(variable)
    if not text:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise InvalidConfig(f"{variable} has to be a positive number, not {text!r}.")
    return int(text)


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
