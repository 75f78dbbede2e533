"""What a figure is: a name, a goal, and how it is measured once."""

import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from bench.figures.stack import BenchStack

Report = Callable[[str], None]
"""Takes one line of progress, for people."""


class Details:
    """What was seen beside the figure itself: phases, other percentiles, shares of processes."""

    def __init__(self) -> None:
        self.values: dict[str, list[float]] = defaultdict(list)
        self.units: dict[str, str] = {}

    def add(self, name: str, value: float, unit: str) -> None:
        """One repetition's value of one detail."""
        self.values[name].append(value)
        self.units[name] = unit


@dataclass(frozen=True)
class Figure:
    """One figure of the issue. `measure` is one repetition; the runner takes the median."""

    name: str
    unit: str
    goal: float
    better: Literal["less", "more"]
    rounds: int
    measure: Callable[[BenchStack, Details, Report], float]
    about: str

    def meets(self, value: float) -> bool:
        """Whether the goal is reached."""
        return value <= self.goal if self.better == "less" else value >= self.goal


@dataclass(frozen=True)
class Measured:
    """A figure's repetitions, in order."""

    figure: Figure
    values: list[float]
    details: Details = field(default_factory=Details)

    @property
    def median(self) -> float:
        """What counts."""
        return statistics.median(self.values)

    def entries(self) -> list[dict[str, object]]:
        """For the results file: the figure, its range, and its details by `figure/detail`."""
        name, unit = self.figure.name, self.figure.unit
        found = [
            _entry(name, self.median, unit),
            _entry(f"{name}/min", min(self.values), unit),
            _entry(f"{name}/max", max(self.values), unit),
        ]
        for detail, values in self.details.values.items():
            value = statistics.median(values)
            found.append(_entry(f"{name}/{detail}", value, self.details.units[detail]))
        return found


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of `values` that `share` (0 to 1) of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _entry(name: str, value: float, unit: str) -> dict[str, object]:
    return {"name": name, "value": round(value, 3), "unit": unit}
