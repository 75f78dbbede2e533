"""Trackio: runs of one process into its local SQLite database, which needs no server.

Points go by `Run.log` of a dict, one for each step; `finish` returns when the run's sender thread
has written all. `trackio.init` only makes an object in memory: its run is written with its
first point. There is no history in its `Api`; a history is read by the function that
`trackio get metric` calls. Samples of CPU and GPU are switched off.
"""

import contextvars
import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.peers.server import checkpoint
from bench.peers.turn import Points

PROJECT = "bench"


class TrackioTracker:
    """A database in a folder; no server."""

    runs = 20

    @property
    def version(self) -> str:
        """Of the one package."""
        return version("trackio")

    def start(self, folder: Path) -> None:
        """It reads the variable when it is imported."""
        os.environ["TRACKIO_DIR"] = str(folder)
        import trackio
        from trackio.sqlite_storage import SQLiteStorage

        self._init, self._storage, self._folder = trackio.init, SQLiteStorage, folder

    def create_run(self) -> Any:
        """In a context of its own, since `init` ends the run of the context it is called in."""
        return contextvars.Context().run(
            self._init, PROJECT, embed=False, auto_log_cpu=False, auto_log_gpu=False
        )

    def log(self, points: Points) -> None:
        """Log run after run; then wait for the threads that write."""
        for run, series in points:
            for step, values in enumerate(zip(*series.values(), strict=True)):
                run.log(dict(zip(series, values, strict=True)), step=step)
        for run, _ in points:
            run.finish()

    def end_run(self, run: Any) -> None:
        """Finish it."""
        run.finish()

    def read(self, run: Any, key: str) -> list[float]:
        """From the database."""
        rows = self._storage.get_metric_values(PROJECT, run.name, key, run_id=run.id)
        return [row["value"] for row in sorted(rows, key=lambda row: row["step"])]

    def settle(self) -> list[Path]:
        """What SQLite's log holds goes into the database."""
        for database in self._folder.glob("*.db"):
            checkpoint(database)
        return []

    def stop(self) -> None:
        """Nothing was started."""


TRACKER = TrackioTracker()
