"""The domain's limits, enforced before anything is sent: a wrong value is the caller's to know."""

import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, TypedDict, TypeVar

import msgspec

from runhistory.domain.values import MAX_PAIRS, MAX_TEXT, FileName, Name
from runhistory.sdk.errors import InvalidConfig, InvalidRequest

SPOOL_BYTES: Final = 2 * 1024**3
"""On disk for each writer and stream: some 45 M points."""
SYNC_SECONDS: Final = 1.0
EXIT_SECONDS: Final = 60.0

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


class SpoolSettings(NamedTuple):
    """Where and how what was not acknowledged is kept; see docs/sdk.md."""

    root: Path | None
    """None: in memory alone."""
    max_bytes: int
    sync_seconds: float | None
    exit_seconds: float


def spool_settings() -> SpoolSettings:
    """What the environment says of the spool, and the default for the rest.

    Raises:
        InvalidConfig: a value is no number, or none that is possible.
    """
    return SpoolSettings(
        root=spool_root(),
        max_bytes=_number("RUNHISTORY_SPOOL_BYTES") or SPOOL_BYTES,
        sync_seconds=_seconds("RUNHISTORY_SPOOL_SYNC_SECONDS", SYNC_SECONDS, never=True),
        exit_seconds=_seconds("RUNHISTORY_EXIT_SECONDS", EXIT_SECONDS) or 0.0,
    )


def spool_root() -> Path | None:
    """The folder of this user's spools on this machine; None: there is to be none."""
    given = os.environ.get("RUNHISTORY_SPOOL")
    if given:
        return None if given == "off" else Path(given).expanduser().absolute()
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    try:
        return Path(state).expanduser().absolute() / "runhistory" / "spool"
    except (RuntimeError, OSError):  # no home
        return None


def _seconds(variable: str, default: float, *, never: bool = False) -> float | None:
    text = os.environ.get(variable)
    if not text:
        return default
    if never and text == "never":
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < math.inf:
        raise InvalidConfig(
            f"{variable} has to be a number of seconds{' or `never`' if never else ''}, "
            f"not {text!r}."
        )
    return seconds


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


def pairs(what: str, given: Mapping[str, Any] | None) -> dict[str, str]:
    """Tags, properties or params as names and texts; numbers and booleans become text, None
    becomes "".

    Raises:
        InvalidRequest: it is no dict, or a name or text is over its limit; the message says which.
    """
    if not isinstance(given, Mapping | None):
        raise InvalidRequest(f"{what} must be a dict of names and values, not {given!r}.")
    found = {}
    for name, value in (given or {}).items():
        found[_name(what, name)] = text = "" if value is None else str(value)
        if len(text) > MAX_TEXT:
            raise InvalidRequest(
                f"{what}: the value of {name!r} has {len(text)} characters, and {MAX_TEXT} are "
                "allowed. Keep long texts as files."
            )
    if len(found) > MAX_PAIRS:
        raise InvalidRequest(f"{what}: {len(found)} at once, and {MAX_PAIRS} are allowed.")
    return found


def names(what: str, given: str | Iterable[str]) -> list[str]:
    """One name or several, as a list.

    Raises:
        InvalidRequest: they are no names.
    """
    if not isinstance(given, Iterable):
        raise InvalidRequest(f"{what} must be a name or a list of names, not {given!r}.")
    return [_name(what, name) for name in ([given] if isinstance(given, str) else given)]


def _name(what: str, name: Any) -> str:
    try:
        return msgspec.convert(name, Name)
    except msgspec.ValidationError as error:
        raise InvalidRequest(
            f"{what}: {name!r} is no name; a name is a text of 1 to 256 characters without line "
            "breaks or other controls."
        ) from error


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
