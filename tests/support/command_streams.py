"""The commands of many runs, as rival workers, users and clients' retries send them."""

import random
from typing import Any, Final

from runhistory.domain.commands import (
    CancelRun,
    ClaimRun,
    Command,
    CompleteRun,
    CreateRun,
    FailRun,
    ReportExit,
    SetTags,
    StartRun,
)
from runhistory.domain.ids import new_command_id, new_run_id
from runhistory.domain.values import RunContent, RunError, ScriptSpec

WORKSPACE: Final = "faults"


def life_of_a_run(random: random.Random) -> list[Command]:
    """A run's commands as two rival workers, a user and a client's retries would send them."""
    head: dict[str, Any] = {"workspace": WORKSPACE, "run_id": new_run_id()}
    spec = ScriptSpec(script="train.py", snapshot_id="0" * 64)
    content = RunContent(type="script", experiment="faults", spec=spec)
    claims = [
        ClaimRun(command_id=new_command_id(), claim_id=worker, worker_id=worker, **head)
        for worker in ("worker-a", "worker-b")
    ]
    commands: list[Command] = [
        CreateRun(command_id=new_command_id(), content=content, **head),
        *claims,
        StartRun(command_id=new_command_id(), claim_id="worker-a", **head),
        SetTags(command_id=new_command_id(), tags={"mood": "good"}, **head),
        ReportExit(command_id=new_command_id(), claim_id="worker-a", exit_code=0, **head),
        random.choice(
            [
                CompleteRun(command_id=new_command_id(), claim_id="worker-a", **head),
                CancelRun(command_id=new_command_id(), **head),
                FailRun(
                    command_id=new_command_id(),
                    claim_id="worker-b",
                    error=RunError(code="Stale", message="a report of a claim that lost"),
                    **head,
                ),
            ]
        ),
    ]
    return commands


def interleaved(runs: int, seed: int) -> list[Command]:
    """The lives of many runs shuffled into each other, each in its own order."""
    shuffle = random.Random(seed)
    lives = [life_of_a_run(shuffle) for _ in range(runs)]
    mixed = []
    while lives:
        life = shuffle.choice(lives)
        mixed.append(life.pop(0))
        if not life:
            lives.remove(life)
    return mixed
