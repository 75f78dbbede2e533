"""The figures of a whole stack: how long people wait, how much it takes, what it costs idle.

    make bench
    python -m bench.run_history [--only NAME ...] [--details] [--list]

Starts a stack of its own (real Kafka, ClickHouse and services) in a temporary folder on free
ports, measures each figure several times, prints a table and writes the medians to
bench/results/run_history.json. Everything is stopped in the end, after Ctrl-C too.
`bench/ingest_sink.py` beside this measures how many points a second the sink alone takes.

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
from collections.abc import Sequence
from pathlib import Path

from bench.figures import idle, requests, start, submission, subscription, throughput
from bench.figures.figure import Details, Figure, Measured
from bench.figures.machine import MachineLog
from bench.figures.stack import BenchStack, StackNotUp, bench_stack

from runhistory.stack.kafka_archive import ensure_archive
from runhistory.stack.kafka_jars import ensure_jars

RESULTS = Path(__file__).parent / "results" / "run_history.json"

FIGURES: tuple[Figure, ...] = (
    *start.FIGURES,
    *idle.FIGURES,  # before anything has been done: what a stack takes that waits
    *requests.FIGURES,
    *submission.FIGURES,
    *subscription.FIGURES,
    *throughput.FIGURES,
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write. Exits with 1 when a figure could not be measured."""
    options = _parsed(arguments)
    wanted = [one for one in FIGURES if not options.only or one.name in options.only]
    if options.list:
        for figure in wanted:
            print(f"{figure.name:28} {figure.about}")
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    machine = MachineLog(load=[os.getloadavg()[0]])
    try:
        measured, failures = _measure_all(wanted, machine)
    except KeyboardInterrupt:
        sys.exit("\nInterrupted; everything that was started has been stopped.")
    except StackNotUp as error:
        sys.exit(f"No stack, so nothing to measure:\n{error}")
    print(table(measured, machine))
    if options.details:
        print(details_of(measured))
    if not options.only:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(encoded(measured, machine), "utf-8")
        print(f"written to {RESULTS}")
    for name, why in failures.items():
        print(f"{name} could not be measured: {why}", file=sys.stderr)
    sys.exit(1 if failures else 0)


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.run_history",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        choices=[figure.name for figure in FIGURES],
        help="measure these alone, and leave the results file as it is",
    )
    parser.add_argument("--details", action="store_true", help="show phases and shares too")
    parser.add_argument("--list", action="store_true", help="say what each figure is, and end")
    return parser.parse_args(arguments)


def _measure_all(
    figures: Sequence[Figure], machine: MachineLog
) -> tuple[list[Measured], dict[str, str]]:
    measured, failures = [], {}
    ensure_archive(ensure_jars())  # or the first stack would make it beside what is measured
    with bench_stack() as stack:
        for figure in figures:
            _prepare(stack, figure)
            try:
                measured.append(_measure(stack, figure, machine))
            except StackNotUp:
                raise
            except Exception as error:  # one figure must not cost the others
                failures[figure.name] = repr(error)
                _tell(f"{figure.name}: {error!r}")
    return measured, failures


def _prepare(stack: BenchStack, figure: Figure) -> None:
    if not stack.is_up and figure not in start.FIGURES:
        _tell("starting a stack")
        stack.up()
    if figure in idle.FIGURES:
        idle.settle(_tell)


def _measure(stack: BenchStack, figure: Figure, machine: MachineLog) -> Measured:
    values: list[float] = []
    details = Details()
    for number in range(figure.rounds):
        with machine.watching():
            values.append(figure.measure(stack, details, _tell))
        _tell(f"{figure.name} {number + 1}/{figure.rounds}: {values[-1]:.4g} {figure.unit}")
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


def _tell(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
