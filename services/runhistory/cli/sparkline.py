"""A curve in one line of text: `█▆▅▃▂▁▁`."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

BARS: Final = "▁▂▃▄▅▆▇█"
PLAIN_BARS: Final = "_.-=+*#@"
WIDTH: Final = 24


def sparkline(values: Sequence[float], width: int = WIDTH, bars: str = BARS) -> str:
    """The values from left to right, lowest to highest bar.

    More values than `width` are drawn as the mean of equal shares. A share without any finite
    value is drawn as `!`; a curve without height as its middle bar.
    """
    shares = [_mean(share) for share in _shares(values, width)]
    finite = [share for share in shares if share is not None]
    if not finite:
        return "!" * len(shares)
    low, high = min(finite), max(finite)
    return "".join("!" if share is None else _bar(share, low, high, bars) for share in shares)


def bars_for(encoding: str | None) -> str:
    """Block letters where the encoding has them."""
    try:
        BARS.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return PLAIN_BARS
    return BARS


def _shares(values: Sequence[float], width: int) -> list[Sequence[float]]:
    count = min(len(values), width)
    edges = [len(values) * i // count for i in range(count + 1)] if count else []
    return [values[start:end] for start, end in pairwise(edges)]


def _mean(values: Sequence[float]) -> float | None:
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return None
    return sum(value / len(finite) for value in finite)  # divided first: sums may overflow


def _bar(value: float, low: float, high: float, bars: str) -> str:
    height = high / 2 - low / 2  # halves, since the difference may overflow
    if height == 0:
        return bars[len(bars) // 2 - 1]
    share = (value / 2 - low / 2) / height
    return bars[min(len(bars) - 1, int(share * len(bars)))]
