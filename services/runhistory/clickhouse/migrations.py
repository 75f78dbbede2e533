"""Bring ClickHouse's tables and views up to what schemas/clickhouse says. Forward only.

A migration is a numbered file of statements, each ending with `;` at a line's end. ClickHouse has
no transaction around them, so every statement can be run again (IF NOT EXISTS, OR REPLACE), and a
file is recorded only after its last one: whoever is killed in its middle begins it anew. What is
recorded never changes; an edited file is refused, because its tables would not follow it.

A file speaks of two databases: its tables are in a storage database, and the views that readers
see, in `runhistory`, select from it. `migrate` does both. A rebuild makes the tables of another
storage database first (`make_storage`), and lets the views read from it later (`point_views`).
"""

import hashlib
import re
from pathlib import Path
from typing import Final

from clickhouse_connect.driver.client import Client
from msgspec import Struct

from runhistory.clickhouse.client import open_client, reporting_unavailable
from runhistory.clickhouse.storages import (
    Storages,
    load_storages,
    save_storages,
    storage_name,
)
from runhistory.events.contract import schemas_directory

_FILE: Final = re.compile(r"(\d{4})_\w+\.sql")
_VIEW: Final = re.compile(r"(?:CREATE OR REPLACE|DROP) VIEW (?:IF EXISTS )?(runhistory\.\w+)")
_STATEMENT_END: Final = re.compile(r";[ \t]*\n")
_COMMENT: Final = re.compile(r"^\s*--.*$", re.MULTILINE)


class MigrationRefused(Exception):
    """The files and what was applied do not go together; the message says what to do."""


class Migration(Struct, frozen=True):
    """One file; `digest` is the SHA-256 of its text."""

    name: str
    digest: str
    text: str

    def statements(self, storage: str) -> list[str]:
        """Its statements, for the storage database of that name."""
        text = _COMMENT.sub("", self.text).replace("{storage}", storage)
        return [part.strip() for part in _STATEMENT_END.split(text + "\n") if part.strip()]


def load_migrations(directory: Path | None = None) -> list[Migration]:
    """All migrations in order.

    Raises:
        MigrationRefused: a file's name is none of a migration, or a number is missing or taken.
    """
    directory = directory or schemas_directory() / "clickhouse"
    migrations = []
    for expected, path in enumerate(sorted(directory.glob("*.sql")), start=1):
        found = _FILE.fullmatch(path.name)
        if not found or int(found.group(1)) != expected:
            raise MigrationRefused(
                f"{path.name} should begin with {expected:04}_: migrations are numbered 0001, "
                "0002, … without a gap."
            )
        text = path.read_text("utf-8")
        digest = hashlib.sha256(text.encode()).hexdigest()
        migrations.append(Migration(path.stem, digest, text))
    return migrations


def migrate(url: str, storage: str | None = None, directory: Path | None = None) -> list[str]:
    """Apply what is not applied yet to `storage`, and let the views read from it.

    Without a `storage` it is the one that readers see now. A half-built other one does not get
    what is new, so the sinks fill it no longer, and the next rebuild begins another.
    Safe to be called again, at the same time from elsewhere, and after a kill.

    Returns:
        The names of the migrations that were applied now.

    Raises:
        EngineUnavailable: ClickHouse does not answer; some may be applied.
        MigrationRefused: an applied file was edited, or the database is newer than the files.
        ValueError: `storage` is no name of a database.
    """
    migrations = load_migrations(directory)
    client = open_client(url, database="default")
    storages = load_storages(client)
    with reporting_unavailable():
        storage = _open_storage(client, storages.reading if storage is None else storage)
        due = _due(migrations, _applied(client, storage))
        if due and storage == storages.reading and storages.writing != (storage,):
            save_storages(client, Storages(storage, (storage,)))
        for migration in due:
            _apply(client, migration, storage, migration.statements(storage))
    return [migration.name for migration in due]


def make_storage(client: Client, storage: str) -> None:
    """Make the tables of another storage database; the views go on reading from where they do.

    Raises:
        EngineUnavailable, MigrationRefused, ValueError: as `migrate`.
    """
    with reporting_unavailable():
        storage = _open_storage(client, storage)
        for migration in _due(load_migrations(), _applied(client, storage)):
            tables = [one for one in migration.statements(storage) if not _VIEW.match(one)]
            _apply(client, migration, storage, tables)


def is_up_to_date(client: Client, storage: str) -> bool:
    """Whether a storage database has every migration of this version.

    Raises:
        EngineUnavailable, MigrationRefused: as `migrate`.
    """
    with reporting_unavailable():
        return not _due(load_migrations(), _applied(client, storage))


def point_views(client: Client, storage: str) -> None:
    """Let every view read from `storage`, one after the other, each in one step.

    Raises:
        EngineUnavailable: ClickHouse does not answer; some views may read from it already.
    """
    newest: dict[str, str] = {}
    for migration in load_migrations():
        for statement in migration.statements(storage_name(storage)):
            if view := _VIEW.match(statement):
                newest[view.group(1)] = statement  # in the place of its first: others need it
    with reporting_unavailable():
        for statement in newest.values():
            client.command(statement)


def _open_storage(client: Client, storage: str) -> str:
    client.command(f"CREATE DATABASE IF NOT EXISTS {storage_name(storage)}")
    client.command(
        f"CREATE TABLE IF NOT EXISTS {storage}.migrations "
        "(name String, digest String, applied DateTime64(6, 'UTC')) "
        "ENGINE = ReplacingMergeTree ORDER BY name"
    )
    return storage


def _applied(client: Client, storage: str) -> dict[str, str]:
    rows = client.query(
        "SELECT name, digest FROM {storage:Identifier}.migrations FINAL",
        parameters={"storage": storage},
    ).result_rows
    return {str(name): str(digest) for name, digest in rows}


def _due(migrations: list[Migration], applied: dict[str, str]) -> list[Migration]:
    names = {migration.name for migration in migrations}
    if unknown := sorted(set(applied) - names):
        raise MigrationRefused(
            f"The database has migrations that this version does not know: {', '.join(unknown)}. "
            "A newer version made it; use that one."
        )
    for migration in migrations:
        if applied.get(migration.name, migration.digest) != migration.digest:
            raise MigrationRefused(
                f"{migration.name} was edited after it had been applied. If you did that, undo it "
                "and put the change into a new migration. If you did not, these data are of a "
                "version before 1.0 whose tables this one does not read: begin with an empty "
                "folder (--data), or go back to that version."
            )
    return [migration for migration in migrations if migration.name not in applied]


def _apply(client: Client, migration: Migration, storage: str, statements: list[str]) -> None:
    for statement in statements:
        client.command(statement)
    client.command(
        f"INSERT INTO {storage}.migrations "
        "SELECT {name:String}, {digest:String}, now64(6, 'UTC')",
        parameters={"name": migration.name, "digest": migration.digest},
    )
