"""Progress bars for bytes and points on their way and for steps, where they can be drawn."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from runhistory.cli import terminal

Progress = Callable[[int, int], None]
"""So many bytes so far, of so many; the total may grow."""


@contextmanager
def progress_bar(title: str) -> Iterator[Progress]:
    """A bar on stderr that is gone at the end; nothing where nobody could watch it."""
    if not terminal.can_move(sys.stderr):
        yield lambda so_far, total: None
        return
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn(title),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda so_far, total: bar.update(task, completed=so_far, total=total)


@contextmanager
def counting_bar(title: str, total: int) -> Iterator[Callable[[int], object]]:
    """The same for things that are counted: called with how many more are done."""
    if not terminal.can_move(sys.stderr):
        yield lambda more: None
        return
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn(title),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda more: bar.update(task, advance=more)


@contextmanager
def step_bars() -> Iterator[Callable[[str, int, int], None]]:
    """A line on stderr for each step of long work: how much is done, how fast, how long it takes.

    Called with a step's title, what is done and the total.
    """
    from rich import progress
    from rich.console import Console

    class Rate(progress.ProgressColumn):
        def render(self, task: progress.Task) -> str:
            return f"{task.speed:,.0f}/s" if task.speed and (task.total or 0) > 1 else ""

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.TextColumn("{task.completed:,}/{task.total:,}"),
        Rate(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True)) as bar:
        tasks: dict[str, progress.TaskID] = {}

        def tell(title: str, done: int, total: int) -> None:
            if title not in tasks:
                tasks[title] = bar.add_task(title, total=max(total, 1))
            over = max(total, 1)
            bar.update(tasks[title], completed=done if total else over, total=over)

        yield tell
