"""Compute targets: their pools, their nodes as they are now, and the runs that are there."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, Literal, TypedDict

from clickhouse_connect.driver.client import Client
from msgspec import Struct

from runhistory.domain.compute import BUILT_IN_TARGET
from runhistory.domain.values import NodePool
from runhistory.query.rows import read

RUNS_SHOWN: Final = 1_000
"""So many of the waiting runs are named, the first ones; all are counted."""

NodeStatus = Literal["starting", "idle", "busy"]


class NodeSummary(Struct, frozen=True, kw_only=True):
    """A node that there is now, and the runs that it holds.

    A worker that nobody manages (that of `local`) is named by its id, and shown while it is busy.
    `slots_used`: by these runs; those of other workspaces may have more of them.
    """

    node: str
    status: NodeStatus
    worker_id: str
    slots: int | None
    slots_used: int
    since: datetime | None
    runs: list[str]


class ComputeTargetSummary(Struct, frozen=True, kw_only=True):
    """A compute target. `waiting_runs` are in the order in which they came."""

    name: str
    pool: NodePool
    is_declared: bool
    nodes: list[NodeSummary]
    waiting: int
    running: int
    waiting_runs: list[str]


def list_compute_targets(
    client: Client, *, workspace: str, local: NodePool
) -> list[ComputeTargetSummary]:
    """All targets of a workspace by name; `local` has the given pool unless it was declared.

    Raises:
        EngineUnavailable
    """
    pools = load_pools(client, workspace=workspace)
    declared = set(pools)
    pools.setdefault(BUILT_IN_TARGET, local)
    nodes, runs = _load_nodes(client, workspace), _load_runs(client, workspace)
    return [
        _summary(name, pools[name], nodes[name], runs[name], is_declared=name in declared)
        for name in sorted(pools)
    ]


def load_pools(client: Client, *, workspace: str) -> dict[str, NodePool]:
    """The pools of the targets that were declared, by name.

    Raises:
        EngineUnavailable
    """
    found = read(
        client,
        "SELECT name, min_nodes, max_nodes, idle_seconds, slots FROM runhistory.compute_targets "
        "WHERE workspace = {workspace:String}",
        workspace=workspace,
    )
    return {
        name: NodePool(min_nodes=least, max_nodes=most, idle_seconds=idle, slots=slots)
        for name, least, most, idle, slots in found
    }


class _OpenRun(Struct, frozen=True):
    run_id: str
    worker_id: str | None
    """None: it waits."""
    slots: int


class _Holding(TypedDict):
    runs: list[str]
    slots_used: int


class _LivingNode(Struct, frozen=True):
    node: str
    is_ready: bool
    worker_id: str
    slots: int
    since: datetime


def _load_nodes(client: Client, workspace: str) -> dict[str, list[_LivingNode]]:
    rows = read(
        client,
        "SELECT compute_target, node, status = 'Ready', worker_id, slots, since "
        "FROM runhistory.nodes WHERE workspace = {workspace:String} "
        "AND status IN ('Starting', 'Ready') ORDER BY length(node), node",
        workspace=workspace,
    )
    found: dict[str, list[_LivingNode]] = defaultdict(list)
    for target, node, is_ready, worker_id, slots, since in rows:
        found[target].append(_LivingNode(node, bool(is_ready), worker_id, slots, since))
    return found


def _load_runs(client: Client, workspace: str) -> dict[str, list[_OpenRun]]:
    """The runs that are not over, the first created first, by their target."""
    rows = read(
        client,
        "SELECT compute_target, run_id, worker_id, "
        "status IN ('NotStarted', 'Starting', 'Queued', 'Provisioning'), "
        "greatest(1, JSONExtractUInt(ifNull(spec, ''), 'resources', 'slots')) FROM runhistory.runs "
        "WHERE workspace = {workspace:String} AND compute_target IS NOT NULL "
        "AND status NOT IN ('Completed', 'Failed', 'Canceled') ORDER BY created, run_id",
        workspace=workspace,
    )
    found: dict[str, list[_OpenRun]] = defaultdict(list)
    for target, run_id, worker_id, is_waiting, slots in rows:
        found[target].append(_OpenRun(run_id, None if is_waiting else worker_id, slots))
    return found


def _summary(
    name: str,
    pool: NodePool,
    nodes: Iterable[_LivingNode],
    runs: Iterable[_OpenRun],
    *,
    is_declared: bool,
) -> ComputeTargetSummary:
    waiting = [run.run_id for run in runs if run.worker_id is None]
    held: dict[str, list[_OpenRun]] = defaultdict(list)
    for run in runs:
        if run.worker_id is not None:
            held[run.worker_id].append(run)
    shown = [
        NodeSummary(
            node=node.node,
            status=_status(node, held.get(node.worker_id)),
            worker_id=node.worker_id,
            slots=node.slots,
            since=node.since,
            **_holding(held.pop(node.worker_id, [])),
        )
        for node in nodes
    ]
    shown += [
        NodeSummary(
            node=worker_id,
            status="busy",
            worker_id=worker_id,
            slots=None,
            since=None,
            **_holding(theirs),
        )
        for worker_id, theirs in sorted(held.items())
    ]
    return ComputeTargetSummary(
        name=name,
        pool=pool,
        is_declared=is_declared,
        nodes=shown,
        waiting=len(waiting),
        running=sum(len(node.runs) for node in shown),
        waiting_runs=waiting[:RUNS_SHOWN],
    )


def _holding(runs: Sequence[_OpenRun]) -> _Holding:
    return {
        "runs": [run.run_id for run in runs],
        "slots_used": sum(run.slots for run in runs),
    }


def _status(node: _LivingNode, held: Sequence[_OpenRun] | None) -> NodeStatus:
    if held:
        return "busy"
    return "idle" if node.is_ready else "starting"
