"""The rules by which runs and experiments come to be."""

import hashlib

from runhistory.domain.commands import CreateExperiment, CreateRun
from runhistory.domain.decision import Accepted, Context, Decision, Refused, Unchanged
from runhistory.domain.events import ExperimentCreated, RunCreated, RunQueued, RunSubmitted
from runhistory.domain.ids import default_display_name, experiment_id
from runhistory.domain.recorder import Recorder
from runhistory.domain.state import Experiment, Run, State
from runhistory.domain.status import RunStatus
from runhistory.domain.values import RunContent, canonical_json


def content_sha256(content: RunContent) -> str:
    """What tells two contents apart: SHA-256 of the content's canonical JSON."""
    return hashlib.sha256(canonical_json(content)).hexdigest()


def create_run(run: Run | None, command: CreateRun, context: Context) -> Decision:
    """The same content is the same run, whatever command it comes with; other content is not."""
    content, digest = command.content, content_sha256(command.content)
    if run is not None:
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
    if spec is not None and spec.compute_target not in context.compute_targets:
        known = ", ".join(sorted(context.compute_targets))
        return Refused(
            "unknown_compute_target",
            f"There is no compute target {spec.compute_target!r}. Known here: {known}.",
        )
    experiment = experiment_id(command.workspace, content.experiment)
    recorder = Recorder(None, command, context, experiment).add(
        RunCreated,
        content=content,
        display_name=content.display_name or default_display_name(command.run_id),
        content_sha256=digest,
    )
    if spec is not None:
        target = spec.compute_target
        recorder.add(RunSubmitted, RunStatus.STARTING, compute_target=target)
        recorder.add(RunQueued, RunStatus.QUEUED, compute_target=target)
    return recorder.accepted()


def create_experiment(state: State | None, command: CreateExperiment, context: Context) -> Decision:
    """An experiment exists once; creating it again changes nothing."""
    if command.run_id != experiment_id(command.workspace, command.name):
        return Refused(
            "wrong_experiment_id",
            "An experiment's id is UUIDv5 of its workspace and name; leave it to the server.",
        )
    if isinstance(state, Experiment):
        return Unchanged()
    if state is not None:
        return Refused("id_taken", f"A run that is {state.status} has this experiment's id.")
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
