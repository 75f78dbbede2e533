"""`python -m tests.support.picky_sink FOLDER`: its store refuses rows while a file says so.

While FOLDER has a file of a landing table's name, rows of that table which say `poison` cannot be
stored: a cause of dead letters that a test mends by removing the file.
"""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from runhistory.runtime.service import run_service
from runhistory.sink.cycle import Cycle
from runhistory.sink.dead_letters import Cemetery
from runhistory.sink.group import Group
from runhistory.sink.rows import Unreadable
from runhistory.sink.service import main
from runhistory.sink.store import Store


class PickyStore:
    """The engine's store, but for what is poison now."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store, self._folder = store, folder

    async def insert(self, table: str, rows: Sequence[bytes]) -> None:
        if (self._folder / table).exists() and any(b"poison" in row for row in rows):
            raise Unreadable("it is broken")
        await self._store.insert(table, rows)

    async def ping(self) -> None:
        await self._store.ping()


def _cycle(group: Group, store: Store, letters: Cemetery) -> Cycle:
    return Cycle(group, PickyStore(store, Path(sys.argv[1])), letters)


if __name__ == "__main__":
    run_service("sink", partial(main, make_cycle=_cycle))
