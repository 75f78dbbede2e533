"""`runhistory sql`: where the query comes from, and how the answer is shown."""

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from runhistory.cli.main import app
from tests.unit.cli.canned_gateway import CannedGateway
from tests.unit.cli.conftest import invoke

ANSWER: dict[str, Any] = {
    "columns": [
        {"name": "name", "type": "String"},
        {"name": "loss", "type": "Nullable(Float64)"},
        {"name": "at", "type": "DateTime64(6, 'UTC')"},
        {"name": "which", "type": "Array(UInt8)"},
    ],
    "rows": [
        ["brave_otter", 0.123456789, "2026-01-02T03:04:05.000006Z", [1, 2]],
        ['a, "b"', "NaN", "2026-01-02T03:04:05.000000Z", []],
        ["none", None, "2026-01-02T03:04:05.000000Z", []],
    ],
    "truncated": False,
    "elapsed_ms": 12.3,
    "rows_read": 1234,
}


def test_a_table(gateway: CannedGateway) -> None:
    gateway.answers["/sql"] = ANSWER
    result = invoke("sql", "SELECT 1")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["name", "loss", "at", "which"]
    time = "2026-01-02T03:04:05.000006Z"
    assert lines[1].split() == ["brave_otter", "0.123457", time, "[1,", "2]"]
    assert "nan" in lines[2]
    assert "3 rows in 12 ms, 1,234 rows read" in result.stderr


def test_json_and_csv_lose_nothing(gateway: CannedGateway) -> None:
    gateway.answers["/sql"] = ANSWER
    rows = json.loads(invoke("sql", "SELECT 1", "--json").stdout)
    assert rows[0] == {
        "name": "brave_otter",
        "loss": 0.123456789,
        "at": "2026-01-02T03:04:05.000006Z",
        "which": [1, 2],
    }
    assert (rows[1]["loss"], rows[2]["loss"]) == ("NaN", None)
    assert invoke("sql", "SELECT 1", "--csv").stdout.splitlines() == [
        "name,loss,at,which",
        'brave_otter,0.123456789,2026-01-02T03:04:05.000006Z,"[1, 2]"',
        '"a, ""b""",nan,2026-01-02T03:04:05.000000Z,[]',
        "none,,2026-01-02T03:04:05.000000Z,[]",
    ]


def test_the_query_comes_from_a_file_or_a_pipe(gateway: CannedGateway, tmp_path: Path) -> None:
    gateway.answers["/sql"] = ANSWER
    (tmp_path / "best.sql").write_text("SELECT 2")
    assert invoke("sql", "--file", "best.sql").exit_code == 0
    for arguments in (["sql", "-"], ["sql"]):
        piped = CliRunner().invoke(app, arguments, input="SELECT 3", prog_name="runhistory")
        assert piped.exit_code == 0, piped.output
    sent = [json.loads(body)["query"] for body in gateway.bodies]
    assert sent == ["SELECT 2", "SELECT 3", "SELECT 3"]


def test_two_queries_or_two_forms_are_refused(gateway: CannedGateway, tmp_path: Path) -> None:
    (tmp_path / "best.sql").write_text("SELECT 2")
    assert invoke("sql", "SELECT 1", "--file", "best.sql").exit_code == 2
    assert invoke("sql", "SELECT 1", "--json", "--csv").exit_code == 2
    assert gateway.asked == []


def test_a_cut_off_answer_says_so(gateway: CannedGateway) -> None:
    gateway.answers["/sql"] = {**ANSWER, "truncated": True}
    assert "first 3 rows. More: --limit" in invoke("sql", "SELECT 1", "-n", "3").stderr


def test_a_refusal_is_one_message(gateway: CannedGateway) -> None:
    gateway.refuse("/sql", 400, "invalid_sql", "The function sleep may not be used here.")
    result = invoke("sql", "SELECT sleep(1)")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: The function sleep may not be used here.\n"


def test_the_views_are_listed(gateway: CannedGateway) -> None:
    columns = [{"name": "run_id", "type": "String"}, {"name": "status", "type": "String"}]
    gateway.answers["/sql/views"] = {"views": [{"name": "runs", "columns": columns}]}
    lines = invoke("sql", "--views").stdout.splitlines()
    assert [line.split() for line in lines] == [
        ["view", "column", "type"],
        ["runs", "run_id", "String"],
        ["status", "String"],
    ]
