"""Into which storage databases the sink writes: one, or two while a rebuild is under way.

The list is looked up in each generation of the group, after it has begun, and after each failure.
So what a generation commits is in every storage that stood in the list when the generation
began: whoever puts a storage into the list and then makes the group begin a new generation
knows that from the offsets committed by then on nothing is missing there (see `rebuild`).
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import structlog

from runhistory.clickhouse.client import open_client
from runhistory.clickhouse.storages import load_storages
from runhistory.sink.store import ClickHouseStore, Unavailable

log: Any = structlog.get_logger(__name__)


class WrittenStorages:
    """A Store: an INSERT was answered when every storage has the rows."""

    def __init__(self, url: str, generation: Callable[[], int]) -> None:
        self._store = ClickHouseStore(lambda: open_client(url, "default"), "default")
        self._generation = generation
        self._looked_up_in: int | None = None
        self._writing: tuple[str, ...] = ()

    async def insert(self, table: str, rows: Sequence[bytes]) -> None:
        """See Store."""
        try:
            await self._look_up()
            results = await asyncio.gather(
                *(self._store.insert_into(storage, table, rows) for storage in self._writing),
                return_exceptions=True,  # a failed INSERT is over everywhere before it is repeated
            )
            failures = [one for one in results if isinstance(one, BaseException)]
            for failure in sorted(failures, key=lambda one: not isinstance(one, Unavailable)):
                raise failure
        except Unavailable:
            self._looked_up_in = None
            raise

    async def ping(self) -> None:
        """See Store."""
        await self._store.ping()

    def close(self) -> None:
        """See ClickHouseStore."""
        self._store.close()

    async def _look_up(self) -> None:
        generation = self._generation()
        if generation != self._looked_up_in:
            storages = await self._store.ask(load_storages)
            if storages.writing != self._writing:
                log.info("storages", writing=storages.writing)
            self._writing, self._looked_up_in = storages.writing, generation
