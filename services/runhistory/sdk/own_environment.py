"""What this process runs in, put on record with its interactive runs, aside of their work.

One background thread for all runs: a run that was begun is recorded RECORD_AFTER seconds later,
unless it is over by then, so that a program which makes hundreds of short runs pays nothing. The
packages are read and sent once. What fails is tried no second time: a missing record hurts nobody.
"""

import logging
import os
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from runhistory.sdk.errors import RunHistoryError

if TYPE_CHECKING:
    from runhistory.sdk.run_client import RunClient

RECORD_AFTER: Final = 1.0

logger: Final = logging.getLogger("runhistory")

_begun: "deque[tuple[float, RunClient]]" = deque()
_open: set[str] = set()
_sent: set[tuple[str, str]] = set()
_lock = threading.Lock()
_thread: threading.Thread | None = None


def begin(client: "RunClient") -> None:
    """Record it soon."""
    global _thread
    with _lock:
        _open.add(client.run_id)
        _begun.append((time.monotonic() + RECORD_AFTER, client))
        if _thread is None:
            _thread = threading.Thread(target=_work, name="runhistory-environment", daemon=True)
            try:
                _thread.start()
            except RuntimeError:  # the interpreter is ending
                _thread = None


def end(run_id: str) -> None:
    """The run is over: what is not recorded by now is not."""
    _open.discard(run_id)


def _work() -> None:
    global _thread
    while True:
        with _lock:
            if not _begun:
                _thread = None
                return
            due, client = _begun.popleft()
        time.sleep(max(0.0, due - time.monotonic()))
        if client.run_id in _open:
            _open.discard(client.run_id)
            _record(client)


def _record(client: "RunClient") -> None:
    from runhistory.environments.installed import described, installed_lock

    try:
        lock = installed_lock()
        address = client.connection.address
        known = (f"{address.url} {address.workspace}", lock.sha256)
        if known not in _sent:
            client.connection.put(f"/blobs/{lock.sha256}", lock.text.encode())
            _sent.add(known)
        client.command("record_environment", environment=described(lock))
    except (RunHistoryError, OSError) as error:
        logger.debug("runhistory: the environment of %s is not recorded: %s", client.run_id, error)


def _begin_anew() -> None:
    """A forked child has no thread, and the runs are its parent's."""
    global _lock, _thread
    _lock, _thread = threading.Lock(), None
    _begun.clear()
    _open.clear()


os.register_at_fork(after_in_child=_begin_anew)
