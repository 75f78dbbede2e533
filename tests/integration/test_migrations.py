"""Migrations against the real engine: again, in halves, edited, and by two at once."""

import shutil
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.httpclient import HttpClient

from runhistory.clickhouse.client import EngineUnavailable, open_client
from runhistory.clickhouse.migrations import MigrationRefused, load_migrations, migrate
from runhistory.events.contract import schemas_directory
from runhistory.stack.ports import free_base_port
from tests.support.engine_process import EngineProcess, running_engine

pytestmark = pytest.mark.infrastructure

OPENING = 3
"""Commands before the first statement: the client's own, the database, the table."""


class Killed(Exception):
    """Stands for kill -9."""


NAMES = [migration.name for migration in load_migrations()]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    """An engine of its own: these tests point the user-facing views elsewhere."""
    with running_engine(tmp_path_factory.mktemp("engine") / "data") as engine:
        yield engine


@pytest.fixture
def storage() -> str:
    return f"projection_{uuid.uuid4().hex}"


def _tables(server: EngineProcess, database: str) -> set[str]:
    client = open_client(server.url, database="default")
    rows = client.query(
        "SELECT name FROM system.tables WHERE database = {database:String}",
        parameters={"database": database},
    ).result_rows
    return {str(row[0]) for row in rows if not str(row[0]).startswith(".inner")}


def test_once_and_again(server: EngineProcess, storage: str) -> None:
    assert migrate(server.url, storage) == NAMES
    assert migrate(server.url, storage) == []
    assert {"points", "runs", "metrics_landing", "migrations"} <= _tables(server, storage)
    assert _tables(server, "runhistory") == {
        "batches", "compute_targets", "deleted_experiments", "deleted_runs",
        "event_log", "event_offsets", "events", "experiments", "expiries", "files",
        "latest_points", "latest_rollup", "latest_series", "log_lines", "nodes",
        "params", "point_batches", "points", "properties", "records", "rollup", "run_statuses",
        "runs", "series", "tags", "warnings",
    }  # fmt: skip


def test_killed_before_any_statement_it_goes_on(
    server: EngineProcess, storage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The runner dies before its 1st, 4th, 7th, … command, and each next one begins anew."""
    real, left, deaths = HttpClient.command, 0, 0

    def command(self: HttpClient, *arguments: Any, **more: Any) -> Any:
        nonlocal left
        if left == 0:
            raise Killed
        left -= 1
        return real(self, *arguments, **more)

    while True:
        left = OPENING + 3 * deaths
        with monkeypatch.context() as patch:
            patch.setattr(HttpClient, "command", command)
            try:
                migrate(server.url, storage)
                break
            except Killed:
                deaths += 1
    assert deaths > 3
    assert migrate(server.url, storage) == []
    assert {"points_from_landing", "experiments_from_landing"} <= _tables(server, storage)


def test_an_edited_file_is_refused(server: EngineProcess, storage: str, tmp_path: Path) -> None:
    directory = tmp_path / "clickhouse"
    shutil.copytree(schemas_directory() / "clickhouse", directory)
    migrate(server.url, storage, directory)
    file = directory / f"{NAMES[0]}.sql"
    file.write_text(file.read_text() + "-- edited\n")
    with pytest.raises(MigrationRefused, match="new migration"):
        migrate(server.url, storage, directory)


def test_a_newer_database_is_refused(server: EngineProcess, storage: str, tmp_path: Path) -> None:
    directory = tmp_path / "clickhouse"
    shutil.copytree(schemas_directory() / "clickhouse", directory)
    newer = directory / f"{len(NAMES) + 1:04}_newer.sql"
    newer.write_text("CREATE TABLE IF NOT EXISTS {storage}.newer (a Int64) ENGINE = Null;\n")
    assert migrate(server.url, storage, directory) == [*NAMES, newer.stem]
    with pytest.raises(MigrationRefused, match="newer version"):
        migrate(server.url, storage)


def test_two_at_once(server: EngineProcess, storage: str) -> None:
    with ThreadPoolExecutor(2) as threads:
        results = list(threads.map(lambda _: migrate(server.url, storage), range(2)))
    assert set().union(*map(set, results)) == set(NAMES)
    assert migrate(server.url, storage) == []


def test_without_an_engine() -> None:
    with pytest.raises(EngineUnavailable):
        migrate(f"http://127.0.0.1:{free_base_port()}")


@pytest.mark.parametrize("storage", ["p; DROP DATABASE x", "a.b", ""])
def test_a_storage_name_that_is_none(server: EngineProcess, storage: str) -> None:
    with pytest.raises(ValueError, match="storage"):
        migrate(server.url, storage)
