"""Runs a list of figures on a stack of its own, prints the table and writes the results file.

The machine counts: a fixed Python loop is timed before each repetition, and the use of all cores
during it is noted. Where the loop is slow, or the load before the start was not near 0, others
were at work and every figure is worse than it need be. docs/performance.md says more.
"""

import argparse
import json
import os
import signal
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.figures.figure import Details, Figure, Measured
from bench.figures.machine import MachineLog
from bench.figures.stack import BenchStack, StackNotUp, bench_stack

from runhistory.stack.kafka_archive import ensure_archive
from runhistory.stack.kafka_jars import ensure_jars

Prepare = Callable[[BenchStack, Figure], None]


@dataclass(frozen=True)
class Suite:
    """Figures that are measured together, and where their results are written."""

    name: str
    about: str
    figures: Sequence[Figure]
    prepare: Prepare
    """Called before each figure: starts the stack, unless the figure does that itself."""

    @property
    def results(self) -> Path:
        """The results file: a list of {name, value, unit}."""
        return Path(__file__).parent / "results" / f"{self.name}.json"


def run(suite: Suite, arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write. Exits with 1 when a figure could not be measured."""
    options = _parsed(suite, arguments)
    wanted = [one for one in suite.figures if not options.only or one.name in options.only]
    if options.list:
        for figure in wanted:
            print(f"{figure.name:28} {figure.about}")
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    machine = MachineLog(load=[os.getloadavg()[0]])
    try:
        measured, failures = _measure_all(suite, wanted, machine)
    except KeyboardInterrupt:
        sys.exit("\nInterrupted; everything that was started has been stopped.")
    except StackNotUp as error:
        sys.exit(f"No stack, so nothing to measure:\n{error}")
    print(table(measured, machine))
    if options.details:
        print(details_of(measured))
    if not options.only:
        suite.results.parent.mkdir(exist_ok=True)
        suite.results.write_text(encoded(measured, machine), "utf-8")
        print(f"written to {suite.results}")
    for name, why in failures.items():
        print(f"{name} could not be measured: {why}", file=sys.stderr)
    sys.exit(1 if failures else 0)


def tell(line: str) -> None:
    """A line of progress, with the time of day."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def _parsed(suite: Suite, arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=f"python -m bench.{suite.name}",
        description=suite.about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        choices=[figure.name for figure in suite.figures],
        help="measure these alone, and leave the results file as it is",
    )
    parser.add_argument("--details", action="store_true", help="show phases and shares too")
    parser.add_argument("--list", action="store_true", help="say what each figure is, and end")
    return parser.parse_args(arguments)


def _measure_all(
    suite: Suite, figures: Sequence[Figure], machine: MachineLog
) -> tuple[list[Measured], dict[str, str]]:
    measured, failures = [], {}
    ensure_archive(ensure_jars())  # or the first stack would make it beside what is measured
    with bench_stack() as stack:
        for figure in figures:
            suite.prepare(stack, figure)
            try:
                measured.append(_measure(stack, figure, machine))
            except StackNotUp:
                raise
            except Exception as error:  # one figure must not cost the others
                failures[figure.name] = repr(error)
                tell(f"{figure.name}: {error!r}")
    return measured, failures


def _measure(stack: BenchStack, figure: Figure, machine: MachineLog) -> Measured:
    values: list[float] = []
    details = Details()
    for number in range(figure.rounds):
        with machine.watching():
            values.append(figure.measure(stack, details, tell))
        tell(f"{figure.name} {number + 1}/{figure.rounds}: {values[-1]:.4g} {figure.unit}")
    return Measured(figure, values, details)


def table(measured: Sequence[Measured], machine: MachineLog) -> str:
    """What people read."""
    lines = [f"{'':2}{'figure':28}{'goal':>10}{'median':>10}{'min':>10}{'max':>10}  unit"]
    for one in measured:
        figure = one.figure
        sign = "≤" if figure.better == "less" else "≥"
        mark = "  " if figure.meets(one.median) else "! "
        lines.append(
            f"{mark}{figure.name:28}{f'{sign} {figure.goal:g}':>10}{one.median:>10.4g}"
            f"{min(one.values):>10.4g}{max(one.values):>10.4g}  {figure.unit}"
        )
    lines.append(
        f"machine: {os.cpu_count()} cores, {statistics.median(machine.loops_per_s):.1f} M loop "
        f"rounds/s ({min(machine.loops_per_s):.1f}–{max(machine.loops_per_s):.1f}), "
        f"load {machine.load[0]:.1f} before, at most {max(machine.load):.1f} meanwhile"
    )
    return "\n".join(lines)


def details_of(measured: Sequence[Measured]) -> str:
    """What is in the results file beside the figures: medians of phases, shares, percentiles."""
    entries = [entry for one in measured for entry in one.entries()]
    return "\n".join(f"  {e['name']:60}{e['value']:>12} {e['unit']}" for e in entries)


def encoded(measured: Sequence[Measured], machine: MachineLog) -> str:
    """The results file: a list of {name, value, unit}. Figures by their names, details below."""
    entries = [entry for one in measured for entry in one.entries()]
    entries.sort(key=lambda entry: "/" in str(entry["name"]))
    seen: list[tuple[str, float, str]] = [
        ("machine/cores", os.cpu_count() or 1, "cores"),
        ("machine/loop", statistics.median(machine.loops_per_s), "M rounds/s"),
        ("machine/loop_min", min(machine.loops_per_s), "M rounds/s"),
        ("machine/loop_max", max(machine.loops_per_s), "M rounds/s"),
        ("machine/load_before", machine.load[0], "processes"),
        ("machine/load_max", max(machine.load), "processes"),
        ("machine/busy", statistics.median(machine.busy_percent), "% of all cores"),
    ]
    entries += [{"name": n, "value": round(v, 3), "unit": u} for n, v, u in seen]
    lines = ",\n".join(f"  {json.dumps(entry, ensure_ascii=False)}" for entry in entries)
    return f"[\n{lines}\n]\n"
