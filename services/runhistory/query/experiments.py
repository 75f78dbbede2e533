"""Experiments: what they are called, and how their runs stand."""

from datetime import datetime
from typing import Final, Literal

from clickhouse_connect.driver.client import Client
from msgspec import Struct

from runhistory.domain.ids import experiment_id
from runhistory.query.rows import Row, read

Archived = Literal["false", "true", "all"]
"""Which of those in sight and those archived are asked for."""


class ExperimentSummary(Struct, frozen=True, kw_only=True):
    """An experiment; `runs` counts its runs by their status."""

    experiment_id: str
    name: str
    description: str
    tags: dict[str, str]
    archived: bool
    created: datetime
    last_activity: datetime
    runs: dict[str, int]


_SELECT: Final = (
    "SELECT experiment_id, name, description, tags, archived, created, last_activity, runs "
    "FROM runhistory.experiments WHERE workspace = {workspace:String} "
)


def list_experiments(
    client: Client, *, workspace: str, archived: Archived = "false"
) -> list[ExperimentSummary]:
    """The experiments of a workspace, the last active first.

    Raises:
        EngineUnavailable
    """
    condition = "" if archived == "all" else f"AND archived = {archived} "
    found = read(
        client, _SELECT + condition + "ORDER BY last_activity DESC, name", workspace=workspace
    )
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


def is_deleted(client: Client, *, workspace: str, name: str) -> bool:
    """Whether an experiment of this name was deleted and is not there anew.

    Raises:
        EngineUnavailable
    """
    found = read(
        client,
        "SELECT 1 FROM runhistory.deleted_experiments "
        "WHERE workspace = {workspace:String} AND experiment_id = {experiment_id:String}",
        workspace=workspace,
        experiment_id=experiment_id(workspace, name),
    )
    return bool(found)


def _summary(row: Row) -> ExperimentSummary:
    identity, name, description, tags, archived, created, last_activity, runs = row
    return ExperimentSummary(
        experiment_id=identity,
        name=name,
        description=description,
        tags=dict(tags),
        archived=bool(archived),  # ClickHouse has 0 and 1
        created=created,
        last_activity=last_activity,
        runs=dict(runs),
    )
