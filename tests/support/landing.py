"""Rows of the landing tables, as the sink would splice them, and events made by the domain."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from clickhouse_connect.driver.client import Client

from runhistory.clickhouse.storages import FIRST_STORAGE
from runhistory.domain.commands import Command
from runhistory.domain.decide import Accepted, Context, Decision, decide
from runhistory.domain.state import State, evolve
from runhistory.events.codec import encode_event

_offsets = itertools.count(1)
Row = dict[str, Any]


def next_offset() -> int:
    """A fresh offset: all tests of a session share partition 0 of an imagined topic."""
    return next(_offsets)


def insert(client: Client, table: str, rows: Sequence[Row], storage: str = FIRST_STORAGE) -> None:
    """One INSERT into a landing table."""
    client.raw_insert(
        f"{storage}.{table}", insert_block=b"\n".join(map(orjson.dumps, rows)), fmt="JSONEachRow"
    )


def metric_row(workspace: str, run_id: str, batch: dict[str, Any], attempt: int = 1) -> Row:
    """A batch (`metrics.logged.v1` without its envelope) as a message at the next offset."""
    return {**_place(), "workspace": workspace, "run_id": run_id, "attempt": attempt, **batch}


def log_row(
    workspace: str, run_id: str, seq: int, lines: Sequence[tuple[str, str]], attempt: int = 1
) -> Row:
    """Lines (stream, text) as a message at the next offset."""
    return {
        **_place(),
        "workspace": workspace,
        "run_id": run_id,
        "attempt": attempt,
        "writer": "w",
        "seq": seq,
        "streams": [stream for stream, _ in lines],
        "times": [1_764_000_000_000_000 + seq] * len(lines),
        "lines": [line for _, line in lines],
    }


def record_row(
    workspace: str, run_id: str, seq: int, records: Sequence[Row], attempt: int = 1
) -> Row:
    """Records (`key`, `kind`, `step`, `value` as JSON, `file`) as a message at the next offset."""
    return {
        **_place(),
        "workspace": workspace,
        "run_id": run_id,
        "attempt": attempt,
        "writer": "w",
        "seq": seq,
        "keys": [record["key"] for record in records],
        "kinds": [record.get("kind", "value") for record in records],
        "steps": [record.get("step", 0) for record in records],
        "times": [1_764_000_000_000_000 + seq] * len(records),
        "values": [record.get("value", "null") for record in records],
        "files": [record.get("file", "") for record in records],
    }


class History:
    """Decides commands about one run as the lifecycle would, and keeps the events' rows."""

    def __init__(self, start: datetime = datetime(2026, 11, 23, 12, 0, 0, 1, UTC)) -> None:
        self.state: State | None = None
        self.rows: list[Row] = []
        self._now = start

    def attempt(self, *commands: Command) -> "History":
        """The same, but what is refused or changes nothing is passed over."""
        for command in commands:
            if isinstance(self._decide(command), Accepted):
                self.apply(command)
        return self

    def _decide(self, command: Command) -> Decision:
        return decide(self.state, command, Context(now=self._now))

    def apply(self, *commands: Command) -> "History":
        """Decide them one after the other, a second apart; each has to be accepted."""
        for command in commands:
            decision = self._decide(command)
            assert isinstance(decision, Accepted), decision
            for event in decision.events:
                self.state = evolve(self.state, event)
                record = encode_event(event)
                headers = {name: value.decode() for name, value in record.headers}
                names = ("id", "type", "source", "subject", "time")
                attributes = {name: headers[f"ce_{name}"] for name in names}
                self.rows.append({**_place(), **attributes, "data": record.value.decode()})
            self._now += timedelta(seconds=1)
        return self


def _place() -> Row:
    return {"_p": 0, "_o": next_offset(), "_t": 1_764_000_000_000}
