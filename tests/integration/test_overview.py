"""The experiments at a glance: which metric of which run is shown, and that its line is true."""

import math
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from runhistory.clickhouse.client import open_client
from runhistory.domain.commands import ArchiveRun, CreateRun, SetExperimentTags
from runhistory.domain.ids import experiment_id, new_run_id
from runhistory.domain.values import RunContent
from runhistory.query.overview import MainMetric, load_overview
from tests.conftest import Engine
from tests.support.landing import History, insert, metric_row

pytestmark = pytest.mark.infrastructure

START = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def client(engine: Engine) -> Client:
    return open_client(engine.url)


class World:
    """One workspace; each run is created a minute after the one before."""

    def __init__(self, client: Client) -> None:
        self.client, self.workspace, self.minutes = client, f"w{uuid.uuid4().hex}", 0

    def create(self, experiment: str = "bert", *, archived: bool = False, **content: Any) -> str:
        run_id, self.minutes = new_run_id(), self.minutes + 1
        own = {"workspace": self.workspace, "run_id": run_id}
        made = RunContent(type="interactive", experiment=experiment, **content)
        history = History(START + timedelta(minutes=self.minutes))
        history.apply(CreateRun(**own, command_id="1", content=made))
        if archived:
            history.apply(ArchiveRun(**own, command_id="2"))
        insert(self.client, "events_landing", history.rows)
        return run_id

    def log(
        self, run_id: str, *, attempt: int = 1, seq: int = 0, first_step: int = 0, **values: Any
    ) -> None:
        """One batch: point i of all metrics, one metric after the other."""
        points = [(key, i, v) for key, found in values.items() for i, v in enumerate(found)]
        batch = {
            "writer": "w",
            "seq": seq,
            "keys": sorted(values),
            "key_index": [sorted(values).index(key) + 1 for key, _, _ in points],
            "steps": [first_step + i for _, i, _ in points],
            "values": [value for _, _, value in points],
            "times": [1_764_000_000_000_000 + i for _, i, _ in points],
        }
        row = metric_row(self.workspace, run_id, batch, attempt)
        insert(self.client, "metrics_landing", [row])

    def choose(self, experiment: str, key: str) -> None:
        name = {"run_id": experiment_id(self.workspace, experiment), "name": experiment}
        command = SetExperimentTags(
            workspace=self.workspace, command_id="3", tags={"main_metric": key}, **name
        )
        insert(self.client, "events_landing", History(START).apply(command).rows)

    def metrics(self) -> dict[str, MainMetric | None]:
        found = load_overview(self.client, workspace=self.workspace)
        return {one.name: one.main_metric for one in found}


@pytest.fixture
def world(client: Client) -> World:
    return World(client)


def test_what_the_newest_run_logged_first_is_shown(world: World) -> None:
    world.log(world.create(), old=[1.0])
    run_id = world.create(display_name="newest")
    world.log(run_id, seq=1, acc=[5.0], zeta=[1.0])
    world.log(run_id, loss=[0.5, 0.2, 0.4], **{"system/cpu": [1.0], "acc": [1.0]})
    world.create()  # is queued, has logged nothing
    world.log(world.create(archived=True), hidden=[1.0])
    world.log(world.create(parent_run_id=run_id), child=[1.0])
    world.create("empty")

    found = world.metrics()

    metric = found["bert"]
    assert metric is not None
    # The batch that lies first in the log counts, and in it the point that stands first.
    assert (metric.key, metric.is_chosen) == ("acc", False)
    assert (metric.run_id, metric.display_name, metric.status) == (run_id, "newest", "NotStarted")
    assert found["empty"] is None


def test_an_experiment_can_choose_its_metric(world: World) -> None:
    older, newer = world.create(), world.create()
    world.log(older, loss=[1.0], acc=[0.5, 0.7])
    world.log(newer, loss=[0.5])
    world.choose("bert", "acc")
    metric = world.metrics()["bert"]
    assert metric is not None
    assert (metric.key, metric.is_chosen, metric.run_id) == ("acc", True, older)
    assert (metric.last, metric.min, metric.max) == (0.7, 0.5, 0.7)
    assert (metric.sparkline.steps, metric.sparkline.values) == ([0, 1], [0.5, 0.7])
    world.choose("bert", "nobody logs this")
    metric = world.metrics()["bert"]
    assert metric is not None
    assert (metric.key, metric.is_chosen, metric.run_id) == ("loss", False, newer)


def test_numbers_alone_are_drawn(world: World) -> None:
    run_id = world.create()
    world.log(run_id, a=["NaN", "NaN"], loss=[0.5, "NaN", 0.25, "Infinity"])
    metric = world.metrics()["bert"]
    assert metric is not None
    assert (metric.key, metric.last, metric.min) == ("loss", "Infinity", 0.25)
    assert (metric.sparkline.steps, metric.sparkline.values) == ([0, 2], [0.5, 0.25])


@pytest.mark.parametrize("steps", [61, 3_000, 130_000])
def test_a_line_has_few_points_and_the_extremes(world: World, steps: int) -> None:
    values = [math.sin(step / steps * 9) for step in range(steps)]
    values[steps // 2], values[steps // 3] = 7.0, -7.0
    run_id = world.create()
    for seq, begin in enumerate(range(0, steps, 20_000)):
        world.log(run_id, seq=seq, first_step=begin, loss=values[begin : begin + 20_000])
    metric = world.metrics()["bert"]
    assert metric is not None
    line = metric.sparkline
    assert len(line.steps) == len(line.values) <= 60
    assert list(line.steps) == sorted(line.steps)
    assert (min(line.values), max(line.values)) == (-7.0, 7.0) == (metric.min, metric.max)
    assert abs(line.steps[list(line.values).index(7.0)] - steps // 2) < 1_000


def test_what_a_later_attempt_hides_is_not_drawn(world: World) -> None:
    run_id = world.create()
    world.log(run_id, loss=[1.0, 2.0, 9.0])
    world.log(run_id, attempt=2, first_step=2, loss=[3.0])
    metric = world.metrics()["bert"]
    assert metric is not None
    assert (metric.max, list(metric.sparkline.values)) == (3.0, [1.0, 2.0, 3.0])
