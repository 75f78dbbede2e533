"""submit_to_first_line_s: `runhistory submit --follow` until the script's line is shown."""

import subprocess
import time

from bench.figures.figure import Details, Figure, Report
from bench.figures.stack import RUNHISTORY, BenchStack

from runhistory.sdk.workspace import Workspace

LINE = "the script's own line"
_SECONDS = 60.0


def measure_submit(stack: BenchStack, details: Details, report: Report) -> float:
    """One submission: the command's start, the snapshot, the queue, the environment, the line."""
    folder = stack.directory / "train"
    if not folder.exists():  # the first one prepares the environment, which stays cached
        folder.mkdir()
        (folder / "train.py").write_text(f"print({LINE!r})\n", "utf-8")
        _submit(stack)
    seconds, began = _submit(stack)
    for status, at in _timeline(stack):
        details.add(f"until_{status}", at - began, "s")
    return seconds


def _submit(stack: BenchStack) -> tuple[float, float]:
    """Seconds until the line, and when it began (since 1970)."""
    command = [*RUNHISTORY, "submit", "train", "--script", "train.py", "-e", "bench", "--follow"]
    wall, began = time.time(), time.monotonic()
    with subprocess.Popen(
        command,
        cwd=stack.directory,
        env={**stack.environment, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        seen = None
        for line in process.stdout:
            if seen is None and LINE in line:
                seen = time.monotonic() - began
        said = process.stderr.read()
        process.wait(_SECONDS)
    assert process.returncode == 0, f"submit ended with {process.returncode}: {said}"
    assert seen is not None, "the script's line was not shown"
    return seen, wall


def _timeline(stack: BenchStack) -> list[tuple[str, float]]:
    """When the last run reached each status, in seconds since 1970."""
    from datetime import datetime

    run = Workspace(stack.url).find_run("@latest", "bench")
    details = run.get_details()
    return [
        (one["status"], datetime.fromisoformat(one["time"]).timestamp())
        for one in details["timeline"]
    ]


FIGURES = [
    Figure(
        name="submit_to_first_line_s",
        unit="s",
        goal=3,
        better="less",
        rounds=5,
        measure=measure_submit,
        about="`runhistory submit --follow` until the script's line, environment cached",
    )
]
