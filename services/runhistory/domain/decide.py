"""What a command brings about: `decide(state, command, context)`.

The answer is one of three. **Accepted** carries the events, to be appended together.
**Unchanged** means that what was wished is already so. **Refused** has a code for programs and
a message that says what to do. Only these functions make events, so whatever they never emit
never happens; `FOLLOWS` in status.py is checked for each event once more on its way out.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from msgspec import Struct

from runhistory.domain.commands import (
    AddFiles,
    AddParams,
    AddProperties,
    CancelRun,
    ClaimRun,
    Command,
    CompleteRun,
    ConfirmCancel,
    CreateExperiment,
    CreateRun,
    FailRun,
    ReportExit,
    SetTags,
    StartRun,
)
from runhistory.domain.events import (
    Event,
    ExperimentCreated,
    FilesAdded,
    ParamsAdded,
    PropertiesAdded,
    RunCanceled,
    RunCancelRequested,
    RunClaimed,
    RunCompleted,
    RunCreated,
    RunEvent,
    RunExited,
    RunFailed,
    RunQueued,
    RunStarted,
    RunSubmitted,
    TagsSet,
)
from runhistory.domain.ids import default_display_name, experiment_id
from runhistory.domain.state import Applied, Experiment, Run, State
from runhistory.domain.status import RunStatus, may_follow
from runhistory.domain.values import RunContent, canonical_json

S = RunStatus


class Context(Struct, frozen=True):
    """What a decision may depend on besides the run itself."""

    now: datetime
    compute_targets: frozenset[str] = frozenset({"local"})


class Accepted(Struct, frozen=True):
    """The wish is granted; these events happened, in this order."""

    events: tuple[Event, ...]


class Unchanged(Struct, frozen=True):
    """Nothing to do. `applied` is the old outcome when the command is a retry."""

    applied: Applied | None = None


class Refused(Struct, frozen=True):
    """The wish is not granted."""

    code: str
    message: str


Decision = Accepted | Unchanged | Refused


class IllegalTransition(Exception):
    """A decision would break FOLLOWS: a bug in this module, never the caller's fault."""


def decide(state: State | None, command: Command, context: Context) -> Decision:
    """Decide about one command; `state` is None while nothing bears the id.

    A command that was applied before is Unchanged and carries its old outcome.
    """
    if state is not None and state.workspace != command.workspace:
        return Refused("id_taken", "This id belongs to another workspace. Use a fresh id.")
    if state is not None and command.command_id in state.applied:
        return Unchanged(state.applied[command.command_id])
    if isinstance(command, CreateExperiment):
        return _create_experiment(state, command, context)
    if isinstance(state, Experiment):
        return Refused("id_taken", "This id belongs to an experiment. Use a fresh run id.")
    if isinstance(command, CreateRun):
        return _create_run(state, command, context)
    if state is None:
        return Refused(
            "run_not_found",
            f"There is no run {command.run_id} in workspace {command.workspace}. "
            "Create it first, or check the id.",
        )
    return _RULES[type(command)](state, command, context)


class _Recorder:
    """Makes a run's next events: numbers them and checks each step against FOLLOWS."""

    def __init__(self, run: Run | None, command: Command, context: Context) -> None:
        self._run, self._command, self._context = run, command, context
        self._version = run.version if run else 0
        self._status = run.status if run else S.NOT_STARTED
        self._attempt = run.attempt if run else 0
        self.events: list[RunEvent] = []

    def add(
        self,
        event: type[RunEvent],
        status: RunStatus | None = None,
        attempt: int | None = None,
        experiment: str | None = None,
        **payload: Any,
    ) -> "_Recorder":
        status = status or self._status
        if not may_follow(self._status, status):
            raise IllegalTransition(f"{event.TYPE}: {self._status} -> {status}")
        self._version, self._status = self._version + 1, status
        self._attempt = self._attempt if attempt is None else attempt
        self.events.append(
            event(
                workspace=self._command.workspace,
                run_id=self._command.run_id,
                version=self._version,
                command_id=self._command.command_id,
                time=self._context.now,
                status=status,
                attempt=self._attempt,
                experiment_id=experiment or (self._run.experiment_id if self._run else ""),
                **payload,
            )
        )
        return self

    def accepted(self) -> Accepted:
        return Accepted(tuple(self.events))


def content_sha256(content: RunContent) -> str:
    """What tells two contents apart: SHA-256 of the content's canonical JSON."""
    return hashlib.sha256(canonical_json(content)).hexdigest()


def _create_run(run: Run | None, command: CreateRun, context: Context) -> Decision:
    content, digest = command.content, content_sha256(command.content)
    if run is not None:
        if run.content_sha256 == digest:
            return Unchanged()
        return Refused(
            "run_exists",
            f"Run {run.run_id} exists with other content and is {run.status}. "
            "Create a run under a fresh id.",
        )
    if (content.type == "script") != (content.spec is not None):
        return Refused(
            "invalid_content",
            "A run of type script needs a spec (script and snapshot_id); others have none.",
        )
    spec = content.spec
    if spec is not None and spec.compute_target not in context.compute_targets:
        known = ", ".join(sorted(context.compute_targets))
        return Refused(
            "unknown_compute_target",
            f"There is no compute target {spec.compute_target!r}. Known here: {known}.",
        )
    experiment = experiment_id(command.workspace, content.experiment)
    recorder = _Recorder(None, command, context).add(
        RunCreated,
        experiment=experiment,
        content=content,
        display_name=content.display_name or default_display_name(command.run_id),
        content_sha256=digest,
    )
    if spec is not None:
        target = spec.compute_target
        recorder.add(RunSubmitted, S.STARTING, experiment=experiment, compute_target=target).add(
            RunQueued, S.QUEUED, experiment=experiment, compute_target=target
        )
    return recorder.accepted()


