"""Build the projection anew from the log, while ingestion goes on, and let readers switch to it.

There are two storage databases then: the present one, R, and the other, O. Every step may be
killed; whoever starts a rebuild next looks where it stands (`Storages`) and goes on from there.

    writing R      O is made, and the log is read into it from offset 0 up to nearly its end
    writing R, O   O stands in the list, and then the sinks' group begins a new generation. Whatever
                   is committed from then on is in R and in O (sink/storages.py). The log ended at
                   J at some time after that: everything below J that O might lack is read now
                   -> O has all of the log, and goes on having it, as R does
                   Deleted runs, and points that had expired in R, are erased from O; the digests
                   are compared
    reading O      the views are replaced, one by one. Both databases have everything that is
                   committed, so a query that meets some views old and some new has one answer
    writing O      R leaves the list, and the group begins another generation; R is dropped

The sinks are never stopped, and nobody has to know the very offset at which they switched: that
repeating a record changes nothing is what makes the hand-over this simple. What is read twice into
O (behind J, by us and by them) collapses like any repetition. A sink that is frozen through all of
this cannot commit: its generation is over. A read that waits for a watermark waits for the sinks'
group as ever, and what that has committed is in whichever database the views read from.

Where it stands tells what a killed rebuild left:

    writing R, and O is there     it was reading: go on (or start over, when O's tables are not
                                  those of this version)
    writing R, O; O the newer     it was behind the list's change: go on
    writing R, O; O the older     the views are switched: only dropping is left to do
"""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, Final, Literal

import structlog
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from msgspec import Struct

from runhistory.clickhouse.client import open_client, reporting_unavailable
from runhistory.clickhouse.digests import Comparison, compare, load_tables
from runhistory.clickhouse.migrations import (
    MigrationRefused,
    is_up_to_date,
    make_storage,
    point_views,
)
from runhistory.clickhouse.storages import Storages, load_storages, save_storages, storage_name
from runhistory.kafka.log_ends import LogEnds
from runhistory.sink.erased_rows import ErasedRows
from runhistory.sink.expiry import copy_expiries
from runhistory.sink.generation import (
    NotAlone,
    OnlyOne,
    committed_offsets,
    new_generation,
    only_one,
)
from runhistory.sink.group import GROUP, TopicOffsets
from runhistory.sink.log_reader import LogIncomplete, LogReader, all_places

ROUND_SECONDS: Final = 10.0
"""A round of reading that took no longer has come near enough to the end of the log."""
ROUNDS: Final = 20
SINK_SECONDS: Final = 60.0
"""So long the sinks may stand still behind where the log ended."""
DROP_SECONDS: Final = 3.0
"""From the last change of the list to the dropping: a heartbeat, so that sinks have looked."""

_STORAGE: Final = re.compile(r"projection_(\d+)")
_NOTHING_LOST: Final = "Readers see what they saw, and ingestion goes on."
_MIGRATE: Final = "`runhistory up` brings them up to date."

log: Any = structlog.get_logger(__name__)

Wish = Literal["switch", "switch even if different", "check", "abandon"]
Step = Literal[
    "make", "read", "join", "catch up", "wait for sinks", "erase", "compare", "switch", "drop"
]
Done = Literal["switched", "checked", "different", "abandoned", "nothing"]
Tell = Callable[[Step, int, int], None]
"""A step has so much done, of so much; records where it reads, tables where it compares."""


class Refused(Exception):
    """The rebuild cannot be, or cannot go on; readers see what they saw. Says what to do."""


class Outcome(Struct, frozen=True, kw_only=True):
    """What came of it; `reading` is the storage that readers see now."""

    done: Done
    reading: str
    records: int = 0
    unreadable: int = 0
    tables: list[Comparison] = []


