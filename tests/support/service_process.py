"""A service of ours as a process of its own, to be frozen, woken and killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType


def free_port() -> int:
    """A port of the loopback interface that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ServiceProcess:
    """`python -m runhistory.<room>`, ended for certain when the block is left.

    `program` is another module in its place, with its arguments.
    """

    def __init__(
        self, room: str, log: Path, program: tuple[str, ...] = (), **environment: str
    ) -> None:
        self.room, self._log, self.port = room, log, free_port()
        self._program = program or (f"runhistory.{room}",)
        self._environment = {**os.environ, **environment, "RUNHISTORY_PORT": str(self.port)}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "ServiceProcess":
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *self._program],
                env=self._environment,
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
            )
        return self

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        assert self._process is not None, "start it first"
        return self._process

    def kill(self) -> None:
        """kill -9: whatever it was doing stays as it is."""
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def stop(self, patience: float = 20) -> int:
        """SIGTERM, and the exit code; killed when it does not end in time."""
        self.process.terminate()
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def wait_ready(self, patience: float = 60) -> None:
        """Until `/healthz` answers 200."""
        deadline, last = time.monotonic() + patience, "no answer"
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"{self.room} died:\n{self.tail()}"
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=2):
                    return
            except urllib.error.HTTPError as error:
                last = json.loads(error.read()).get("reason", str(error))
            except OSError as error:
                last = str(error)
            time.sleep(0.05)
        raise AssertionError(f"{self.room} is not ready: {last}\n{self.tail()}")

    def tail(self) -> str:
        return "\n".join(self._log.read_text("utf-8", "replace").splitlines()[-30:])

    def __enter__(self) -> "ServiceProcess":
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self.thaw()
            self.kill()
