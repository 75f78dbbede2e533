"""docs/runs.md says what can be done in which status: its tables are held to the rules."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from runhistory.domain.commands import (
    CancelRun,
    Command,
    CompleteRun,
    ConfirmCancel,
    DeleteRun,
    FailRun,
    PauseRun,
    ResumeRun,
)
from runhistory.domain.decide import Accepted, Context, Unchanged, decide
from runhistory.domain.ids import new_command_id, new_run_id
from runhistory.domain.state import Run, fold
from runhistory.domain.status import RunStatus
from runhistory.domain.values import RunError
from tests.support.landing import History
from tests.unit.domain.test_cancel import EXIT, WAYS, Step

PAGE = (Path(__file__).parents[3] / "docs" / "runs.md").read_text()
COMMANDS: dict[str, type[Command]] = {
    "cancel": CancelRun,
    "pause": PauseRun,
    "resume": ResumeRun,
    "delete": DeleteRun,
}
S = RunStatus
RUNNING = WAYS["running"][1]
COMPLETE: Step = lambda own: CompleteRun(**own, claim_id="c")  # noqa: E731
FAIL: Step = lambda own: FailRun(**own, claim_id="c", error=RunError("X", "x"))  # noqa: E731
CANCEL: Step = lambda own: CancelRun(**own)  # noqa: E731
CONFIRM: Step = lambda own: ConfirmCancel(**own, claim_id="c")  # noqa: E731
ALL_WAYS: list[tuple[RunStatus, list[Step]]] = [
    *(way for name, way in WAYS.items() if not name.endswith("interactively")),
    (S.CANCEL_REQUESTED, [*RUNNING, CANCEL]),
    (S.COMPLETED, [*RUNNING, EXIT, COMPLETE]),
    (S.FAILED, [*RUNNING, FAIL]),
    (S.CANCELED, [*RUNNING, CANCEL, CONFIRM]),
]


def table(*header: str) -> dict[str, list[str]]:
    """{first cell: the others} of the page's table with this header."""
    head = "| " + " | ".join(header) + " |\n"
    body = PAGE.split(head)[1].split("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in body.splitlines()]
    return {row[0]: row[1:] for row in rows[1:]}


def outcome(run: Run, command: type[Command], own: dict[str, Any]) -> str:
    """What the page has to say about `command` to `run`."""
    match decide(run, command(**own), Context(datetime.now(UTC))):
        case Accepted(events):
            after = fold(events, run)
            assert isinstance(after, Run)
            return "gone" if after.is_deleted else str(after.status)
        case Unchanged():
            return "as it is"
        case _:
            return "-"


@pytest.mark.parametrize("way", ALL_WAYS, ids=lambda way: str(way[0]))
def test_what_can_be_done_when(way: tuple[RunStatus, list[Step]]) -> None:
    status, steps = way
    run_id = new_run_id()

    def own() -> dict[str, Any]:
        return {"workspace": "ws", "run_id": run_id, "command_id": new_command_id()}

    run = History().apply(*(step(own()) for step in steps)).state
    assert isinstance(run, Run)
    assert run.status is status
    said = table("status", *(f"`{name}`" for name in COMMANDS))[str(status)]
    assert said == [outcome(run, command, own()) for command in COMMANDS.values()]


def test_no_status_is_left_out() -> None:
    described = ",".join(table("status", "what it means"))
    assert set(re.findall(r"\w+", described)) == set(S)
    told = set(table("status", *(f"`{name}`" for name in COMMANDS)))
    assert told == {str(status) for status, _ in ALL_WAYS} == set(S) - {S.STARTING}