def _create_experiment(
    state: State | None, command: CreateExperiment, context: Context
) -> Decision:
    if command.run_id != experiment_id(command.workspace, command.name):
        return Refused(
            "wrong_experiment_id",
            "An experiment's id is UUIDv5 of its workspace and name; leave it to the server.",
        )
    if isinstance(state, Experiment):
        return Unchanged()
    event = ExperimentCreated(
        workspace=command.workspace,
        run_id=command.run_id,
        version=1,
        command_id=command.command_id,
        time=context.now,
        name=command.name,
        description=command.description,
        tags=command.tags,
    )
    return Accepted((event,))


def _claim(run: Run, command: ClaimRun, context: Context) -> Decision:
    if run.status is not S.QUEUED:
        return _not_allowed(run, "claimed")
    return (
        _Recorder(run, command, context)
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


def _start(run: Run, command: StartRun, context: Context) -> Decision:
    if run.type == "interactive":
        if run.status is not S.NOT_STARTED:
            return _not_allowed(run, "started")
        return _Recorder(run, command, context).add(RunStarted, S.RUNNING, attempt=1).accepted()
    return _by_holder(run, command.claim_id) or (
        _Recorder(run, command, context).add(RunStarted, S.RUNNING).accepted()
        if run.status is S.PREPARING
        else _not_allowed(run, "started")
    )


def _report_exit(run: Run, command: ReportExit, context: Context) -> Decision:
    if refused := _by_holder(run, command.claim_id):
        return refused
    if run.status is not S.RUNNING:
        return _not_allowed(run, "finalized")
    return (
        _Recorder(run, command, context)
        .add(RunExited, S.FINALIZING, exit_code=command.exit_code, signal=command.signal)
        .accepted()
    )


def _complete(run: Run, command: CompleteRun, context: Context) -> Decision:
    if run.status is S.COMPLETED and run.type == "interactive":
        return Unchanged()
    if run.type == "script" and (refused := _by_holder(run, command.claim_id)):
        return refused
    due = S.FINALIZING if run.type == "script" else S.RUNNING
    if run.status is not due:
        return _not_allowed(run, "completed")
    return _Recorder(run, command, context).add(RunCompleted, S.COMPLETED).accepted()


def _fail(run: Run, command: FailRun, context: Context) -> Decision:
    if run.status is S.FAILED and run.type == "interactive":
        return Unchanged()
    if run.type == "script" and (refused := _by_holder(run, command.claim_id)):
        return refused
    if run.is_terminal:
        return _not_allowed(run, "failed")
    return _Recorder(run, command, context).add(RunFailed, S.FAILED, error=command.error).accepted()


def _cancel(run: Run, command: CancelRun, context: Context) -> Decision:
    if run.status in (S.CANCELED, S.CANCEL_REQUESTED):
        return Unchanged()
    if run.is_terminal:
        return _not_allowed(run, "canceled")
    recorder = _Recorder(run, command, context)
    recorder.add(RunCancelRequested, S.CANCEL_REQUESTED, reason=command.reason)
    if run.claim_id is None:  # no worker has anything to stop
        recorder.add(RunCanceled, S.CANCELED)
    return recorder.accepted()


def _confirm_cancel(run: Run, command: ConfirmCancel, context: Context) -> Decision:
    if refused := _by_holder(run, command.claim_id):
        return refused
    if run.status is not S.CANCEL_REQUESTED:
        return _not_allowed(run, "confirmed as canceled")
    return _Recorder(run, command, context).add(RunCanceled, S.CANCELED).accepted()


def _set_tags(run: Run, command: SetTags, context: Context) -> Decision:
    tags = {name: value for name, value in command.tags.items() if run.tags.get(name) != value}
    if not tags:
        return Unchanged()
    return _Recorder(run, command, context).add(TagsSet, tags=tags).accepted()


def _add_properties(run: Run, command: AddProperties, context: Context) -> Decision:
    return _write_once(
        run, command, context, "property", run.properties, command.properties,
        lambda recorder, new: recorder.add(PropertiesAdded, properties=new),
    )  # fmt: skip


def _add_params(run: Run, command: AddParams, context: Context) -> Decision:
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
    add: Callable[[_Recorder, dict[str, str]], _Recorder],
) -> Decision:
    for name, value in wished.items():
        if old.get(name, value) != value:
            return Refused(
                f"{noun}_exists",
                f"The {noun} {name!r} of run {run.run_id} ({run.status}) is already "
                f"{old[name]!r} and is written once. Use another name, or a tag.",
            )
    new = {name: value for name, value in wished.items() if name not in old}
    return add(_Recorder(run, command, context), new).accepted() if new else Unchanged()


def _add_files(run: Run, command: AddFiles, context: Context) -> Decision:
    if not 1 <= command.attempt <= run.attempt:
        return Refused(
            "attempt_not_found",
            f"Run {run.run_id} ({run.status}) has no attempt {command.attempt}; "
            f"its latest is {run.attempt}.",
        )
    return (
        _Recorder(run, command, context)
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


_RULES: Final[dict[type[Command], Callable[..., Decision]]] = {
    ClaimRun: _claim,
    StartRun: _start,
    ReportExit: _report_exit,
    CompleteRun: _complete,
    FailRun: _fail,
    CancelRun: _cancel,
    ConfirmCancel: _confirm_cancel,
    SetTags: _set_tags,
    AddProperties: _add_properties,
    AddParams: _add_params,
    AddFiles: _add_files,
}
