"""Signs of life of the interactive runs that this process has begun and not ended.

One background thread for all of them sends a small request for each every 10 s (at first after
10 s: that a run was started is a sign as well). It keeps no process alive, and ends with the last
run. A process that dies or freezes is silent, and its runs become NotResponding, later Failed with
code `Lost`.

A forked child says nothing as long as it logs nothing: the run is its parent's. Once it logs it
speaks for the run too, so a daemon whose parent has gone keeps its run alive.
"""

import logging
import os
import threading
from typing import TYPE_CHECKING, Final

from runhistory.events.heartbeat import HEARTBEAT_SECONDS
from runhistory.sdk.errors import Gone, RunHistoryError, Unavailable

if TYPE_CHECKING:
    from runhistory.sdk.http import Connection

ANSWER_SECONDS: Final = 10.0

logger: Final = logging.getLogger("runhistory")

_runs: "dict[str, tuple[Connection, int]]" = {}
_lock = threading.Lock()
_thread: threading.Thread | None = None


def begin(connection: "Connection", run_id: str, attempt: int) -> None:
    """From now on, say that this attempt is alive."""
    with _lock:
        _runs[run_id] = (connection, attempt)
    resume()


def end(run_id: str) -> None:
    """Say no more: the run is over. One that is not spoken for is passed over."""
    with _lock:
        _runs.pop(run_id, None)


def resume() -> None:
    """See that the thread runs while there is something to say; after a fork it does not."""
    global _thread
    with _lock:
        if not _runs or _thread is not None:
            return
        _thread = threading.Thread(target=_beat, name="runhistory-heartbeats", daemon=True)
        try:
            _thread.start()
        except RuntimeError:  # the interpreter is ending
            _thread = None


def _beat() -> None:
    global _thread
    pause, every = threading.Event(), _interval()
    while True:
        pause.wait(every)
        with _lock:
            if not _runs:
                _thread = None
                return
            runs = list(_runs.items())
        for run_id, (connection, attempt) in runs:
            if run_id in _runs and not _send(connection, run_id, attempt):
                break  # the others wait for the next round rather than for the same silence


def _send(connection: "Connection", run_id: str, attempt: int) -> bool:
    """Send one, one try; false when the gateway does not answer."""
    path = f"/runs/{run_id}/attempts/{attempt}/heartbeat"
    try:
        connection.request("POST", path, patience=0.0, answer_within=ANSWER_SECONDS)
    except Unavailable:
        return False
    except Gone as error:
        logger.warning("runhistory: run %s is not spoken for any more: %s", run_id, error)
        end(run_id)
    except RunHistoryError as error:
        logger.debug("runhistory: a sign of life of run %s was refused: %s", run_id, error)
    return True


def _interval() -> float:
    try:
        return max(0.01, float(os.environ["RUNHISTORY_HEARTBEAT_SECONDS"]))
    except (KeyError, ValueError):
        return HEARTBEAT_SECONDS


def _begin_anew() -> None:
    global _lock, _thread
    _lock, _thread = threading.Lock(), None


os.register_at_fork(after_in_child=_begin_anew)
