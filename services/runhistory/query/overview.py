"""The experiments of a workspace at a glance: their runs by status, and how the newest one does.

An experiment's main metric is the one that its tag `main_metric` names, else what its newest run
logged first. It is shown of the newest run that has it, among the newest few: one that is queued
has logged nothing yet.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final, get_args

from clickhouse_connect.driver.client import Client
from msgspec import Struct, structs

from runhistory.query.experiments import Archived, ExperimentSummary, list_experiments
from runhistory.query.metrics import SYSTEM_PREFIX, Value
from runhistory.query.rows import THESE_RUNS, read
from runhistory.query.run_columns import Cells, Extreme, MetricColumn, load_cells
from runhistory.query.runs import ShownStatus
from runhistory.query.sparklines import Sparkline, load_sparklines

MAIN_METRIC: Final = "main_metric"
NEWEST: Final = 5


class MainMetric(Struct, frozen=True, kw_only=True):
    """The main metric of an experiment's newest run; `is_chosen` where the experiment names it."""

    key: str
    is_chosen: bool
    run_id: str
    display_name: str
    status: ShownStatus
    last: Value
    min: float | None
    max: float | None
    sparkline: Sparkline


class ExperimentOverview(ExperimentSummary, frozen=True, kw_only=True):
    """An experiment, and its main metric; None: no new run has one."""

    main_metric: MainMetric | None


class NewRun(Struct, frozen=True):
    """A run among the newest of its experiment."""

    run_id: str
    display_name: str
    status: str


class LoggedKey(Struct, frozen=True):
    """A key that a run has a number to draw of, and how far its steps reach."""

    key: str
    steps: int


class Choice(Struct, frozen=True):
    """What is shown of an experiment."""

    run: NewRun
    logged: LoggedKey
    is_chosen: bool


def load_overview(
    client: Client, *, workspace: str, archived: Archived = "false"
) -> list[ExperimentOverview]:
    """The experiments of a workspace, the last active first.

    Raises:
        EngineUnavailable
    """
    found = list_experiments(client, workspace=workspace, archived=archived)
    choices = _choose(client, workspace, found)
    metrics = _load_metrics(client, workspace, choices)
    return [
        ExperimentOverview(**structs.asdict(one), main_metric=metrics.get(one.experiment_id))
        for one in found
    ]


def _choose(
    client: Client, workspace: str, experiments: Sequence[ExperimentSummary]
) -> dict[str, Choice]:
    """For each experiment, by its id, the run and the key to show."""
    newest = _load_newest(client, workspace)
    logged = _load_keys(client, workspace, [run.run_id for runs in newest.values() for run in runs])
    choices: dict[str, Choice] = {}
    unsaid: dict[str, NewRun] = {}
    for experiment in experiments:
        key = experiment.tags.get(MAIN_METRIC, "")
        for run in newest.get(experiment.experiment_id, ()):
            if key in logged[run.run_id]:
                choice = Choice(run, logged[run.run_id][key], is_chosen=True)
                choices.setdefault(experiment.experiment_id, choice)
            elif any(not one.startswith(SYSTEM_PREFIX) for one in logged[run.run_id]):
                unsaid.setdefault(experiment.experiment_id, run)
    unsaid = {experiment: run for experiment, run in unsaid.items() if experiment not in choices}
    first = _load_first_keys(client, workspace, [run.run_id for run in unsaid.values()])
    for experiment_id, run in unsaid.items():
        if found := logged[run.run_id].get(first.get(run.run_id, "")):
            choices[experiment_id] = Choice(run, found, is_chosen=False)
    return choices


def _load_newest(client: Client, workspace: str) -> dict[str, list[NewRun]]:
    """The newest runs in sight of each experiment, newest first."""
    found = read(
        client,
        """
        SELECT experiment_id, run_id, display_name, status FROM runhistory.runs
        WHERE workspace = {workspace:String} AND run_uuid IN (
            SELECT run_uuid FROM runhistory.runs
            WHERE workspace = {workspace:String} AND NOT archived AND parent_run_id IS NULL
            ORDER BY created DESC, run_uuid DESC LIMIT {newest:UInt32} BY experiment_id)
        ORDER BY created DESC, run_uuid DESC
        """,
        workspace=workspace,
        newest=NEWEST,
    )
    newest: dict[str, list[NewRun]] = {}
    for experiment_id, *run in found:
        newest.setdefault(experiment_id, []).append(NewRun(*run))
    return newest


_KEYS: Final = f"""
    SELECT run_id, key, max(toInt128(last_step)) - min(first_step) FROM runhistory.series
    WHERE workspace = {{workspace:String}} AND run_uuid IN {THESE_RUNS} AND isNotNull(min)
    GROUP BY run_id, key
"""  # noqa: S608 - this package's words

# What came first lies first in the log; of one batch, what stands first in it. What has no number
# to draw is not counted as logged.
_FIRST_KEYS: Final = f"""
    SELECT run_id, argMin(key, (offset, indexes[1])) FROM runhistory.point_batches
    WHERE workspace = {{workspace:String}} AND run_uuid IN {THESE_RUNS}
        AND NOT startsWith(key, 'system/') AND arrayExists(value -> isFinite(value), values)
    GROUP BY run_id
"""  # noqa: S608 - this package's words


def _load_keys(
    client: Client, workspace: str, run_ids: Sequence[str]
) -> Mapping[str, dict[str, LoggedKey]]:
    """{run id: {key: how it is logged}}."""
    keys: dict[str, dict[str, LoggedKey]] = defaultdict(dict)
    found = read(client, _KEYS, workspace=workspace, run_ids=list(run_ids))
    for run_id, key, steps in found:
        keys[run_id][key] = LoggedKey(key, steps)
    return keys


def _load_first_keys(client: Client, workspace: str, run_ids: Sequence[str]) -> dict[str, str]:
    found = read(client, _FIRST_KEYS, workspace=workspace, run_ids=list(run_ids))
    return {str(run_id): str(key) for run_id, key in found}


def _load_metrics(
    client: Client, workspace: str, choices: Mapping[str, Choice]
) -> dict[str, MainMetric]:
    by_key: dict[str, list[Choice]] = defaultdict(list)
    for one in choices.values():
        by_key[one.logged.key].append(one)
    extremes: Cells = {}
    lines: dict[tuple[str, str], Sparkline] = {}
    for key, shown in by_key.items():
        run_ids = [one.run.run_id for one in shown]
        columns = [MetricColumn(extreme, key) for extreme in get_args(Extreme)]
        extremes |= load_cells(client, workspace=workspace, run_ids=run_ids, columns=columns)
        reach = {one.run.run_id: one.logged.steps for one in shown}
        for run_id, line in load_sparklines(client, workspace, key, reach).items():
            lines[run_id, key] = line
    return {
        experiment: _metric(one, extremes, lines.get((one.run.run_id, one.logged.key), Sparkline()))
        for experiment, one in choices.items()
    }


def _metric(choice: Choice, cells: Cells, sparkline: Sparkline) -> MainMetric:
    run, key = choice.run, choice.logged.key

    def cell(extreme: Extreme) -> Any:
        return cells.get((run.run_id, MetricColumn(extreme, key)))

    return MainMetric(
        key=key,
        is_chosen=choice.is_chosen,
        run_id=run.run_id,
        display_name=run.display_name,
        status=run.status,
        last=cell("last"),
        min=cell("min"),
        max=cell("max"),
        sparkline=sparkline,
    )
