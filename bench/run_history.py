"""The figures of a whole stack: how long people wait, how much it takes, what it costs idle.

    make bench
    python -m bench.run_history [--only NAME ...] [--details] [--list]

Starts a stack of its own (real Kafka, ClickHouse and services) in a temporary folder on free
ports, measures each figure several times, prints a table and writes the medians to
bench/results/run_history.json. Everything is stopped in the end, after Ctrl-C too.
"""

from bench import runner
from bench.figures import idle, requests, start, submission, subscription, throughput
from bench.figures.figure import Figure
from bench.figures.stack import BenchStack

FIGURES: tuple[Figure, ...] = (
    *start.FIGURES,
    *idle.FIGURES,  # before anything has been done: what a stack takes that waits
    *requests.FIGURES,
    *submission.FIGURES,
    *subscription.FIGURES,
    *throughput.FIGURES,
)


def _prepare(stack: BenchStack, figure: Figure) -> None:
    if not stack.is_up and figure not in start.FIGURES:
        runner.tell("starting a stack")
        stack.up()
    if figure in idle.FIGURES:
        idle.settle(runner.tell)


SUITE = runner.Suite("run_history", __doc__, FIGURES, _prepare)

if __name__ == "__main__":
    runner.run(SUITE)
