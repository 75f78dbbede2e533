"""The figures of the studio: how long its pages take, in a real browser.

    make bench
    python -m bench.studio [--only NAME ...] [--details] [--list]

Starts a stack of its own and a Chromium that shares this machine's cores with it. The page's own
clock measures, until the frame is drawn that shows what was waited for. Prints a table and writes
the medians to bench/results/studio.json. RUNHISTORY_BENCH_MINUTES says how long a page is watched
for memory_growth_mb (15).
"""

from bench import runner
from bench.figures import studio_curves, studio_memory, studio_table
from bench.figures.figure import Figure
from bench.figures.stack import BenchStack

FIGURES: tuple[Figure, ...] = (
    *studio_table.FIGURES,
    *studio_curves.FIGURES,
    *studio_memory.FIGURES,
)


def _prepare(stack: BenchStack, figure: Figure) -> None:
    if not stack.is_up:
        runner.tell("starting a stack")
        stack.up()


SUITE = runner.Suite("studio", __doc__, FIGURES, _prepare)

if __name__ == "__main__":
    runner.run(SUITE)
