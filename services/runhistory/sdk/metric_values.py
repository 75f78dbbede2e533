"""What becomes a point: the check of a metric's name, value and step, at the call of `log`."""

import operator
import re
from numbers import Real
from typing import Any, Final, SupportsIndex

from runhistory.domain.values import MAX_INT64
from runhistory.events.metric_batch import MAX_KEY_LENGTH
from runhistory.sdk.errors import InvalidMetric

MIN_INT64: Final = -MAX_INT64 - 1

_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f]")


def check_name(name: Any) -> str:
    """The name itself, when a metric may have it.

    Raises:
        InvalidMetric: it is no text, empty, too long, or holds control characters.
    """
    if not isinstance(name, str):
        raise InvalidMetric(f"A metric's name must be a string, not {_kind(name)}.")
    if not name:
        raise InvalidMetric("A metric's name is empty; give it at least one character.")
    if len(name) > MAX_KEY_LENGTH:
        raise InvalidMetric(
            f"The metric's name {name[:40] + '…'!r} has {len(name):,} characters; "
            f"{MAX_KEY_LENGTH} are allowed."
        )
    if found := _CONTROLS.search(name):
        raise InvalidMetric(f"The metric's name {name!r} holds {found[0]!r}; leave it out.")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InvalidMetric(f"The metric's name {name!r} is no valid Unicode text.") from None
    return str.__str__(name)  # of a subclass (numpy's, an enum's) the text itself


def number(name: str, value: Any) -> float:
    """A value as a 64-bit float: int, float, bool, or a scalar or 0-d array or tensor of those.

    Arrays are known by what they can do (`item`, `ndim`), so no array library is imported.
    The item of a tensor on a GPU is waited for and fetched.

    Raises:
        InvalidMetric: it is no number, or one beyond what a float can be.
    """
    if type(value) is int:
        return _float(name, value)
    if dimensions := getattr(value, "ndim", 0):
        raise InvalidMetric(
            f"Metric {name!r}: {_kind(value)} has {dimensions} dimension(s), a point has one "
            "number. Log its mean or another number, or its elements with log_list."
        )
    try:
        scalar = value.item() if callable(getattr(value, "item", None)) else value
    except Exception as error:
        raise InvalidMetric(f"Metric {name!r}: {_kind(value)} gives no number: {error}") from error
    if not isinstance(scalar, Real) and type(scalar).__name__ != "Decimal":
        raise InvalidMetric(
            f"Metric {name!r}: {_shown(value)} is {_kind(value)}; a value is a number, a text or "
            "None. Log a number of it, or its text."
        )
    return _float(name, scalar)


def check_step(name: str, step: SupportsIndex) -> int:
    """The step as an int.

    Raises:
        InvalidMetric: it is no whole number, or none that 64 bits hold.
    """
    try:
        whole = operator.index(step)
    except TypeError:
        raise InvalidMetric(
            f"Metric {name!r}: the step {_shown(step)} is no whole number."
        ) from None
    if not MIN_INT64 <= whole <= MAX_INT64:
        raise InvalidMetric(
            f"Metric {name!r}: the step is beyond 64 bits (from {MIN_INT64} to {MAX_INT64})."
        )
    return whole


def _float(name: str, value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        raise InvalidMetric(
            f"Metric {name!r}: the value is beyond ±1.8e308, the largest 64-bit float."
        ) from None


def _kind(value: Any) -> str:
    return f"a {type(value).__name__}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "…"
