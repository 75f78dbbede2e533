"""docs/clickhouse.md: every view and column that it names is there, and its examples run."""

import re
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from runhistory.clickhouse.client import open_client
from runhistory.domain.commands import AddFiles, CreateRun, DeleteRun, StartRun
from runhistory.domain.ids import new_run_id
from runhistory.domain.values import FileEntry, RunContent
from tests.conftest import Engine
from tests.support.landing import History, insert, log_row, metric_row, record_row

pytestmark = pytest.mark.infrastructure

PAGE = (Path(__file__).parents[2] / "docs" / "clickhouse.md").read_text("utf-8")
SECTIONS = re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
VIEWS = {
    view: text for names, text in SECTIONS if names != "How they are kept"
    for view in names.split(", ")
}  # fmt: skip
COMMON = {"workspace", "run_id", "run_uuid", "attempt"}
WITHOUT_RUNS = {
    *("experiments", "deleted_experiments", "event_offsets", "compute_targets", "nodes", "expiries")
}
EXAMPLES = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def client(engine: Engine) -> Client:
    return open_client(engine.url)


def test_the_page_describes_every_view_and_column(client: Client) -> None:
    columns = client.query(
        "SELECT table, name FROM system.columns WHERE database = 'runhistory'"
    ).result_rows
    assert {table for table, _ in columns} == set(VIEWS)
    missing = [
        (table, name)
        for table, name in columns
        if name not in COMMON and f"`{name}`" not in VIEWS[table]
    ]
    assert missing == []


def test_there_is_an_example_for_each_section() -> None:
    assert len(EXAMPLES) == len(SECTIONS) - 1


@pytest.mark.parametrize(
    "sql", EXAMPLES, ids=[sql.split("runhistory.")[1][:12] for sql in EXAMPLES]
)
def test_an_example_runs(client: Client, sql: str) -> None:
    client.query(sql)


@pytest.mark.parametrize("view", sorted(set(VIEWS) - WITHOUT_RUNS))
def test_a_filter_on_a_run_uses_the_primary_key(client: Client, view: str) -> None:
    _fill(client)
    plan = client.query(
        f"EXPLAIN indexes = 1 SELECT workspace FROM runhistory.{view} "
        "WHERE workspace = 'default' AND run_uuid = unhex('0190aaaabbbb7ccc8ddd0123456789ab')"
    ).result_rows
    text = "\n".join(str(row[0]) for row in plan)
    assert re.search(r"PrimaryKey\s+Keys:\s+workspace\s+(kind\s+)?run_id\s", text), text


def _fill(client: Client) -> None:
    """Something in every table: of an empty one the plan reads nothing."""
    workspace, run_id = "filled", new_run_id()
    own = {"workspace": workspace, "run_id": run_id}
    pairs = {"a": "1"}
    content = RunContent(
        type="interactive", experiment="e", tags=pairs, properties=pairs, params=pairs
    )
    history = History().apply(
        CreateRun(**own, command_id="1", content=content),
        StartRun(**own, command_id="2"),
        AddFiles(**own, command_id="3", attempt=1, files=(FileEntry("f", "a" * 64, 1),)),
    )
    columns = {"key_index": [1], "steps": [1], "values": [1.0], "times": [1]}
    batch = {"writer": "w", "seq": 0, "keys": ["k"], **columns}
    gone = {"workspace": workspace, "run_id": new_run_id()}
    deleted = History().apply(
        CreateRun(**gone, command_id="1", content=content), DeleteRun(**gone, command_id="2")
    )
    insert(client, "events_landing", history.rows + deleted.rows)
    insert(client, "metrics_landing", [metric_row(workspace, run_id, batch)])
    insert(client, "logs_landing", [log_row(workspace, run_id, 0, [("stdout", "a")])])
    insert(client, "records_landing", [record_row(workspace, run_id, 0, [{"key": "k"}])])
