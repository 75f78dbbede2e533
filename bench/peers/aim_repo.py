"""Aim: runs of one process straight into a local repository, which is its fastest way.

Points go by `Run.track` of a dict, one for each step. A reader of the SDK sees a run once it is in
the repository's index; `aim up` puts it there within some seconds, and here the same index
manager is called at once, when the run is closed. Samples of the system and the terminal's
output are switched off. A history is read by `Repo.get_run` and `Run.get_metric`.
"""

from importlib.metadata import version
from pathlib import Path

from aim import Repo, Run
from aim.sdk.index_manager import RepoIndexManager
from aim.storage.context import Context
from bench.peers.turn import Points


class AimTracker:
    """A repository in a folder; no server."""

    runs = 5

    @property
    def version(self) -> str:
        """Of the one package."""
        return version("aim")

    def start(self, folder: Path) -> None:
        """Make the repository, as `aim init` does."""
        self._folder = str(folder)
        self._repo = self._reader = Repo.from_path(self._folder, init=True)
        self._manager = RepoIndexManager.get_index_manager(self._repo)
        self._shown: Run | None = None
        self._open: dict[str, Run] = {}  # a Run that is kept holds files, larger than they will be

    def create_run(self) -> str:
        """Its hash; the run is open for tracking."""
        run = Run(
            repo=self._repo,
            experiment="bench",
            system_tracking_interval=None,
            log_system_params=False,
            capture_terminal_logs=False,
        )
        run_hash: str = run.hash
        self._open[run_hash] = run
        return run_hash

    def log(self, points: Points) -> None:
        """Track, close and index; a reader has to open the repository anew to see it."""
        for run_hash, series in points:
            run = self._open[run_hash]
            for step, values in enumerate(zip(*series.values(), strict=True)):
                run.track(dict(zip(series, values, strict=True)), step=step)
            run.close()
            self._manager.index(run_hash)
        self._reader, self._shown = Repo(self._folder), None

    def end_run(self, run: str) -> None:
        """Close it."""
        self._open.pop(run).close()

    def read(self, run: str, key: str) -> list[float]:
        """By a repository that was opened after the run was closed."""
        if self._shown is None or self._shown.hash != run:  # each opening leaves a log file
            self._shown = self._reader.get_run(run)
        metric = self._shown.get_metric(key, Context({}))
        _, columns = metric.data.view("val").items_list()
        values: list[float] = columns[0]
        return values

    def settle(self) -> list[Path]:
        """Nothing is left to do: a run is flushed when it is closed."""
        return []

    def stop(self) -> None:
        """Nothing was started."""


TRACKER = AimTracker()
