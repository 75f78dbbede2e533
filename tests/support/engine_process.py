"""An engine process of one's own, to be killed and started again."""

import contextlib
import http.client
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import clickhouse_connect
from clickhouse_connect.driver.client import Client

from runhistory.stack.ports import free_base_port

START_SECONDS = 60


class EngineProcess:
    """`python -m runhistory.stack.engine` on a free port of 127.0.0.1."""

    def __init__(self, data: Path) -> None:
        self.data, self.port = data, free_base_port() + 12
        self.tracer: tuple[str, ...] = ()
        """A command that runs the engine's command."""
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Returns when it answers."""
        self.process = self.spawn()
        deadline = time.monotonic() + START_SECONDS
        while not self.is_up():
            assert self.process.poll() is None, "the engine ended while it started"
            assert time.monotonic() < deadline, "the engine did not start in time"
            time.sleep(0.05)

    def spawn(self, *more: str) -> "subprocess.Popen[bytes]":
        """Only start a process with this engine's data and port; `more` arguments win."""
        arguments = ["--data", str(self.data), "--port", str(self.port), *more]
        engine = [sys.executable, "-P", "-m", "runhistory.stack.engine", *arguments]
        command = [*self.tracer, *engine]
        return subprocess.Popen(command, stdout=subprocess.PIPE)

    def refusal(self, *more: str) -> str:
        """Why a start is refused; it has to be refused."""
        process = self.spawn(*more)
        output, _ = process.communicate(timeout=START_SECONDS)
        assert process.returncode == 2, output
        return str(json.loads(output.splitlines()[-1])["error"])

    def is_up(self) -> bool:
        """Whether it answers."""
        with contextlib.suppress(OSError):
            return self.request("GET", "/ping")[0] == 200
        return False

    def request(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(
                method, path, body, {k.replace("_", "-"): v for k, v in headers.items()}
            )
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def client(self, **options: Any) -> Client:
        """clickhouse-connect's ordinary client, with its defaults."""
        return clickhouse_connect.get_client(host="127.0.0.1", port=self.port, **options)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it by a signal; its exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        self.process.communicate(timeout=30)
        return int(self.process.returncode)


@contextlib.contextmanager
def running_engine(data: Path) -> Iterator[EngineProcess]:
    """An engine that has started, and is gone at the end for certain."""
    engine = EngineProcess(data)
    try:
        engine.start()
        yield engine
    finally:
        if engine.process is not None and engine.process.poll() is None:
            engine.process.kill()
            engine.process.communicate()
