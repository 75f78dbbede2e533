"""A tracker's server for the length of its turn, as a process of this one's group."""

import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

_START_SECONDS = 120.0
_STOP_SECONDS = 30.0


def program(name: str) -> str:
    """The path of a program that is installed beside this Python."""
    return str(Path(sys.executable).parent / name)


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


class Server:
    """The process, from `start` until `stop`."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )

    def wait_for(self, url: str) -> None:
        """Return when it answers. Raises RuntimeError, with the log's end, when it does not."""
        deadline = time.monotonic() + _START_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(url, timeout=5):  # noqa: S310
                    return
            except urllib.error.HTTPError:
                return
            except OSError:
                time.sleep(0.1)
        self.stop()
        raise RuntimeError(f"the server did not start: {self._log.read_text('utf-8')[-500:]}")

    def stop(self) -> None:
        """End it as its users would, and by force if that takes too long."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def checkpoint(database: Path) -> None:
    """Move what SQLite's log still holds into the database, as SQLite does in time by itself."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
