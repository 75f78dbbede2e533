"""Retention: raw points go when they are so and so old; the rollup and `series` stay.

How long they stay is a setting of the deployment, for each workspace (RUNHISTORY_POINTS_DAYS). A
batch's age is that of its record in Kafka, never what a client's clock said, and is counted in
whole days of UTC, so a day's points go at once, soon after midnight.

What has expired is written down in ClickHouse (`expiries`) before it is deleted. That is what
holds: a rebuild leaves out what had expired, whatever it knows of the setting, and a kill in
between leaves work for the next look. Points are found by their batches, so they carry no time of
arrival themselves. A sink's first look at a storage database is at all that is older, each later
one only at what has become so since, because looking costs.
"""

# ruff: noqa: S608 - statements are made of this module's words, and of names by the domain's patterns

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from msgspec import Struct

from runhistory.clickhouse.client import EngineUnavailable, open_client, reporting_unavailable
from runhistory.clickhouse.storages import load_storages
from runhistory.runtime.metrics import EXPIRY_FAILURES
from runhistory.runtime.settings import UnsafeSettings

VARIABLE: Final = "RUNHISTORY_POINTS_DAYS"
LOOK_SECONDS: Final = 600.0

log: Any = structlog.get_logger(__name__)


class Retention(Struct, frozen=True):
    """How many days raw points are kept: in all workspaces, or in some; None is for ever."""

    default: int | None = None
    of: Mapping[str, int | None] = {}

    @classmethod
    def parse(cls, text: str) -> "Retention":
        """From `365`, `team-a=30` or `365,team-a=30,team-b=forever`.

        Raises:
            UnsafeSettings: it is something else.
        """
        default: int | None = None
        of: dict[str, int | None] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            workspace, given, days = part.rpartition("=")
            if not given:
                default = _days(days, text)
            elif workspace:
                of[workspace.strip()] = _days(days, text)
            else:
                raise _not_understood(text)
        return cls(default, of)

    def days(self, workspace: str) -> int | None:
        """How many days points of `workspace` are kept."""
        return self.of.get(workspace, self.default)

    def before(self, workspace: str, now: datetime) -> datetime | None:
        """What came before this has expired: a midnight in UTC. None: nothing has."""
        days = self.days(workspace)
        if days is None:
            return None
        return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(
            days=days
        )


class Expirer:
    """Looks every few minutes until cancelled. Delivery: at least once."""

    def __init__(self, clickhouse: str, retention: Retention) -> None:
        self._clickhouse, self._retention = clickhouse, retention
        self._looked: dict[tuple[str, str], datetime] = {}

    async def run(self) -> None:
        """Let points expire for ever; what fails is tried again at the next look."""
        while True:
            try:
                await asyncio.to_thread(self.look, datetime.now(UTC))
            except (EngineUnavailable, ClickHouseError, OSError) as error:
                EXPIRY_FAILURES.inc()
                log.warning("expiry_failed", error=repr(error))
            await asyncio.sleep(LOOK_SECONDS)

    def look(self, now: datetime) -> None:
        """Let expire what is due, in the storage that readers see.

        Raises:
            EngineUnavailable: ClickHouse is away; some may have expired.
        """
        client = open_client(self._clickhouse)
        storage = load_storages(client).reading
        for workspace in _workspaces(client, storage):
            before = self._retention.before(workspace, now)
            since = self._looked.get((storage, workspace))
            if before is None or (since is not None and before <= since):
                continue
            note_expiry(client, storage, workspace, before)
            if erase_expired(client, storage, workspace, before, since):
                log.info("points_expired", workspace=workspace, before=before.isoformat())
            self._looked[storage, workspace] = before


def note_expiry(client: Client, storage: str, workspace: str, before: datetime) -> None:
    """Write down that the points of `workspace` from before then have expired."""
    with reporting_unavailable():
        client.command(f"INSERT INTO {storage}.expiries SELECT '{workspace}', {_moment(before)}")


def erase_expired(
    client: Client, storage: str, workspace: str, before: datetime, since: datetime | None = None
) -> bool:
    """Delete the points whose batches came in before then (and not before `since`, if given).

    Repeating it is harmless. Tells whether there were any.
    """
    came = f"received < {_moment(before)}"
    if since is not None:
        came += f" AND received >= {_moment(since)}"
    condition = (
        f"workspace = '{workspace}' AND (run_id, attempt, writer, seq) IN "
        f"(SELECT run_id, attempt, writer, seq FROM {storage}.batches "
        f"WHERE workspace = '{workspace}' AND topic = '' AND {came})"
    )
    with reporting_unavailable():
        # A deletion is a mutation, which looks at every part: none for nothing.
        if not client.query(
            f"SELECT 1 FROM {storage}.points WHERE {condition} LIMIT 1"
        ).result_rows:
            return False
        client.command(f"DELETE FROM {storage}.points WHERE {condition}")
    return True


def copy_expiries(client: Client, present: str, other: str) -> None:
    """Let expire in `other` what has expired in `present`."""
    with reporting_unavailable():
        client.command(f"INSERT INTO {other}.expiries SELECT * FROM {present}.expiries FINAL")
        rows = client.query(
            f"SELECT workspace, toUnixTimestamp64Milli(before) FROM {other}.expiries FINAL"
        ).result_rows
    for workspace, milliseconds in rows:
        before = datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
        erase_expired(client, other, str(workspace), before)


def _workspaces(client: Client, storage: str) -> list[str]:
    with reporting_unavailable():
        rows = client.query(f"SELECT DISTINCT workspace FROM {storage}.batches").result_rows
    return [str(workspace) for (workspace,) in rows]


def _moment(time: datetime) -> str:
    return f"fromUnixTimestamp64Milli({int(time.timestamp() * 1000)}, 'UTC')"


def _days(text: str, setting: str) -> int | None:
    if text.strip() == "forever":
        return None
    try:
        days = int(text)
    except ValueError:
        days = 0
    if not 1 <= days <= 36_500:
        raise _not_understood(setting)
    return days


def _not_understood(setting: str) -> UnsafeSettings:
    return UnsafeSettings(
        f"{VARIABLE} has to be like '365' (days, in all workspaces), 'team-a=30' or "
        f"'365,team-a=30,team-b=forever', not {setting!r}."
    )
