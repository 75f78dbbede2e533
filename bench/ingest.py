"""The figures of ingestion: how many points come in, how soon they are seen, what they cost.

    make bench
    python -m bench.ingest [--only NAME ...] [--details] [--list]

Starts a stack of its own (real Kafka, ClickHouse and services) in a temporary folder on free
ports; the client, and all of that, share this machine's cores. Points are distinct and are encoded
while they are sent; what counts as arrived is what the deduplicating view shows that users read.
Prints a table and writes the medians to bench/results/ingest.json. `bench/ingest_sink.py` beside
this measures the sink alone.
"""

from bench import runner
from bench.figures import disk, endurance, many_runs, points, sdk_log
from bench.figures.figure import Figure
from bench.figures.stack import BenchStack

FIGURES: tuple[Figure, ...] = (
    *points.FIGURES,
    *sdk_log.FIGURES,
    *many_runs.FIGURES,
    *disk.FIGURES,
    *endurance.FIGURES,
)


def _prepare(stack: BenchStack, figure: Figure) -> None:
    if not stack.is_up:
        runner.tell("starting a stack")
        stack.up()


SUITE = runner.Suite("ingest", __doc__, FIGURES, _prepare)

if __name__ == "__main__":
    runner.run(SUITE)