class Rebuild:
    """One rebuild, or the rest of one."""

    def __init__(self, bootstrap: str, clickhouse: str, tell: Tell) -> None:
        self._bootstrap, self._clickhouse, self._tell = bootstrap, clickhouse, tell
        self._ends = LogEnds(bootstrap, "rebuild-ends")
        self._only: OnlyOne
        self._client: Client = open_client(clickhouse, "default", answer_seconds=24 * 3600)

    async def run(self, wish: Wish) -> Outcome:
        """Do it. Blocks for as long as it takes; may be cancelled at any moment.

        Raises:
            Refused: it cannot go on; the message says why and what to do.
            EngineUnavailable, KafkaError, GroupStuck: see there. Start it again later.
        """
        try:
            async with only_one(self._bootstrap) as self._only:
                if wish == "abandon":
                    return await self._abandon()
                if await self._finish_earlier():
                    return Outcome(done="switched", reading=self._storages().reading)
                return await self._rebuild(wish)
        except NotAlone:
            raise Refused(
                "Another rebuild is running. Let it finish; if it was killed, wait some seconds."
            ) from None
        finally:
            await self._ends.stop()

    async def _rebuild(self, wish: Wish) -> Outcome:
        present = self._storages().reading
        other = await self._prepare(present)
        group = f"rebuild-{self._id_of(other)}"
        await self._refuse_gaps(group)
        self._refuse_lack_of_room(present, other)
        reader = LogReader(self._bootstrap, self._clickhouse, other, group)
        try:
            await reader.open()
            await self._read_nearly_all(reader)
            async with self._joined(present, other):
                outcome = await self._hand_over(wish, present, other, reader)
        except LogIncomplete as error:
            raise Refused(f"{error} {_NOTHING_LOST}") from error
        finally:
            await reader.close()
        if outcome.done != "different":
            await self._drop(present if outcome.done == "switched" else other)
        return outcome

    async def _read_nearly_all(self, reader: LogReader) -> None:
        """Until a round is short, since the log grows meanwhile."""
        for _ in range(ROUNDS):
            started, ends = time.monotonic(), await self._ends.ends(all_places())
            await reader.read_to(ends, partial(self._tell, "read"))
            if time.monotonic() - started < ROUND_SECONDS:
                return

    @contextlib.asynccontextmanager
    async def _joined(self, present: str, other: str) -> AsyncIterator[None]:
        """Inside, everything that the sinks commit is in both; afterwards, in what is read."""
        self._tell("join", 0, 1)
        await self._only.check()
        save_storages(self._client, Storages(present, (present, other)))
        try:
            async with new_generation(self._bootstrap):
                self._tell("join", 1, 1)
                try:
                    yield
                finally:  # before the member leaves: its leaving makes every sink look anew
                    await self._leave_alone()
        finally:
            await self._leave_alone()

    async def _hand_over(self, wish: Wish, present: str, other: str, reader: LogReader) -> Outcome:
        ends = await self._ends.ends(all_places())  # after the new generation began
        await reader.read_to(ends, partial(self._tell, "catch up"))
        if wish != "switch even if different":
            await self._wait_for_sinks(ends)
        await asyncio.to_thread(self._erase, present, other)
        tables = await asyncio.to_thread(self._compare, present, other)
        done: Done = "different"
        if wish == "check":
            done = "checked"
        elif wish == "switch even if different" or all(table.same for table in tables):
            await self._switch(present, other)
            done = "switched"
        return Outcome(
            done=done,
            reading=self._storages().reading,
            records=sum(ends.values()),
            unreadable=reader.unreadable,
            tables=tables,
        )

    async def _wait_for_sinks(self, ends: TopicOffsets) -> None:
        """Until they have passed `ends`, so that there is something to compare with."""
        least, since = sum(ends.values()) + 1, time.monotonic()
        while True:
            committed = await committed_offsets(self._bootstrap, GROUP)
            left = sum(max(0, end - committed.get(place, 0)) for place, end in ends.items())
            self._tell("wait for sinks", sum(ends.values()) - left, sum(ends.values()))
            if not left:
                return
            if left < least:
                least, since = left, time.monotonic()
            if time.monotonic() - since > SINK_SECONDS:
                raise Refused(
                    f"The sink does not come on: it is {left} records behind. See whether it runs "
                    "(`runhistory status`) and start the rebuild again; it goes on from here. "
                    f"{_NOTHING_LOST}"
                )
            await asyncio.sleep(0.1)

    def _erase(self, present: str, other: str) -> None:
        """Bring the other to where the present one is with deleted runs and expired points."""
        self._tell("erase", 0, 1)
        with contextlib.suppress(ClickHouseError):  # what a broken one cannot tell is done again
            self._client.command(
                f"INSERT INTO {other}.erasures SELECT * FROM {present}.erasures"  # noqa: S608
            )
            copy_expiries(self._client, present, other)
        ErasedRows(lambda: self._client, other).sweep()
        self._tell("erase", 1, 1)

    def _compare(self, present: str, other: str) -> list[Comparison]:
        tables, found = load_tables(self._client, other), []
        for number, table in enumerate(tables):
            self._tell("compare", number, len(tables))
            try:
                one = compare(self._client, present, other, table)
                if not one.same and table.name == "points":  # some may have expired meanwhile
                    copy_expiries(self._client, present, other)
                    one = compare(self._client, present, other, table)
                found.append(one)
            except ClickHouseError as error:
                log.warning("not_comparable", table=table.name, error=str(error))
                found.append(Comparison(table.name, 0, "", ("cannot be read",)))
        self._tell("compare", len(tables), len(tables))
        return found

    async def _switch(self, present: str, other: str) -> None:
        """Let readers see the other one; killed within, it is done anew."""
        self._tell("switch", 0, 1)
        await self._only.check()
        if not is_up_to_date(self._client, present):
            raise Refused(f"The tables are not of this version. {_MIGRATE} {_NOTHING_LOST}")
        await asyncio.to_thread(point_views, self._client, other)
        await self._only.check()
        save_storages(self._client, Storages(other, (present, other)))
        self._tell("switch", 1, 1)

    async def _finish_earlier(self) -> bool:
        """Whether an earlier rebuild had switched the readers; then what is left of it is done."""
        storages = self._storages()
        older = [one for one in self._others(storages) if _number(one) < _number(storages.reading)]
        if not older:
            return False
        await self._throw_away(storages.reading, older)
        return True

    async def _abandon(self) -> Outcome:
        storages = self._storages()
        others = self._others(storages)
        if others:
            if len(storages.writing) > 1:
                point_views(self._client, storages.reading)  # a kill may have left them in between
            await self._throw_away(storages.reading, others)
        done: Done = "abandoned" if others else "nothing"
        return Outcome(done=done, reading=storages.reading)

    async def _throw_away(self, reading: str, others: list[str]) -> None:
        await self._leave_alone()
        async with new_generation(self._bootstrap):
            pass
        for other in others:
            await self._drop(other)

    async def _leave_alone(self) -> None:
        """Only what is read is written from now on, by whoever looks.

        What another one has put into the list since is not ours to take out.
        """
        await self._only.check()
        client = open_client(self._clickhouse, "default")  # the other may be in a thread's hands
        storages = load_storages(client)
        if storages.writing != (storages.reading,):
            save_storages(client, Storages(storages.reading, (storages.reading,)))

    async def _drop(self, storage: str) -> None:
        """A sink that did not look yet fails once, looks, and goes on; so wait for most."""
        self._tell("drop", 0, 1)
        await asyncio.sleep(DROP_SECONDS)
        await self._only.check()
        with reporting_unavailable():
            await asyncio.to_thread(
                self._client.command, f"DROP DATABASE IF EXISTS {storage_name(storage)} SYNC"
            )
        self._tell("drop", 1, 1)

    async def _prepare(self, present: str) -> str:
        """The other storage, with its tables: what a killed rebuild left, or a new one."""
        self._tell("make", 0, 1)
        other = f"projection_{_number(present) + 1}"
        try:
            if not is_up_to_date(self._client, present):
                raise Refused(f"The tables are not of this version. {_MIGRATE}")
            if not self._can_go_on(other):
                await self._leave_alone()
                await asyncio.to_thread(self._make_anew, other)
        except MigrationRefused as error:
            raise Refused(str(error)) from error
        self._tell("make", 1, 1)
        return other

    def _make_anew(self, other: str) -> None:
        with reporting_unavailable():
            self._client.command(f"DROP DATABASE IF EXISTS {other} SYNC")
        make_storage(self._client, other)

    def _can_go_on(self, other: str) -> bool:
        if other not in self._others(self._storages()):
            return False
        try:
            return is_up_to_date(self._client, other)
        except (MigrationRefused, ClickHouseError):
            return False

    async def _refuse_gaps(self, group: str) -> None:
        """Every record from where reading begins has to be there."""
        read = await committed_offsets(self._bootstrap, group)
        beginnings = await self._ends.beginnings(all_places())
        gone = [
            f"{place.topic}/{place.partition} begins at offset {first}"
            for place, first in sorted(beginnings.items())
            if first > read.get(place, 0)
        ]
        if gone:
            raise Refused(
                "Records that a rebuild needs are gone from Kafka: "
                f"{'; '.join(gone[:5])}{' …' if len(gone) > 5 else ''}. What was made of "
                f"them is in the present tables alone. {_NOTHING_LOST}"
            )

    def _refuse_lack_of_room(self, present: str, other: str) -> None:
        """The other one needs about as much as the present one, less what it has."""
        with reporting_unavailable():
            ((needed, there),) = self._client.query(
                "SELECT sumIf(bytes_on_disk, database = {present:String}), "
                "sumIf(bytes_on_disk, database = {other:String}) FROM system.parts WHERE active",
                parameters={"present": present, "other": other},
            ).result_rows
            ((free,),) = self._client.query("SELECT sum(free_space) FROM system.disks").result_rows
        if free < needed - there:
            raise Refused(
                f"A rebuild needs about {(needed - there) >> 20:,} MiB more of disk beside the "
                f"present tables, and ClickHouse has {free >> 20:,} MiB. Make room."
            )

    def _storages(self) -> Storages:
        return load_storages(self._client)

    def _others(self, storages: Storages) -> list[str]:
        """Storage databases that readers do not see."""
        with reporting_unavailable():
            rows = self._client.query("SELECT name FROM system.databases").result_rows
        names = [str(name) for (name,) in rows]
        return [one for one in names if _STORAGE.fullmatch(one) and one != storages.reading]

    def _id_of(self, storage: str) -> str:
        with reporting_unavailable():
            rows = self._client.query(
                "SELECT toString(uuid) FROM system.databases WHERE name = {name:String}",
                parameters={"name": storage},
            ).result_rows
        return str(rows[0][0])


def _number(storage: str) -> int:
    found = _STORAGE.fullmatch(storage)
    if found is None:
        raise Refused(f"Readers see {storage}, which is no projection_<number> that is counted on.")
    return int(found.group(1))
