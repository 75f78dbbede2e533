"""A turn as a process in the peer's environment, ended with everything that it started."""

import contextlib
import json
import os
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from bench.figures.stack import installed_environment
from bench.peers.report import ROOT

TURN_SECONDS = 300.0
_END_SECONDS = 60.0
_SETTINGS = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "NO_PROXY": "127.0.0.1,localhost",
}


class TurnFailed(Exception):
    """The message is the reason, in one line; `log` is what the turn said last."""

    def __init__(self, reason: str, log: str) -> None:
        super().__init__(reason)
        self.log = log


def take_turn(python: Path, module: str, share: float, rounds: int) -> dict[str, Any]:
    """What turn.py found.

    Raises:
        TurnFailed: it did not do all of the work, or was not ready in TURN_SECONDS.
    """
    with tempfile.TemporaryDirectory(prefix="runhistory-peer-") as directory:
        folder = Path(directory)
        data, result, log = folder / "data", folder / "result.json", folder / "turn.log"
        data.mkdir()
        command = [
            *(str(python), "-m", "bench.peers.turn", module, str(data), str(result)),
            *("--share", str(share), "--rounds", str(rounds)),
        ]
        in_time = _run(command, log)
        if not result.exists():
            said = log.read_text("utf-8", "replace")
            for path in (directory, str(ROOT), str(Path.home())):  # results are for everybody
                said = said.replace(path, "…")
            lines = said.splitlines()
            last = next((line for line in reversed(lines) if line.strip()), "it said nothing")
            reason = last if in_time else f"not ready in {TURN_SECONDS:g} s"
            raise TurnFailed(reason, "\n".join(lines[-30:]))
        found: dict[str, Any] = json.loads(result.read_text("utf-8"))
        return found


def _run(command: list[str], log: Path) -> bool:
    """Whether it ended by itself in time; everything of its process group has ended afterwards."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**installed_environment(), **_SETTINGS},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        process.wait(TURN_SECONDS)
        return True
    except subprocess.TimeoutExpired:
        return False
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()  # the turn stops its server by itself
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    with contextlib.suppress(ProcessLookupError):  # nobody is left, as it should be
        os.killpg(process.pid, signal.SIGKILL)
