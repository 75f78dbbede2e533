"""docs/sql.md: its ten questions have the answers that known data give, and its words hold."""

import asyncio
import re
import statistics
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from runhistory.clickhouse.client import open_client
from runhistory.domain.commands import (
    Command,
    CompleteRun,
    CreateRun,
    FailRun,
    StartRun,
)
from runhistory.domain.values import RunContent, RunError
from runhistory.query.sql import MAX_ROWS, SqlEngine, SqlLimits
from tests.conftest import Engine
from tests.support.landing import History, insert, log_row, metric_row

pytestmark = pytest.mark.infrastructure

PAGE = (Path(__file__).parents[2] / "docs" / "sql.md").read_text("utf-8")
QUESTIONS = re.findall(r"^### (\d+)\. .*?```sql\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL)


def run_id(number: int) -> str:
    return f"0190aaaabbbb7ccc8ddd{number:012}"


class World:
    """Five runs whose every number is known; another workspace has worse copies of them."""

    def __init__(self, client: Client, workspace: str) -> None:
        self.client, self.workspace = client, workspace

    def add_run(
        self, number: int, ends: str, *, team: str, lr: float, begun: datetime, experiment: str
    ) -> None:
        own = {"workspace": self.workspace, "run_id": run_id(number)}
        content = RunContent(
            type="interactive",
            experiment=experiment,
            display_name=f"run-{number}",
            tags={"team": team},
            params={"lr": str(lr)},
        )
        commands: list[Command] = [
            CreateRun(**own, command_id="1", content=content),
            StartRun(**own, command_id="2"),
        ]
        if ends == "Completed":
            commands.append(CompleteRun(**own, command_id="3"))
        if ends == "Failed":
            error = RunError(code="ExitCode", message="it ended with 1")
            commands.append(FailRun(**own, command_id="3", error=error))
        insert(self.client, "events_landing", History(begun).apply(*commands).rows)

    def log(self, number: int, key: str, values: list[Any], seq: int = 0) -> None:
        steps = list(range(len(values)))
        batch = {
            "writer": key, "seq": seq, "keys": [key], "key_index": [1] * len(values),
            "steps": steps, "values": values, "times": [1] * len(values),
        }  # fmt: skip
        row = metric_row(self.workspace, run_id(number), batch)
        insert(self.client, "metrics_landing", [row])

    def print(self, number: int, *lines: str) -> None:
        rows = [log_row(self.workspace, run_id(number), 0, [("stdout", line) for line in lines])]
        insert(self.client, "logs_landing", rows)


@pytest.fixture(scope="module")
def engine_with_data(engine: Engine) -> Engine:
    client = open_client(engine.url)
    monday, next_week = datetime(2026, 11, 16, 9, tzinfo=UTC), datetime(2026, 11, 25, 9, tzinfo=UTC)
    for workspace in ("default", "other"):
        world, worse = World(client, workspace), 1.0 if workspace == "default" else -1.0
        vision = {"team": "vision", "experiment": "bert"}
        audio = {"team": "audio", "experiment": "asr"}
        world.add_run(1, "Completed", lr=0.1, begun=monday, **vision)
        world.add_run(2, "Completed", lr=0.01, begun=monday, **vision)
        world.add_run(3, "Completed", lr=0.001, begun=next_week, **audio)
        world.add_run(4, "Failed", lr=1.0, begun=next_week, **audio)
        world.add_run(5, "Running", lr=0.0001, begun=next_week, **vision)
        for number, last in ((1, 0.3), (2, 0.2), (3, 0.1), (4, "NaN"), (5, 0.05)):
            world.log(number, "val/loss", [1.0, last if isinstance(last, str) else last * worse])
        world.log(1, "loss", [1.0] * 100 + [0.5] * 100)
        world.log(2, "loss", [1.0] * 100 + [0.5] * 50 + [0.75] * 50)
        world.log(1, "system/gpu/0/utilization", [90.0, 95.0])
        world.log(2, "system/gpu/0/utilization", [0.0, 10.0])
        world.log(2, "system/gpu/1/utilization", [0.0, 2.0])
        for seq in (0, 1, 4):
            world.log(3, "loss", [0.0], seq)
        world.print(4, "loading", "epoch 1", "CUDA out of memory")
        world.print(1, "fine")
    return engine


EXPECTED: dict[str, list[tuple[Any, ...]]] = {
    "1": [("run-3", 0.1, 1), ("run-2", 0.2, 1), ("run-1", 0.3, 1)],
    "2": [(0, 1.0, 1.0, 1.0), (100, 0.5, 0.5, 0.5)],
    "3": [("audio", 1, 1), ("vision", 2, 0)],
    # log10(lr), and the best loss of each run
    "4": [(round(statistics.correlation([-1, -2, -3, 0, -4], [0.3, 0.2, 0.1, 1.0, 0.05]), 3), 5)],
    "5": [("NotStarted", 1.0, 1)],
    "6": [("run-2", 3.0, 4)],
    "7": [("run-4", "ExitCode", "epoch 1"), ("run-4", "ExitCode", "CUDA out of memory")],
    "8": [(run_id(3), 1, "loss", 2, [2, 3])],
    "9": [(150, 0.5, 0.75, 0.25)],
    "10": [
        (date(2026, 11, 16), "bert", 2, 0),
        (date(2026, 11, 23), "asr", 2, 1),
        (date(2026, 11, 23), "bert", 1, 0),
    ],
}


def test_there_are_ten_questions() -> None:
    assert [number for number, _ in QUESTIONS] == list(EXPECTED)


@pytest.mark.parametrize(("number", "sql"), QUESTIONS, ids=[number for number, _ in QUESTIONS])
def test_a_question_has_its_answer(engine_with_data: Engine, number: str, sql: str) -> None:
    async def ask() -> list[tuple[Any, ...]]:
        engine = SqlEngine(engine_with_data.url, SqlLimits())
        try:
            found = await engine.rows(sql, workspace="default")
        finally:
            await engine.stop()
        return list(zip(*found.data, strict=True))

    assert asyncio.run(ask()) == EXPECTED[number]


def test_the_page_tells_the_limits_as_they_are() -> None:
    limits = SqlLimits()
    for words in (
        f"| {MAX_ROWS:,} unless",
        f"`RUNHISTORY_SQL_ROWS` ({limits.rows:,})",
        f"| {limits.answer_bytes >> 20} MiB |",
        f"| {limits.seconds} s |",
        f"| {limits.memory_bytes >> 30} GiB |",
        f"| {limits.running}, and 32",
    ):
        assert words in PAGE
