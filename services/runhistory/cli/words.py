"""Sizes, times and numbers as people read them."""

import math
from datetime import UTC, datetime
from typing import Any

UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def size(count: int) -> str:
    """`403.5 KiB`."""
    amount, unit = float(count), 0
    while amount >= 1024 and unit < len(UNITS) - 1:
        amount, unit = amount / 1024, unit + 1
    return f"{count} {UNITS[0]}" if unit == 0 else f"{amount:.1f} {UNITS[unit]}"


def number(value: Any) -> str:
    """A metric's value with six significant digits; NaN and infinities by name; `-` for none."""
    if value is None:
        return "-"
    found = float(value)  # "NaN" and "Infinity" are how JSON carries them
    if math.isnan(found):
        return "NaN"
    if math.isinf(found):
        return "Infinity" if found > 0 else "-Infinity"
    return f"{found:.6g}"


def moment(text: str | None) -> str:
    """An RFC 3339 time in this machine's time zone, to the second; `-` for none."""
    if not text:
        return "-"
    return _parse(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def duration(start: str | None, end: str | None) -> str:
    """From one RFC 3339 time to another, or to now: `14.2 s`, `3 min 07 s`, `2 h 05 min`."""
    if not start:
        return "-"
    until = _parse(end) if end else datetime.now(UTC)
    return span(max(0.0, (until - _parse(start)).total_seconds()))


def span(seconds: float) -> str:
    """`14.2 s`, `3 min 07 s`, `2 h 05 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def _parse(text: str) -> datetime:
    return datetime.fromisoformat(text)
