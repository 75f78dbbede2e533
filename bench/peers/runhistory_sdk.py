"""runhistory through its SDK: a whole stack (Kafka, engine, services) and one process that logs.

Points go by `Run.log_series` of whole series, into all runs at once, each with a thread that
sends; then `flush`, and a question that is answered when the sink has passed all of it. A run is
`Experiment.start_logging`; a history is read by `Run.get_metrics`, as somebody else's.
"""

import os
from pathlib import Path

import numpy as np
from bench.figures.stack import BenchStack
from bench.peers.turn import Points

import runhistory
from runhistory import Experiment, Run
from runhistory.clickhouse.client import open_client
from runhistory.clickhouse.storages import FIRST_STORAGE
from runhistory.sdk.workspace import Workspace

EXPERIMENT = "bench"
_TABLES = (
    "SELECT concat(database, '.', name) FROM system.tables "
    "WHERE database = {d:String} AND engine LIKE '%MergeTree'"
)


class RunHistory:
    """A stack in a folder, and the SDK."""

    runs = 50

    @property
    def version(self) -> str:
        """Of the one package."""
        return runhistory.__version__

    def start(self, folder: Path) -> None:
        """`runhistory up`; what the client spools lies below the folder too."""
        os.environ["RUNHISTORY_SPOOL"] = str(folder / "spool")
        os.chdir(folder)  # in no git repository, whose commit runs would note
        self.stack = BenchStack(folder)
        try:
            self.stack.up()
        except BaseException:  # interrupted, too: a stack that is half up is a detached one
            self.stack.down()
            raise
        self.workspace: Workspace = self.stack.workspace()
        self.reader: Workspace = self.stack.workspace()

    def create_run(self) -> Run:
        """An interactive run that has begun."""
        return Experiment(self.workspace, EXPERIMENT).start_logging()

    def log(self, points: Points) -> None:
        """All series, then wait for all runs."""
        for run, series in points:
            for key, values in series.items():
                run.log_series(key, np.arange(len(values)), np.array(values))
        for run, _ in points:
            run.flush()
        self.workspace.sql("SELECT count() FROM runs")  # answered when all is visible

    def end_run(self, run: Run) -> None:
        """Completed."""
        run.complete()

    def read(self, run: Run, key: str) -> list[float]:
        """By an object that knows nothing but the run's id."""
        run = Run(Experiment(self.reader, EXPERIMENT), run.id)
        values: list[float] = run.get_metrics(key)[key]
        return values

    def settle(self) -> list[Path]:
        """Merge every table; the parts that merges have replaced are deleted within minutes."""
        engine = open_client(self.stack.engine_url)
        tables = engine.query(_TABLES, parameters={"d": FIRST_STORAGE}).result_rows
        for (table,) in tables:
            engine.command(f"OPTIMIZE TABLE {table} FINAL")
        rows = engine.query("SELECT path FROM system.parts WHERE NOT active").result_rows
        engine.close()
        return [Path(path) for (path,) in rows]

    def stop(self) -> None:
        """`runhistory down`."""
        self.stack.down()


TRACKER = RunHistory()
