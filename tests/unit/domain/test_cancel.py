"""A run can be cancelled in every status that is not the end, and comes to Canceled."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from runhistory.domain.commands import (
    CancelRun,
    ClaimRun,
    Command,
    ConfirmCancel,
    CreateRun,
    DeleteRun,
    PauseRun,
    ProvisionRun,
    ReportExit,
    ReportSilence,
    StartRun,
)
from runhistory.domain.decide import Context, Refused, decide
from runhistory.domain.ids import new_command_id, new_run_id
from runhistory.domain.state import Run
from runhistory.domain.status import TERMINAL, RunStatus
from runhistory.domain.values import RunContent, ScriptSpec
from tests.support.landing import History

SPEC = ScriptSpec(script="t.py", snapshot_id="0" * 64)
SCRIPT = RunContent(type="script", experiment="e", spec=SPEC)
INTERACTIVE = RunContent(type="interactive", experiment="e")
SEEN = datetime(2026, 11, 23, tzinfo=UTC)

Step = Callable[[dict[str, Any]], Command]


def create(content: RunContent) -> Step:
    return lambda own: CreateRun(**own, content=content)


CLAIM: Final[Step] = lambda own: ClaimRun(**own, claim_id="c", worker_id="w")  # noqa: E731
START: Final[Step] = lambda own: StartRun(**own, claim_id="c")  # noqa: E731
BEGIN: Final[Step] = lambda own: StartRun(**own)  # noqa: E731
PAUSE: Final[Step] = lambda own: PauseRun(**own)  # noqa: E731
EXIT: Final[Step] = lambda own: ReportExit(**own, claim_id="c", exit_code=0)  # noqa: E731
SILENCE: Final[Step] = lambda own: ReportSilence(**own, attempt=1, last_seen=SEEN)  # noqa: E731
PROVISION: Final[Step] = lambda own: ProvisionRun(**own, node="n")  # noqa: E731

S = RunStatus
WAYS: dict[str, tuple[RunStatus, list[Step]]] = {
    "not started": (S.NOT_STARTED, [create(INTERACTIVE)]),
    "queued": (S.QUEUED, [create(SCRIPT)]),
    "provisioning": (S.PROVISIONING, [create(SCRIPT), PROVISION]),
    "preparing": (S.PREPARING, [create(SCRIPT), CLAIM]),
    "running": (S.RUNNING, [create(SCRIPT), CLAIM, START]),
    "running interactively": (S.RUNNING, [create(INTERACTIVE), BEGIN]),
    "paused": (S.PAUSED, [create(SCRIPT), CLAIM, START, PAUSE]),
    "not responding": (S.NOT_RESPONDING, [create(SCRIPT), CLAIM, START, SILENCE]),
    "silent in preparation": (S.NOT_RESPONDING, [create(SCRIPT), CLAIM, SILENCE]),
    "silent in a pause": (S.NOT_RESPONDING, [create(SCRIPT), CLAIM, START, PAUSE, SILENCE]),
    "silent interactively": (S.NOT_RESPONDING, [create(INTERACTIVE), BEGIN, SILENCE]),
    "finalizing": (S.FINALIZING, [create(SCRIPT), CLAIM, START, EXIT]),
}


@pytest.mark.parametrize("name", WAYS)
def test_a_run_can_be_cancelled_and_then_deleted_in_every_status(name: str) -> None:
    status, steps = WAYS[name]
    run_id = new_run_id()

    def own() -> dict[str, Any]:
        return {"workspace": "ws", "run_id": run_id, "command_id": new_command_id()}

    history = History().apply(*(step(own()) for step in steps))
    run = history.state
    assert isinstance(run, Run)
    assert run.status is status
    if status is not S.NOT_STARTED:
        refused = decide(run, DeleteRun(**own()), Context(now=SEEN))
        assert isinstance(refused, Refused)
        assert "cancel it first" in refused.message

    history.apply(CancelRun(**own()))
    if run.claim_id is not None:  # its worker says when nothing of it runs any more
        assert isinstance(history.state, Run)
        assert history.state.status is S.CANCEL_REQUESTED
        history.apply(ConfirmCancel(**own(), claim_id="c"))
    assert isinstance(history.state, Run)
    assert history.state.status is S.CANCELED
    history.apply(DeleteRun(**own()))
    assert history.state.is_deleted


def test_no_status_is_left_out() -> None:
    passing = {S.STARTING, S.CANCEL_REQUESTED}  # never the last of a command's; already cancelled
    assert {status for status, _ in WAYS.values()} == set(S) - TERMINAL - passing
