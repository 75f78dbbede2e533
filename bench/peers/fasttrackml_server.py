"""FastTrackML: `fml server` on SQLite, with the client of MLflow 2, whose interface it serves.

Work and client are those of mlflow_server.py.
"""

from importlib.metadata import version
from pathlib import Path

from bench.peers.mlflow_server import MlflowTracker
from bench.peers.server import program


class FastTrackMl(MlflowTracker):
    """The same client against another server."""

    runs = 10
    threads = 2

    @property
    def version(self) -> str:
        """Of the server, and of MLflow's client."""
        return f"{version('fasttrackml')}, client mlflow {version('mlflow')}"

    def command(self, folder: Path, port: int) -> list[str]:
        """What starts the server."""
        address = f"127.0.0.1:{port}"
        return [program("fml"), "server", "-a", address, "-d", f"sqlite://{self._database}"]


TRACKER = FastTrackMl()
