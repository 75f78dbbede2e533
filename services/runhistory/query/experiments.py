"""Experiments: what they are called, and how their runs stand."""

from datetime import datetime
from typing import Final

from clickhouse_connect.driver.client import Client
from msgspec import Struct

from runhistory.domain.ids import experiment_id
from runhistory.query.rows import Row, read


class ExperimentSummary(Struct, frozen=True, kw_only=True):
    """An experiment; `runs` counts its runs by their status."""

    experiment_id: str
    name: str
    description: str
    tags: dict[str, str]
    created: datetime
    last_activity: datetime
    runs: dict[str, int]


_SELECT: Final = (
    "SELECT experiment_id, name, description, tags, created, last_activity, runs "
    "FROM runhistory.experiments WHERE workspace = {workspace:String} "
)


def list_experiments(client: Client, *, workspace: str) -> list[ExperimentSummary]:
    """All experiments of a workspace, the last active first.

    Raises:
        EngineUnavailable
    """
    found = read(client, _SELECT + "ORDER BY last_activity DESC, name", workspace=workspace)
    return [_summary(row) for row in found]


def get_experiment(client: Client, *, workspace: str, name: str) -> ExperimentSummary | None:
    """One experiment by its name; None: there is none (or it is not visible yet).

    Raises:
        EngineUnavailable
    """
    found = read(
        client,
        _SELECT + "AND experiment_id = {experiment_id:String}",
        workspace=workspace,
        experiment_id=experiment_id(workspace, name),
    )
    return _summary(found[0]) if found else None


def _summary(row: Row) -> ExperimentSummary:
    identity, name, description, tags, created, last_activity, runs = row
    return ExperimentSummary(
        experiment_id=identity,
        name=name,
        description=description,
        tags=dict(tags),
        created=created,
        last_activity=last_activity,
        runs=dict(runs),
    )
