"""The rules for a run that exists, one function for each command."""

from collections.abc import Callable
from typing import Final

from runhistory.domain.commands import (
    AddFiles,
    AddParams,
    AddProperties,
    CancelRun,
    ClaimRun,
    Command,
    CompleteRun,
    ConfirmCancel,
    FailRun,
    ReportExit,
    SetTags,
    StartRun,
)
from runhistory.domain.decision import Context, Decision, Refused, Unchanged
from runhistory.domain.events import (
    FilesAdded,
    ParamsAdded,
    PropertiesAdded,
    RunCanceled,
    RunCancelRequested,
    RunClaimed,
    RunCompleted,
    RunExited,
    RunFailed,
    RunStarted,
    TagsSet,
)
from runhistory.domain.recorder import Recorder
from runhistory.domain.state import Run
from runhistory.domain.status import RunStatus

S = RunStatus


def claim(run: Run, command: ClaimRun, context: Context) -> Decision:
    if run.status is not S.QUEUED:
        return _not_allowed(run, "claimed")
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
            return _not_allowed(run, "started")
        return Recorder(run, command, context).add(RunStarted, S.RUNNING, attempt=1).accepted()
    return _by_holder(run, command.claim_id) or (
        Recorder(run, command, context).add(RunStarted, S.RUNNING).accepted()
        if run.status is S.PREPARING
        else _not_allowed(run, "started")
    )


def report_exit(run: Run, command: ReportExit, context: Context) -> Decision:
    if refused := _by_holder(run, command.claim_id):
        return refused
    if run.status is not S.RUNNING:
        return _not_allowed(run, "finalized")
    return (
        Recorder(run, command, context)
        .add(RunExited, S.FINALIZING, exit_code=command.exit_code, signal=command.signal)
        .accepted()
    )


def complete(run: Run, command: CompleteRun, context: Context) -> Decision:
    if run.status is S.COMPLETED and run.type == "interactive":
        return Unchanged()
    if run.type == "script" and (refused := _by_holder(run, command.claim_id)):
        return refused
    due = S.FINALIZING if run.type == "script" else S.RUNNING
    if run.status is not due:
        return _not_allowed(run, "completed")
    return Recorder(run, command, context).add(RunCompleted, S.COMPLETED).accepted()


def fail(run: Run, command: FailRun, context: Context) -> Decision:
    if run.status is S.FAILED and run.type == "interactive":
        return Unchanged()
    if run.type == "script" and (refused := _by_holder(run, command.claim_id)):
        return refused
    if run.is_terminal:
        return _not_allowed(run, "failed")
    return Recorder(run, command, context).add(RunFailed, S.FAILED, error=command.error).accepted()


def cancel(run: Run, command: CancelRun, context: Context) -> Decision:
    if run.status in (S.CANCELED, S.CANCEL_REQUESTED):
        return Unchanged()
    if run.is_terminal:
        return _not_allowed(run, "canceled")
    recorder = Recorder(run, command, context)
    recorder.add(RunCancelRequested, S.CANCEL_REQUESTED, reason=command.reason)
    if run.claim_id is None:  # no worker has anything to stop
        recorder.add(RunCanceled, S.CANCELED)
    return recorder.accepted()


def confirm_cancel(run: Run, command: ConfirmCancel, context: Context) -> Decision:
    if refused := _by_holder(run, command.claim_id):
        return refused
    if run.status is not S.CANCEL_REQUESTED:
        return _not_allowed(run, "confirmed as canceled")
    return Recorder(run, command, context).add(RunCanceled, S.CANCELED).accepted()


def set_tags(run: Run, command: SetTags, context: Context) -> Decision:
    tags = {name: value for name, value in command.tags.items() if run.tags.get(name) != value}
    if not tags:
        return Unchanged()
    return Recorder(run, command, context).add(TagsSet, tags=tags).accepted()


def add_properties(run: Run, command: AddProperties, context: Context) -> Decision:
    return _write_once(
        run, command, context, "property", run.properties, command.properties,
        lambda recorder, new: recorder.add(PropertiesAdded, properties=new),
    )  # fmt: skip


def add_params(run: Run, command: AddParams, context: Context) -> Decision:
    return _write_once(
        run, command, context, "param", run.params, command.params,
        lambda recorder, new: recorder.add(ParamsAdded, params=new),
    )  # fmt: skip


def _write_once(
    run: Run,
    command: Command,
    context: Context,
    noun: str,
    old: dict[str, str],
    wished: dict[str, str],
    add: Callable[[Recorder, dict[str, str]], Recorder],
) -> Decision:
    for name, value in wished.items():
        if old.get(name, value) != value:
            return Refused(
                f"{noun}_exists",
                f"The {noun} {name!r} of run {run.run_id} ({run.status}) is already "
                f"{_shown(old[name])} and is written once. Use another name, or a tag.",
            )
    new = {name: value for name, value in wished.items() if name not in old}
    return add(Recorder(run, command, context), new).accepted() if new else Unchanged()


def _shown(value: str) -> str:
    """A value within a message, which has a limit of its own."""
    return repr(value if len(value) <= 200 else f"{value[:200]}…")


def add_files(run: Run, command: AddFiles, context: Context) -> Decision:
    if not 1 <= command.attempt <= run.attempt:
        return Refused(
            "attempt_not_found",
            f"Run {run.run_id} ({run.status}) has no attempt {command.attempt}; "
            f"its latest is {run.attempt}.",
        )
    return (
        Recorder(run, command, context)
        .add(FilesAdded, files_attempt=command.attempt, files=command.files)
        .accepted()
    )


def _by_holder(run: Run, claim_id: str | None) -> Refused | None:
    """Refuse what does not come from the worker that holds the run now (fencing)."""
    if run.claim_id is None:
        return _not_allowed(run, "reported on: no worker holds it")
    if claim_id != run.claim_id:
        return Refused(
            "not_the_holder",
            f"Run {run.run_id} is {run.status} in attempt {run.attempt}, held by another claim. "
            "Only the worker whose claim was accepted may report on it.",
        )
    return None


def _not_allowed(run: Run, what: str) -> Refused:
    return Refused(
        "not_allowed",
        f"Run {run.run_id} is {run.status}; it cannot be {what} now.",
    )


RULES: Final[dict[type[Command], Callable[..., Decision]]] = {
    ClaimRun: claim,
    StartRun: start,
    ReportExit: report_exit,
    CompleteRun: complete,
    FailRun: fail,
    CancelRun: cancel,
    ConfirmCancel: confirm_cancel,
    SetTags: set_tags,
    AddProperties: add_properties,
    AddParams: add_params,
    AddFiles: add_files,
}
"""What is asked for each command to a run that exists."""
