"""Migration files: their order, their statements, and what is refused."""

from pathlib import Path

import pytest

from runhistory.clickhouse.client import open_client
from runhistory.clickhouse.migrations import Migration, MigrationRefused, load_migrations


def test_statements_end_at_a_line_end_and_name_the_storage() -> None:
    text = (
        "-- a comment; with a semicolon;\n"
        "CREATE TABLE IF NOT EXISTS {storage}.a (b String DEFAULT ';') ENGINE = Null;\n"
        "\n"
        "  -- between\n"
        "CREATE TABLE IF NOT EXISTS {storage}.c\n(d Int64) ENGINE = Null;  \n"
    )
    assert Migration("0001_x", "", text).statements("projection_9") == [
        "CREATE TABLE IF NOT EXISTS projection_9.a (b String DEFAULT ';') ENGINE = Null",
        "CREATE TABLE IF NOT EXISTS projection_9.c\n(d Int64) ENGINE = Null",
    ]


def test_a_file_without_a_last_line_end_keeps_its_last_statement() -> None:
    assert Migration("0001_x", "", "SELECT 1;\nSELECT 2;").statements("p") == [
        "SELECT 1",
        "SELECT 2",
    ]


@pytest.mark.parametrize("names", [["0002_a.sql"], ["0001_a.sql", "0003_b.sql"], ["a.sql"]])
def test_a_gap_in_the_numbers_is_refused(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_text("SELECT 1;\n")
    with pytest.raises(MigrationRefused, match="without a gap"):
        load_migrations(tmp_path)


def test_a_number_that_is_taken_is_refused(tmp_path: Path) -> None:
    for name in ("0001_a.sql", "0001_b.sql"):
        (tmp_path / name).write_text("SELECT 1;\n")
    with pytest.raises(MigrationRefused):
        load_migrations(tmp_path)


def test_every_statement_that_is_checked_in_can_be_run_again() -> None:
    again = ("CREATE TABLE IF NOT EXISTS ", "CREATE MATERIALIZED VIEW IF NOT EXISTS ")
    again += ("CREATE OR REPLACE VIEW runhistory.", "CREATE DATABASE IF NOT EXISTS ")
    again += ("ALTER TABLE projection_1.batches\n    ADD COLUMN IF NOT EXISTS ",)
    statements = [
        statement
        for migration in load_migrations()
        for statement in migration.statements("projection_1")
    ]
    assert len(statements) > 20
    assert [statement for statement in statements if not statement.startswith(again)] == []


def test_what_feels_a_repetition_is_in_no_materialized_view() -> None:
    for migration in load_migrations():
        for statement in migration.statements("projection_1"):
            if statement.startswith("CREATE MATERIALIZED VIEW"):
                for function in ("count(", "sum(", "avg(", "uniq(", "groupArray("):
                    assert function not in statement


@pytest.mark.parametrize("url", ["127.0.0.1:8123", "ftp://host", "http://", ""])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(ValueError, match="ClickHouse's address"):
        open_client(url)
