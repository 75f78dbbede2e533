"""Run the plain, blocking functions of `query` beside the event loop.

A clickhouse-connect client is for one thread, so a small pool keeps one client for each of its
threads. The pool's queue is bounded: when ClickHouse is slow, readers are told so at once
instead of waiting behind each other for ever.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from runhistory.clickhouse.client import EngineUnavailable, open_client, reporting_unavailable

P = ParamSpec("P")
T = TypeVar("T")

THREADS: Final = 8
WAITING: Final = 128
READ_SECONDS: Final = 10
"""So long a reader waits, for a thread and for ClickHouse together."""


class Reader:
    """`read(function, …)` from any number of tasks of one event loop; `stop` at the end."""

    def __init__(self, url: str, threads: int = THREADS, waiting: int = WAITING) -> None:
        self._url, self._limit = url, threads + waiting
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="reader")
        self._local = threading.local()
        self._busy = 0

    async def read(
        self, function: Callable[Concatenate[Any, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """`function(client, *args, **kwargs)` in a thread; what it raises is raised here.

        Raises:
            EngineUnavailable: ClickHouse does not answer within READ_SECONDS, or too many reads
                wait already.
        """
        if self._busy >= self._limit:
            raise EngineUnavailable("too many reads are waiting")
        self._busy += 1
        call = asyncio.get_running_loop().run_in_executor(
            self._pool, lambda: self._call(lambda client: function(client, *args, **kwargs))
        )
        call.add_done_callback(self._done)  # not here: a caller that gives up frees no thread
        try:
            async with asyncio.timeout(READ_SECONDS):
                return await asyncio.shield(call)
        except TimeoutError as error:
            raise EngineUnavailable(f"no answer within {READ_SECONDS} s") from error

    def stop(self) -> None:
        """Let what runs come to its end, and take nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _done(self, call: "asyncio.Future[Any]") -> None:
        self._busy -= 1
        if not call.cancelled():
            call.exception()  # seen, even where the caller has given up

    def _call(self, function: Callable[[Any], T]) -> T:
        client = getattr(self._local, "client", None)
        if client is None:
            client = self._local.client = open_client(
                self._url, answer_seconds=READ_SECONDS, max_execution_time=READ_SECONDS
            )
        with reporting_unavailable():
            return function(client)
