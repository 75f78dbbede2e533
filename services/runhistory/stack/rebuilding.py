"""What `runhistory rebuild` does: the rebuild as a process of its own, and what it says.

The process speaks to Kafka and ClickHouse alone: those of the stack on this machine, or those
that RUNHISTORY_KAFKA and RUNHISTORY_CLICKHOUSE name.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from runhistory.runtime.settings import DEFAULT_PORT
from runhistory.stack.commands import StackError
from runhistory.stack.processes import engine_url, kafka_broker
from runhistory.stack.state import StackFiles, data_directory

_ADDRESSES: Final = ("RUNHISTORY_KAFKA", "RUNHISTORY_CLICKHOUSE")
_GOODBYE_SECONDS: Final = 60

Step = Callable[[str, int, int], None]
"""A step has so much done, of so much."""


def rebuild(
    data: Path | None, *, option: str | None = None, on_step: Step = lambda *_: None
) -> dict[str, Any]:
    """Run one to its end; `option` is one of the process's own, such as `--check`.

    Returns:
        The outcome, as the process says it (sink/rebuild.py).

    Raises:
        StackError: nothing runs there, or the rebuild was refused; the message says what to do.
        KeyboardInterrupt: interrupted; the process has ended in order.
    """
    command = [sys.executable, "-P", "-m", "runhistory.sink.rebuild_command"]
    process = subprocess.Popen(
        [*command, option] if option else command,
        env={**os.environ, **_addresses(data)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    try:
        return _follow(process, on_step)
    except BaseException:
        process.terminate()
        raise
    finally:
        _end(process)


def _follow(process: subprocess.Popen[bytes], on_step: Step) -> dict[str, Any]:
    assert process.stdout is not None
    for text in process.stdout:
        line: dict[str, Any] = msgspec.json.decode(text)
        if "step" in line:
            on_step(line["step"], line["done"], line["total"])
        elif "refused" in line:
            raise StackError(line["refused"])
        else:
            outcome: dict[str, Any] = line["outcome"]
            return outcome
    raise StackError(
        f"The rebuild's process ended with exit code {process.wait()}. Start it again: it goes on "
        "from where it stood, and readers see what they saw."
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_GOODBYE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    assert process.stdout is not None
    process.stdout.close()


def _addresses(data: Path | None) -> dict[str, str]:
    if data is None and any(os.environ.get(name) for name in _ADDRESSES):
        return {}
    files = StackFiles(data or data_directory())
    state = files.read_state()
    if state is None or state.phase == "stopped":
        raise StackError(
            f"No stack runs with its data in {files.data}. Start it with `runhistory up`, name "
            f"another with --data, or set {' and '.join(_ADDRESSES)}."
        )
    port = state.port or DEFAULT_PORT
    return {
        "RUNHISTORY_KAFKA": kafka_broker(files, port).bootstrap,
        "RUNHISTORY_CLICKHOUSE": engine_url(port),
    }
