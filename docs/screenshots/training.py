"""One run that is really submitted, and goes on while its pages are pictured."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from runhistory import Experiment, Run, ScriptRunConfig, Workspace

CODE: Final = Path(__file__).parent / "digits"
LAST_WORDS: Final = "never seen"
SECONDS: Final = 300
GPU_SECONDS: Final = 40


@contextlib.contextmanager
def train(workspace: Workspace) -> Iterator[Run]:
    """Submit it; given back when it has trained and evaluates, cancelled at the end."""
    config = ScriptRunConfig(
        source_directory=CODE,
        script="train.py",
        arguments=["--learning-rate", "0.03", "--hidden", "256"],
    )
    run = Experiment(workspace, "digits").submit(
        config,
        tags={"team": "vision", "candidate": "yes"},
        display_name="wide-0.03",
        description="The best of the sweep once more, before it goes out.",
    )
    try:
        _until_trained(workspace, run)
        _log_gpus(workspace, run)
        yield run
    finally:
        run.cancel()
        run.wait_for_completion(raise_on_error=False)


def _until_trained(workspace: Workspace, run: Run) -> None:
    path, deadline = f"/runs/{run.id}/logs", time.monotonic() + SECONDS
    while LAST_WORDS not in str(workspace.connection.get(path, tail=5)):
        assert time.monotonic() < deadline, f"the run is {run.get_status()}"
        time.sleep(0.5)


def _log_gpus(workspace: Workspace, run: Run) -> None:
    """What two GPUs would have said while it trained: this machine may have none."""
    seconds, now = range(GPU_SECONDS), time.time()
    figures = ("utilization", "temperature_celsius")
    keys = [f"system/gpu/{gpu}/{what}" for gpu in (0, 1) for what in figures]
    values = [
        [90 + 7 * (second * 7 % 11) / 11 if second > 4 else 3.0 for second in seconds],
        [41 + min(27.0, second * 1.4) for second in seconds],
        [86 + 9 * (second * 5 % 13) / 13 if second > 5 else 2.0 for second in seconds],
        [40 + min(24.0, second * 1.2) for second in seconds],
    ]
    times = [int((now - GPU_SECONDS + second) * 1e6) for second in seconds]
    batch = {
        "writer": "gpus",
        "seq": 0,
        "keys": keys,
        "key_index": [place + 1 for place in range(len(keys)) for _ in seconds],
        "steps": [*seconds] * len(keys),
        "values": [value for row in values for value in row],
        "times": times * len(keys),
    }
    path = f"/runs/{run.id}/attempts/1/metrics"
    workspace.connection.send("POST", path, batch)
