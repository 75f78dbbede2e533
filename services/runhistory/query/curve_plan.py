"""What of each attempt a curve shows, and the grid that it is drawn on. Pure.

A grid's width is 1, 2 or 5 times a power of ten and its lines stand at multiples of that: while a
run grows its buckets stay what they are, but for the last.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct

from runhistory.query.metrics import AttemptChoice

LEAST: Final = -(2**63)
MOST: Final = 2**63 - 1


class Beginning(Struct, frozen=True):
    """An attempt of a key, and the first step that it has there."""

    run_id: str
    key: str
    attempt: int
    first_step: int


class Segment(Struct, frozen=True):
    """The steps `low` to `high` of an attempt are shown, as a part of the curve of this number."""

    curve: int
    run_id: str
    key: str
    attempt: int
    low: int
    high: int


class CurveName(Struct, frozen=True):
    """Whose curve it is; `attempt` where it is one attempt's alone."""

    run_id: str
    key: str
    attempt: int | None = None


def make_segments(
    beginnings: Iterable[Beginning], choice: AttemptChoice
) -> tuple[list[CurveName], list[Segment]]:
    """The curves that `choice` has of these attempts, and what each is made of."""
    curves: list[CurveName] = []
    segments: list[Segment] = []
    by_key: dict[tuple[str, str], list[Beginning]] = defaultdict(list)
    for one in beginnings:
        by_key[one.run_id, one.key].append(one)
    for (run_id, key), attempts in sorted(by_key.items()):
        for name, parts in _curves_of(CurveName(run_id, key), attempts, choice):
            number = len(curves)
            curves.append(name)
            segments += [
                Segment(number, run_id, key, attempt, low, high) for attempt, low, high in parts
            ]
    return curves, segments


Part = tuple[int, int, int]
"""(attempt, low, high)"""


def _curves_of(
    name: CurveName, attempts: list[Beginning], choice: AttemptChoice
) -> Iterator[tuple[CurveName, list[Part]]]:
    match choice:
        case "latest":
            yield name, list(_latest(attempts))
        case "all":
            for one in sorted(attempts, key=lambda one: one.attempt):
                alone = CurveName(name.run_id, name.key, one.attempt)
                yield alone, [(one.attempt, LEAST, MOST)]
        case number:
            if any(one.attempt == number for one in attempts):
                yield name, [(number, LEAST, MOST)]


def _latest(attempts: list[Beginning]) -> Iterator[Part]:
    """An attempt hides earlier ones from its own first step on."""
    high = MOST
    for one in sorted(attempts, key=lambda one: one.attempt, reverse=True):
        if one.first_step <= high:
            yield one.attempt, one.first_step, high
            high = one.first_step - 1


def grid_width(first: int, last: int, buckets: int) -> int:
    """A width of which at most `buckets` (two or more) touch the range from `first` to `last`."""
    least = max(1, -((first - last) // (buckets - 1)))
    power: int = 10 ** (len(str(least)) - 1)  # the greatest that is not above it
    return next(width for digit in (1, 2, 5, 10) if (width := digit * power) >= least)
