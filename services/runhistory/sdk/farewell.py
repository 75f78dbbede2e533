"""The writers of this process, and what becomes of them when it forks or ends.

A process has one writer for each run and attempt that it logs to. When Python ends, whatever
they still hold is sent, for RUNHISTORY_EXIT_SECONDS at most. A child made by `fork` writes under
ids of its own. multiprocessing ends such children without Python's exit functions, so there its
own are used.

The first writer of a process also has what earlier processes left behind sent (sync.py).
"""

import atexit
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from runhistory.sdk import heartbeats, sync
from runhistory.sdk.delivery import Delivery
from runhistory.sdk.errors import FlushTimeout
from runhistory.sdk.limits import spool_settings
from runhistory.sdk.metric_writer import MetricWriter

PATIENT_SECONDS: Final = 3.0

logger: Final = logging.getLogger("runhistory")

_writers: dict[Any, MetricWriter] = {}
_lock = threading.Lock()
_expecting_end_of: int | None = None
_has_waited_in_vain = False


def writer_for(key: Any, make: Callable[[Callable[[], None]], MetricWriter]) -> MetricWriter:
    """The process's writer for `key` (gateway, run, attempt); made by `make` at the first time.

    `make` is given the function that a writer calls before its thread starts.
    """
    with _lock:
        if key not in _writers:
            _writers[key] = make(_expect_end)
        return _writers[key]


def patience() -> float:
    """Seconds that an end, of a run or of the process, waits for the gateway:
    RUNHISTORY_EXIT_SECONDS, and few when the last that waited did so in vain."""
    seconds = spool_settings().exit_seconds
    return min(PATIENT_SECONDS, seconds) if _has_waited_in_vain else seconds


def has_waited(*, in_vain: bool) -> None:
    """Say whether the gateway could be told of the end of a run."""
    global _has_waited_in_vain
    _has_waited_in_vain = in_vain


def send_what_remains() -> None:
    """Flush every writer within RUNHISTORY_EXIT_SECONDS together; say what could not be sent, and
    where it is."""
    if not _writers:
        return
    deadline = time.monotonic() + patience()
    for delivery in [writer.delivery for writer in _writers.values()]:
        try:
            _flush(delivery, deadline)
        except FlushTimeout:
            _mourn(delivery)
        except KeyboardInterrupt:
            _mourn(delivery)
            deadline = time.monotonic()


def _flush(delivery: Delivery, deadline: float) -> None:
    left = max(0.0, deadline - time.monotonic())
    try:
        delivery.close(min(left, PATIENT_SECONDS))
    except FlushTimeout:
        left = deadline - time.monotonic()
        if left <= 0:
            raise
        logger.warning(
            "runhistory: waiting up to %.0f s for %s of %s to be sent (Ctrl-C gives up).",
            left,
            delivery.waiting,
            delivery.label,
        )
        delivery.close(left)


def _mourn(delivery: Delivery) -> None:
    if (folder := delivery.keep()) is not None:
        logger.error(
            "runhistory: %s of %s were NOT SENT. They are kept in %s; `runhistory sync` sends "
            "them, and so does the next program of yours that logs on this machine. %s",
            delivery.waiting,
            delivery.label,
            folder,
            delivery.trouble,
        )
        return
    logger.error(
        "runhistory: %s of %s were NOT SENT and could not be kept on disk: they are lost. %s",
        delivery.waiting,
        delivery.label,
        delivery.trouble,
    )


def _expect_end() -> None:
    """See that `send_what_remains` is called when this process ends."""
    global _expecting_end_of
    if _expecting_end_of == os.getpid():
        return
    if _expecting_end_of is None:
        atexit.register(send_what_remains)  # a forked child inherits it
    if "multiprocessing.process" in sys.modules:
        from multiprocessing import process, util

        if process.parent_process() is not None:
            util.Finalize(None, send_what_remains, exitpriority=100)
    if _expecting_end_of is None:
        sync.send_in_background()
    _expecting_end_of = os.getpid()
    heartbeats.resume()  # a child that logs speaks for the run as well


def _begin_anew() -> None:
    global _lock
    _lock = threading.Lock()
    for writer in _writers.values():
        writer.begin_in_child()


os.register_at_fork(after_in_child=_begin_anew)
