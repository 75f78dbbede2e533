"""MLflow: `mlflow server` on SQLite, and MlflowClient.

Points go by `log_batch`, 1,000 of them each (the most that it takes), the runs shared among some
threads: as many as were fastest. A run is `create_run`; a history is read by `get_metric_history`.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

from bench.peers.server import Server, checkpoint, free_port, program
from bench.peers.turn import Points, Series
from mlflow.entities import Metric
from mlflow.tracking import MlflowClient

BATCH = 1_000
THREADS = 4


class MlflowTracker:
    """A tracker that speaks MLflow's REST interface."""

    runs = 4
    threads = THREADS

    @property
    def version(self) -> str:
        """Of server and client, which are one package."""
        return version("mlflow")

    def start(self, folder: Path) -> None:
        """The server, its database and its artifacts below the folder."""
        self._database = folder / "mlflow.db"
        port = free_port()
        self._server = Server(self.command(folder, port), folder.parent / "server.log")
        self._server.wait_for(f"http://127.0.0.1:{port}/health")
        self._client = MlflowClient(f"http://127.0.0.1:{port}")
        self._reader = MlflowClient(f"http://127.0.0.1:{port}")
        self._experiment = self._client.create_experiment("bench")

    def command(self, folder: Path, port: int) -> list[str]:
        """What starts the server."""
        return [
            *(program("mlflow"), "server", "--host", "127.0.0.1", "--port", str(port)),
            *("--backend-store-uri", f"sqlite:///{self._database}"),
            *("--default-artifact-root", str(folder / "artifacts")),
        ]

    def create_run(self) -> str:
        """Its id."""
        run_id: str = self._client.create_run(self._experiment).info.run_id
        return run_id

    def log(self, points: Points) -> None:
        """A batch is stored, and shown to readers, when it is answered."""
        with ThreadPoolExecutor(self.threads) as threads:
            list(threads.map(lambda one: self._log_run(*one), points))

    def _log_run(self, run: str, series: Series) -> None:
        steps = BATCH // len(series)
        total = len(next(iter(series.values())))
        for first in range(0, total, steps):
            now = time.time_ns() // 1_000_000
            batch = [
                Metric(key, values[step], now, step)
                for key, values in series.items()
                for step in range(first, min(first + steps, total))
            ]
            self._client.log_batch(run, batch)

    def end_run(self, run: str) -> None:
        """Finished."""
        self._client.update_run(run, status="FINISHED")

    def read(self, run: str, key: str) -> list[float]:
        """By another client."""
        history = self._reader.get_metric_history(run, key)
        return [one.value for one in sorted(history, key=lambda one: one.step)]

    def settle(self) -> list[Path]:
        """What SQLite's log holds goes into the database."""
        checkpoint(self._database)
        return []

    def stop(self) -> None:
        """End the server."""
        self._server.stop()


TRACKER = MlflowTracker()
