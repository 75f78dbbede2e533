"""Deleted runs in the storage tables: which are still to be erased, and their rows' end."""

# ruff: noqa: S608 - statements are made of this module's words, and of names by the domain's patterns

from collections.abc import Callable, Sequence
from typing import Any, Final

from clickhouse_connect.driver.client import Client
from msgspec import Struct

from runhistory.clickhouse.client import reporting_unavailable

ERASED_TABLES: Final = (
    *("points", "rollup", "batches", "log_lines", "records"),
    *("files", "pairs", "runs"),
)
"""Every table with rows of a run, but two: `events`, the log's copy, and `deleted_runs`."""

RUNS_AT_ONCE: Final = 200


class DeletedRun(Struct, frozen=True):
    """A run that is deleted and not erased yet."""

    workspace: str
    run_id: str


class ErasedRows:
    """Statements over one storage database. All raise EngineUnavailable while it is away.

    The client is asked for in the thread that uses it.
    """

    def __init__(self, client: Callable[[], Client], storage: str) -> None:
        self._client, self.storage = client, storage

    def due(self) -> list[DeletedRun]:
        """Deleted runs that wait, the first deleted first, with all of their events visible."""
        waiting = self._runs(
            f"SELECT workspace, lower(hex(run_id)) FROM {self.storage}.deleted_runs "
            "WHERE (workspace, run_id) NOT IN "
            f"(SELECT workspace, run_id FROM {self.storage}.erasures) "
            f"GROUP BY workspace, run_id ORDER BY min(time) LIMIT {RUNS_AT_ONCE}"
        )
        if not waiting:
            return []
        # One INSERT fills several tables, one after the other.
        visible = self._runs(
            f"SELECT DISTINCT workspace, lower(hex(run_id)) FROM {self.storage}.events "
            f"WHERE {_one_of(waiting)} AND type = 'run.deleted.v1'"
        )
        return [run for run in waiting if run in set(visible)]

    def workspaces(self) -> list[str]:
        """Those that had a run erased."""
        return [
            row[0] for row in self._rows(f"SELECT DISTINCT workspace FROM {self.storage}.erasures")
        ]

    def next_offsets(self) -> dict[int, int]:
        """How far each partition of run.events has been read."""
        found = self._rows("SELECT partition, next_offset FROM runhistory.event_offsets")
        return {int(partition): int(offset) for partition, offset in found}

    def erase(self, runs: Sequence[DeletedRun]) -> None:
        """Delete the rows of `runs`. Repeating it is harmless; a kill in between leaves a rest."""
        self._erase_where(_one_of(runs))

    def sweep(self) -> None:
        """Delete what came in of deleted runs after they were erased."""
        self._erase_where(
            f"(workspace, run_id) IN (SELECT workspace, run_id FROM {self.storage}.deleted_runs)"
        )

    def remember(self, runs: Sequence[DeletedRun]) -> None:
        """They are erased, and are not `due` any more."""
        rows = ", ".join(f"('{run.workspace}', unhex('{run.run_id}'), now64(3))" for run in runs)
        self._command(f"INSERT INTO {self.storage}.erasures VALUES {rows}")

    def _erase_where(self, condition: str) -> None:
        for table in ERASED_TABLES:
            name = f"{self.storage}.{table}"
            # A deletion is a mutation, which looks at every part: none for nothing.
            if self._rows(f"SELECT 1 FROM {name} WHERE {condition} LIMIT 1"):
                self._command(f"DELETE FROM {name} WHERE {condition}")

    def _runs(self, sql: str) -> list[DeletedRun]:
        return [DeletedRun(workspace, run_id) for workspace, run_id in self._rows(sql)]

    def _rows(self, sql: str) -> Sequence[Sequence[Any]]:
        with reporting_unavailable():
            rows: Sequence[Sequence[Any]] = self._client().query(sql).result_rows
        return rows

    def _command(self, sql: str) -> None:
        with reporting_unavailable():
            self._client().command(sql)


def _one_of(runs: Sequence[DeletedRun]) -> str:
    pairs = ", ".join(f"('{run.workspace}', unhex('{run.run_id}'))" for run in runs)
    return f"(workspace, run_id) IN ({pairs})"
