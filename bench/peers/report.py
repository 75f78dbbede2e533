"""What was found, as a table with ratios: for the terminal, and from its file for README.md.

python -m bench.peers.report     # write README's table anew
"""

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

from bench.peers.turn import KEYS, STEPS

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "bench" / "results" / "peers.json"
README = ROOT / "README.md"
BEGIN, END = "<!-- bench/peers/report.py writes this -->\n", "<!-- until here -->\n"

_QUIET_LOAD = 1.0
_NOT_QUIET = "**Others were at work there, more in some turns than in others: not a fair run.** "

Found = dict[str, Any]
"""One tracker: `name`, and what turn.take_turn gives, or `failure` with its reason."""


@dataclass(frozen=True)
class Column:
    """One thing that was measured: a value for each round."""

    name: str
    title: str
    better: Literal["less", "more"]

    def median(self, found: Found) -> float:
        """What counts."""
        values: list[float] = found[self.name]
        return statistics.median(values)

    def advantage(self, ours: Found, theirs: Found) -> float:
        """How many times better ours is; below 1 it is worse."""
        a, b = self.median(ours), self.median(theirs)
        return a / b if self.better == "more" else b / a


COLUMNS = (
    Column("points_per_s", "points/s until visible", "more"),
    Column("create_ms", "create a run, ms", "less"),
    Column("read_ms", "read 100 points, ms", "less"),
    Column("bytes_per_point", "bytes a point on disk", "less"),
)


def table(trackers: Sequence[Found]) -> str:
    """Markdown. The first tracker is what the others are compared with."""
    titles = ["tracker", "points a round", *(column.title for column in COLUMNS)]
    rows = [_row(titles), "|---|" + "---:|" * (len(titles) - 1)]
    return "\n".join([*rows, *(_tracker(one, trackers[0]) for one in trackers)])


def saved() -> dict[str, Any] | None:
    """What the results file says; None as long as there is none."""
    if not RESULTS.exists():
        return None
    results: dict[str, Any] = json.loads(RESULTS.read_text("utf-8"))
    return results


def section(results: dict[str, Any] | None) -> str:
    """The part of README between BEGIN and END."""
    if results is None:
        return "\nNot measured on a quiet machine yet.\n\n"
    machine, day = results["machine"], date.fromisoformat(results["date"])
    low, high = machine["loop_m_rounds_per_s"]
    quiet = machine["load_before"] <= _QUIET_LOAD
    return (
        f"\n{table(results['trackers'])}\n\n"
        f"{day.day} {day:%B %Y}, {machine['cores']} cores for clients and servers together "
        f"({low:g} to {high:g} M rounds/s of a fixed Python loop, "
        f"load {machine['load_before']:g} before). {'' if quiet else _NOT_QUIET}"
        f"Medians of {results['rounds']} rounds; a run has {len(KEYS)} keys and {STEPS:,} steps. "
        "In brackets: how many times better runhistory's SDK is; below 1 it is worse.\n\n"
    )


def put_into(readme: str, results: dict[str, Any] | None) -> str:
    """README with the section of these results."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + section(results) + END + after


def write_readme() -> None:
    """Write the table of the results file into README.md."""
    README.write_text(put_into(README.read_text("utf-8"), saved()), "utf-8")


def _tracker(found: Found, ours: Found) -> str:
    if "failure" in found:
        return _row([found["name"], f"failed: {found['failure']}", *[""] * len(COLUMNS)])
    cells = [f"{found['name']} {found['version']}", f"{found['points_a_round']:,}"]
    for column in COLUMNS:
        cell = _number(column.median(found))
        if found is not ours and "failure" not in ours:
            cell += f" ({_number(column.advantage(ours, found))}×)"
        cells.append(cell)
    return _row(cells)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _number(value: float) -> str:
    """With two digits that count, and all of those before the point."""
    return f"{float(f'{value:.2g}'):,.0f}" if value >= 10 else f"{float(f'{value:.2g}'):g}"


if __name__ == "__main__":
    write_readme()
