"""How many slots of a compute target runs have, against the real engine."""

import uuid

import pytest

from runhistory.clickhouse.client import open_client
from runhistory.domain.commands import ClaimRun, CreateRun, FailRun
from runhistory.domain.compute import built_in_pool
from runhistory.domain.ids import new_run_id
from runhistory.domain.values import Resources, RunContent, RunError, ScriptSpec
from runhistory.query.compute import list_compute_targets
from tests.conftest import Engine
from tests.support.landing import History, insert

pytestmark = pytest.mark.infrastructure


def test_slots_are_those_of_the_runs_that_a_worker_has(engine: Engine) -> None:
    client, workspace = open_client(engine.url), f"w{uuid.uuid4().hex}"
    small, large, over, waiting = (new_run_id() for _ in range(4))

    def own(run_id: str) -> dict[str, str]:
        return {"workspace": workspace, "run_id": run_id, "command_id": uuid.uuid4().hex}

    for run_id, slots in {small: 1, large: 3, over: 1, waiting: 2}.items():
        resources = Resources(slots=slots)
        spec = ScriptSpec(script="t.py", snapshot_id="0" * 64, resources=resources)
        content = RunContent(type="script", experiment="bert", spec=spec)
        history = History().apply(CreateRun(**own(run_id), content=content))
        if run_id != waiting:
            history.apply(ClaimRun(**own(run_id), claim_id="c", worker_id="w1", node="n1"))
        if run_id == over:
            error = RunError("E", "bad")
            history.apply(FailRun(**own(run_id), claim_id="c", error=error))
        insert(client, "events_landing", history.rows)

    (local,) = list_compute_targets(client, workspace=workspace, local=built_in_pool(4))
    (node,) = local.nodes
    assert (set(node.runs), node.slots_used) == ({small, large}, 4)
    assert local.waiting_runs == [waiting]
