"""create_and_log_runs_per_s: eight clients, each with one whole small run after the other.

A client is a process of its own that uses the SDK as a program does: `start_logging`, ten times
`log`, `complete`. Each request is answered before the
next; so the figure has the clients' own work in it, on the same cores.
"""

import multiprocessing
import os
import time
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier

from bench.figures.figure import Details, Figure, Report
from bench.figures.stack import BenchStack

from runhistory.sdk.experiment import Experiment
from runhistory.sdk.workspace import Workspace

CLIENTS = 8
SECONDS = 10.0
POINTS = 10


def measure_runs_per_s(stack: BenchStack, details: Details, report: Report) -> float:
    """Whole runs a second over SECONDS."""
    context = multiprocessing.get_context("spawn")
    ready, results = context.Barrier(CLIENTS + 1), context.SimpleQueue()
    clients = [
        context.Process(
            target=_client, args=(stack.url, str(stack.directory), ready, results), daemon=True
        )
        for _ in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    try:
        ready.wait(60)
        before = stack.cpu_seconds()
        found = [results.get() for _ in clients]
    finally:
        for client in clients:
            client.join(60)
            client.kill()
    runs = sum(count for count, _ in found)
    used = {name: after - before[name] for name, after in stack.cpu_seconds().items()}
    for name, seconds in [*used.items(), ("clients", sum(cpu for _, cpu in found))]:
        details.add(f"cpu_ms_a_run/{name}", seconds / runs * 1e3, "ms")
    return runs / SECONDS


def _client(url: str, directory: str, ready: Barrier, results: "SimpleQueue[object]") -> None:
    """One client process: puts (runs, CPU seconds)."""
    os.chdir(directory)  # in no git repository: asking git is no part of this figure
    experiment = Experiment(Workspace(url), "bench-throughput")
    _one_run(experiment)
    ready.wait(60)
    began, cpu, runs = time.monotonic(), time.process_time(), 0
    while time.monotonic() - began < SECONDS:
        _one_run(experiment)
        runs += 1
    results.put((runs, time.process_time() - cpu))


def _one_run(experiment: Experiment) -> None:
    run = experiment.start_logging()
    for step in range(POINTS):
        run.log("loss", 1.0 / (step + 1), step=step)
    run.complete()


FIGURES = [
    Figure(
        name="create_and_log_runs_per_s",
        unit="runs/s",
        goal=200,
        better="more",
        rounds=3,
        measure=measure_runs_per_s,
        about=f"{CLIENTS} SDK processes: start_logging, {POINTS} x log, complete; {SECONDS:g} s",
    )
]
