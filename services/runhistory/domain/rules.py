"""The rules for the life of a run that exists, one function for each command."""

from collections.abc import Callable
from typing import Final

from runhistory.domain.commands import (
    CancelRun,
    ClaimRun,
    Command,
    CompleteRun,
    ConfirmCancel,
    FailRun,
    PauseRun,
    ProvisionRun,
    ReportExit,
    ResumeRun,
    StartRun,
)
from runhistory.domain.decision import Context, Decision, Unchanged
from runhistory.domain.events import (
    RunCanceled,
    RunCancelRequested,
    RunClaimed,
    RunCompleted,
    RunExited,
    RunFailed,
    RunPaused,
    RunProvisioning,
    RunResumed,
    RunStarted,
)
from runhistory.domain.recorder import Recorder
from runhistory.domain.refusals import by_holder, not_allowed
from runhistory.domain.state import Run
from runhistory.domain.status import RunStatus

S = RunStatus


def provision(run: Run, command: ProvisionRun, context: Context) -> Decision:
    if run.status is S.PROVISIONING:
        return Unchanged()
    if run.status is not S.QUEUED:
        return not_allowed(run, "given a node")
    return (
        Recorder(run, command, context)
        .add(RunProvisioning, S.PROVISIONING, node=command.node)
        .accepted()
    )


def claim(run: Run, command: ClaimRun, context: Context) -> Decision:
    if run.status not in (S.QUEUED, S.PROVISIONING):
        return not_allowed(run, "claimed")
    return (
        Recorder(run, command, context)
        .add(
            RunClaimed,
            S.PREPARING,
            attempt=run.attempt + 1,
            claim_id=command.claim_id,
            worker_id=command.worker_id,
            node=command.node,
            gpus=command.gpus,
        )
        .accepted()
    )


def start(run: Run, command: StartRun, context: Context) -> Decision:
    if run.type == "interactive":
        if run.status is not S.NOT_STARTED:
            return not_allowed(run, "started")
        return Recorder(run, command, context).add(RunStarted, S.RUNNING, attempt=1).accepted()
    return by_holder(run, command.claim_id) or (
        Recorder(run, command, context).add(RunStarted, S.RUNNING).accepted()
        if run.known_status is S.PREPARING
        else not_allowed(run, "started")
    )


def report_exit(run: Run, command: ReportExit, context: Context) -> Decision:
    if refused := by_holder(run, command.claim_id):
        return refused
    if run.known_status not in (S.RUNNING, S.PAUSED):
        return not_allowed(run, "finalized")
    return (
        Recorder(run, command, context)
        .add(RunExited, S.FINALIZING, exit_code=command.exit_code, signal=command.signal)
        .accepted()
    )


def complete(run: Run, command: CompleteRun, context: Context) -> Decision:
    if run.status is S.COMPLETED and run.type == "interactive":
        return Unchanged()
    if run.type == "script" and (refused := by_holder(run, command.claim_id)):
        return refused
    due = (S.FINALIZING,) if run.type == "script" else (S.RUNNING, S.PAUSED)
    if run.known_status not in due:
        return not_allowed(run, "completed")
    return Recorder(run, command, context).add(RunCompleted, S.COMPLETED).accepted()


def fail(run: Run, command: FailRun, context: Context) -> Decision:
    if run.status is S.FAILED and run.type == "interactive":
        return Unchanged()
    if run.type == "script" and (refused := by_holder(run, command.claim_id)):
        return refused
    if run.is_terminal:
        return not_allowed(run, "failed")
    return Recorder(run, command, context).add(RunFailed, S.FAILED, error=command.error).accepted()


def cancel(run: Run, command: CancelRun, context: Context) -> Decision:
    if run.known_status in (S.CANCELED, S.CANCEL_REQUESTED):
        return Unchanged()
    if run.is_terminal:
        return not_allowed(run, "canceled")
    recorder = Recorder(run, command, context)
    recorder.add(RunCancelRequested, S.CANCEL_REQUESTED, reason=command.reason)
    if run.claim_id is None:  # no worker has anything to stop
        recorder.add(RunCanceled, S.CANCELED)
    return recorder.accepted()


def confirm_cancel(run: Run, command: ConfirmCancel, context: Context) -> Decision:
    if refused := by_holder(run, command.claim_id):
        return refused
    if run.known_status is not S.CANCEL_REQUESTED:
        return not_allowed(run, "confirmed as canceled")
    return Recorder(run, command, context).add(RunCanceled, S.CANCELED).accepted()


def pause(run: Run, command: PauseRun, context: Context) -> Decision:
    if run.status is S.PAUSED:
        return Unchanged()
    if run.status is not S.RUNNING:
        return not_allowed(run, "paused", "Only a run that is Running can.")
    return Recorder(run, command, context).add(RunPaused, S.PAUSED).accepted()


def resume(run: Run, command: ResumeRun, context: Context) -> Decision:
    if run.status is S.RUNNING:
        return Unchanged()
    if run.status is not S.PAUSED:
        return not_allowed(run, "resumed", "Only a run that is Paused can.")
    return Recorder(run, command, context).add(RunResumed, S.RUNNING).accepted()


RULES: Final[dict[type[Command], Callable[..., Decision]]] = {
    ProvisionRun: provision,
    ClaimRun: claim,
    StartRun: start,
    ReportExit: report_exit,
    CompleteRun: complete,
    FailRun: fail,
    CancelRun: cancel,
    ConfirmCancel: confirm_cancel,
    PauseRun: pause,
    ResumeRun: resume,
}
"""What is asked for each of these commands to a run that exists."""
