"""The rules for what is noticed about a run: silence, life, warnings, what it runs in.

Who notices may be late, doubled or started anew, so each report names the attempt that it is
about, and one about an attempt that is over changes nothing.
"""

from collections.abc import Callable
from typing import Final

from runhistory.domain.commands import (
    Command,
    RecordEnvironment,
    ReportLife,
    ReportLost,
    ReportSilence,
    WarnRun,
)
from runhistory.domain.decision import Context, Decision, Refused, Unchanged
from runhistory.domain.events import (
    EnvironmentRecorded,
    RunCanceled,
    RunFailed,
    RunNotResponding,
    RunResponded,
    RunWarned,
)
from runhistory.domain.recorder import Recorder
from runhistory.domain.refusals import by_holder, not_allowed
from runhistory.domain.state import Run
from runhistory.domain.status import FOLLOWS, RunStatus
from runhistory.domain.values import RunError

S = RunStatus
LOST: Final = "Lost"
"""The code of a run that failed because nothing was heard of it any more."""


def report_silence(run: Run, command: ReportSilence, context: Context) -> Decision:
    if refused := _of_another_attempt(run, command.attempt):
        return refused
    if run.status is S.NOT_RESPONDING:
        return Unchanged()
    if S.NOT_RESPONDING not in FOLLOWS[run.status]:
        return not_allowed(run, "called silent")
    return (
        Recorder(run, command, context)
        .add(RunNotResponding, S.NOT_RESPONDING, last_seen=command.last_seen)
        .accepted()
    )


def report_life(run: Run, command: ReportLife, context: Context) -> Decision:
    if refused := _of_another_attempt(run, command.attempt):
        return refused
    if run.status is not S.NOT_RESPONDING:
        return Unchanged()
    return Recorder(run, command, context).add(RunResponded, run.known_status).accepted()


def report_lost(run: Run, command: ReportLost, context: Context) -> Decision:
    if refused := _of_another_attempt(run, command.attempt):
        return refused
    if run.status is not S.NOT_RESPONDING:
        return not_allowed(run, "given up as lost")
    if run.silent_since is not None and command.last_seen < run.silent_since:
        return not_allowed(run, "given up as lost", "It was heard of after that.")
    recorder = Recorder(run, command, context)
    if run.known_status is S.CANCEL_REQUESTED:
        return recorder.add(RunCanceled, S.CANCELED).accepted()
    message = command.message or f"Nothing was heard of it since {command.last_seen:%F %T} UTC."
    return recorder.add(RunFailed, S.FAILED, error=RunError(LOST, message)).accepted()


def warn(run: Run, command: WarnRun, context: Context) -> Decision:
    if run.is_terminal:
        return not_allowed(run, "warned about")
    return (
        Recorder(run, command, context)
        .add(RunWarned, code=command.code, message=command.message)
        .accepted()
    )


def record_environment(run: Run, command: RecordEnvironment, context: Context) -> Decision:
    if run.type == "script" and (refused := by_holder(run, command.claim_id)):
        return refused
    if run.is_terminal:
        return not_allowed(run, "given an environment")
    return (
        Recorder(run, command, context)
        .add(EnvironmentRecorded, environment=command.environment)
        .accepted()
    )


def _of_another_attempt(run: Run, attempt: int) -> Refused | None:
    if attempt == run.attempt:
        return None
    return not_allowed(run, f"judged by attempt {attempt}", f"Its latest is {run.attempt}.")


RULES: Final[dict[type[Command], Callable[..., Decision]]] = {
    ReportSilence: report_silence,
    ReportLife: report_life,
    ReportLost: report_lost,
    WarnRun: warn,
    RecordEnvironment: record_environment,
}
"""What is asked for each of these commands to a run that exists."""
