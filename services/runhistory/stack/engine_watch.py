"""Kill the queries of clients that have gone.

A query that nobody waits for any more would go on using memory and CPU to its end. One thread looks
five times a second at the connections of all running queries; it sleeps while there is none.
"""

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import structlog

INTERVAL: Final = 0.2
_GONE: Final = select.POLLRDHUP | select.POLLHUP | select.POLLERR

log: Any = structlog.get_logger(__name__)


class ClientWatch(threading.Thread):
    """Knows which queries run for which connection. Methods may be called from any thread."""

    def __init__(self, kill: Callable[[str], None]) -> None:
        super().__init__(name="client-watch", daemon=True)
        self._kill = kill
        self._running: dict[str, int] = {}
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def watching(self, connection: socket.socket, token: str) -> Iterator[None]:
        """While inside, the query `token` is killed when `connection`'s other end closes."""
        with self._changed:
            self._running[token] = connection.fileno()
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                del self._running[token]
                self._changed.notify_all()

    def wait_until_idle(self, seconds: float) -> bool:
        """Whether no query runs any more within so many seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._running, seconds)

    def kill_all(self) -> None:
        """Kill every query that runs."""
        with self._changed:
            tokens = list(self._running)
        for token in tokens:
            self._try_to_kill(token)

    def run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._running)
            time.sleep(INTERVAL)
            for token in self._abandoned():
                log.info("query_killed", reason="its client has gone", token=token)
                self._try_to_kill(token)

    def _abandoned(self) -> list[str]:
        with self._changed:
            tokens = {number: token for token, number in self._running.items()}
            poll = select.poll()
            for number in tokens:
                poll.register(number, _GONE)
            # Inside the lock: a connection can only be closed after its query has left.
            return [tokens[number] for number, _ in poll.poll(0)]

    def _try_to_kill(self, token: str) -> None:
        try:
            self._kill(token)
        except RuntimeError as error:  # the engine is too busy: the next round tries again
            log.warning("kill_failed", error=str(error))
