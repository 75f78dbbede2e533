"""The rules by which runs come to be."""

import hashlib

from runhistory.domain.commands import CreateRun
from runhistory.domain.decision import Context, Decision, Refused, Unchanged
from runhistory.domain.events import ParamsAdded, RunCreated, RunQueued, RunStarted, RunSubmitted
from runhistory.domain.ids import default_display_name, experiment_id
from runhistory.domain.params import params_of, params_of_command
from runhistory.domain.recorder import Recorder
from runhistory.domain.refusals import deleted
from runhistory.domain.state import Run
from runhistory.domain.status import RunStatus
from runhistory.domain.values import RunContent, ScriptSpec, canonical_json


def content_sha256(content: RunContent) -> str:
    """What tells two contents apart: SHA-256 of the content's canonical JSON."""
    return hashlib.sha256(canonical_json(content)).hexdigest()


def create_run(run: Run | None, command: CreateRun, context: Context) -> Decision:
    """The same content is the same run, whatever command it comes with; other content is not."""
    content, digest = command.content, content_sha256(command.content)
    if run is not None:
        if run.is_deleted and command.command_id not in run.applied:
            return deleted(run)
        if run.content_sha256 == digest:
            return Unchanged(run.applied.get(command.command_id))
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
    if spec is not None and spec.command and spec.arguments:
        return Refused("invalid_content", "A command says its arguments itself: leave them out.")
    experiment = experiment_id(command.workspace, content.experiment)
    recorder = Recorder(None, command, context, experiment).add(
        RunCreated,
        content=content,
        display_name=content.display_name or default_display_name(command.run_id),
        content_sha256=digest,
    )
    if spec is not None:
        if params := _new_params(content, spec):
            recorder.add(ParamsAdded, params=params)
        target = spec.compute_target
        recorder.add(RunSubmitted, RunStatus.STARTING, compute_target=target)
        recorder.add(RunQueued, RunStatus.QUEUED, compute_target=target)
    elif command.start:
        recorder.add(RunStarted, RunStatus.RUNNING, attempt=1)
    return recorder.accepted()


def _new_params(content: RunContent, spec: ScriptSpec) -> dict[str, str]:
    """What the arguments tell beyond the params that were given: those count for more."""
    told = params_of_command(spec.command) if spec.command else params_of(spec.arguments)
    return {name: value for name, value in told.items() if name not in content.params}
