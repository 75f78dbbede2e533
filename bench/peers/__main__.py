"""The same work for runhistory, MLflow, FastTrackML, Aim and Trackio, each by its own best client.

    make bench-peers
    python -m bench.peers [--only MODULE ...] [--share 0.1] [--rounds 1]

Each is installed in an environment of its own below ~/.cache/runhistory/peers, and has its turn
alone: it is started before, and ended after. Prints the table with ratios and, unless anything was
left out, writes it to bench/results/peers.json and README.md. What fails is told with its reason
and stops nobody else.
"""

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.figures.machine import MachineLog
from bench.peers import report
from bench.peers.environments import PEERS, NotInstalled, Peer, ensure_python
from bench.peers.process import TurnFailed, take_turn
from bench.peers.turn import ROUNDS
from bench.runner import tell

from runhistory.stack.kafka_archive import ensure_archive
from runhistory.stack.kafka_jars import ensure_jars


def main(arguments: Sequence[str]) -> None:
    """What the command line asks for. Exits with 1 when a tracker failed."""
    options = _parsed(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    peers = [one for one in PEERS if not options.only or one.module in options.only]
    ensure_archive(ensure_jars())
    pythons = [_installed(peer) for peer in peers]  # all, before anything is measured
    machine = MachineLog(load=[os.getloadavg()[0]])
    trackers = []
    for peer, python in zip(peers, pythons, strict=True):
        with machine.watching():
            found = _measured(peer, python, options)
        trackers.append({"name": peer.title, **found})
    print(report.table(trackers))
    if options.only is None and options.share == 1.0 and options.rounds == ROUNDS:
        _write(trackers, machine)
    sys.exit(1 if any("failure" in one for one in trackers) else 0)


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.peers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    modules = [peer.module for peer in PEERS]
    parser.add_argument("--only", nargs="+", metavar="MODULE", choices=modules)
    parser.add_argument("--share", type=float, default=1.0, help="of the runs of each round")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    return parser.parse_args(arguments)


def _installed(peer: Peer) -> Path | None:
    try:
        return ensure_python(peer)
    except NotInstalled as error:
        tell(f"{peer.title} cannot be installed:\n{error}")
        return None


def _measured(peer: Peer, python: Path | None, options: argparse.Namespace) -> report.Found:
    """What was found, or the reason for which nothing was."""
    if python is None:
        return {"failure": "it could not be installed"}
    tell(peer.title)
    try:
        return take_turn(python, peer.module, options.share, options.rounds)
    except TurnFailed as error:
        tell(f"{peer.title} failed:\n{error.log}")
        return {"failure": str(error)}


def _write(trackers: Sequence[report.Found], machine: MachineLog) -> None:
    loops = [round(rate, 1) for rate in (min(machine.loops_per_s), max(machine.loops_per_s))]
    results: dict[str, Any] = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": {
            "cores": os.cpu_count(),
            "loop_m_rounds_per_s": loops,
            "load_before": round(machine.load[0], 1),
            "load_max": round(max(machine.load), 1),
        },
        "rounds": ROUNDS,
        "trackers": trackers,
    }
    report.RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", "utf-8")
    report.write_readme()
    print(f"written to {report.RESULTS} and {report.README}")


if __name__ == "__main__":
    main(sys.argv[1:])
