"""One tracker's turn: the same work for each, timed alike, checked by reading everything back.

    python -m bench.peers.turn TRACKER FOLDER RESULT [--share 0.1] [--rounds 1]

Runs in the tracker's own environment, so this file needs nothing but Python. TRACKER is a module
beside this one, whose `TRACKER` is measured with its data below FOLDER; RESULT is the file of
what was found. Runs are alike for all: 10 keys with a normally distributed number for each of 1,000
steps, other numbers in each run and round. Fast trackers get more runs.
"""

import argparse
import gc
import importlib
import json
import random
import signal
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

KEYS = tuple(f"train/metric_{number}" for number in range(10))
STEPS = 1_000
HISTORY_STEPS = 100
HISTORY_RUNS = 5
CREATIONS = 30
READS = 100
ROUNDS = 3

Series = dict[str, list[float]]
"""The values of each key at steps 0, 1, 2, …"""

Points = list[tuple[Any, Series]]
"""Runs, as the tracker's `create_run` gives them, and what is logged to each."""


class Tracker(Protocol):
    """One tracker through the client that its users have. What a run is, is its own affair."""

    runs: int
    """That are logged to in a round: so many that it takes some seconds, not minutes."""

    @property
    def version(self) -> str:
        """Of the tracker, and of the client where that is another package."""

    def start(self, folder: Path) -> None:
        """Start what it needs, all of its data below `folder`; return when it is ready."""

    def create_run(self) -> Any:
        """Create a run that points can be logged to."""

    def log(self, points: Points) -> None:
        """Send all; return when a reader that asks from now on sees all of it."""

    def end_run(self, run: Any) -> None:
        """The run is over."""

    def read(self, run: Any, key: str) -> list[float]:
        """A whole series in the order of its steps, as others read it who did not log it."""

    def settle(self) -> list[Path]:
        """Do now what it does in time by itself, such as merging; the folders it will delete."""

    def stop(self) -> None:
        """End all that was started."""


def take_turn(tracker: Tracker, folder: Path, share: float, rounds: int) -> dict[str, Any]:
    """Start it, do all of the work, end it; what was found, with a value for each round."""
    count = max(1, round(tracker.runs * share))
    tracker.start(folder)
    try:
        tracker.end_run(tracker.create_run())
        create_ms = [_create(tracker) for _ in range(rounds)]
        runs = [tracker.create_run() for _ in range(HISTORY_RUNS)]
        _log(tracker, rounds, runs, HISTORY_STEPS)
        before = _settled(tracker, folder)
        rates = [_rate(tracker, number, count) for number in range(rounds)]
        read_ms = [_read(tracker, runs) for _ in range(rounds)]
        added = _settled(tracker, folder) - before
    finally:
        tracker.stop()
    points = count * STEPS * len(KEYS)
    return {
        "version": tracker.version,
        "points_a_round": points,
        "points_per_s": rates,
        "create_ms": create_ms,
        "read_ms": read_ms,
        "bytes_per_point": [added / (rounds * points)],
    }


def size_of(folder: Path) -> int:
    """Bytes that all files of the folder take on the disk: a hole in a file takes none."""
    return sum(path.stat().st_blocks * 512 for path in _files(folder))


def values_of(number: int, run: int, steps: int) -> Series:
    """What is logged to a run in a round: the same for every tracker, another for each run."""
    numbers = random.Random(f"{number}/{run}")
    return {key: [numbers.gauss(0.0, 1.0) for _ in range(steps)] for key in KEYS}


def _settled(tracker: Tracker, folder: Path) -> int:
    """Bytes that it keeps."""
    gc.collect()  # files of a client's forgotten objects may hold space in advance
    left = tracker.settle()
    return size_of(folder) - sum(size_of(one) for one in left)


def _create(tracker: Tracker) -> float:
    milliseconds = []
    for _ in range(CREATIONS):
        began = time.perf_counter()
        run = tracker.create_run()
        milliseconds.append((time.perf_counter() - began) * 1e3)
        tracker.end_run(run)
    return statistics.median(milliseconds)


def _rate(tracker: Tracker, number: int, count: int) -> float:
    """Points a second until visible."""
    seconds = _log(tracker, number, [tracker.create_run() for _ in range(count)], STEPS)
    return count * STEPS * len(KEYS) / seconds


def _log(tracker: Tracker, number: int, runs: Sequence[Any], steps: int) -> float:
    """Seconds until visible; raises when what is read afterwards is not what was sent."""
    points = [(run, values_of(number, place, steps)) for place, run in enumerate(runs)]
    began = time.perf_counter()
    tracker.log(points)
    seconds = time.perf_counter() - began
    for run, series in points:
        for key, values in series.items():
            found = tracker.read(run, key)
            assert found == values, f"{len(found)} of {len(values)} points of {key}, or others"
        tracker.end_run(run)
    return seconds


def _read(tracker: Tracker, runs: Sequence[Any]) -> float:
    choices, milliseconds = random.Random(0), []
    for _ in range(READS):
        run, key = choices.choice(runs), choices.choice(KEYS)
        began = time.perf_counter()
        tracker.read(run, key)
        milliseconds.append((time.perf_counter() - began) * 1e3)
    return statistics.median(milliseconds)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def main(arguments: Sequence[str]) -> None:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers.turn")
    parser.add_argument("tracker")
    parser.add_argument("folder", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--share", type=float, default=1.0, help="of the runs")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    tracker: Tracker = importlib.import_module(f"bench.peers.{options.tracker}").TRACKER
    found = take_turn(tracker, options.folder.resolve(), options.share, options.rounds)
    options.result.write_text(json.dumps(found), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
