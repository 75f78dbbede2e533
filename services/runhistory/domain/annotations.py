"""The rules for what is said about a run: tags, properties, params, files, names; and deletion."""

from collections.abc import Callable
from typing import Final

from runhistory.domain.commands import (
    AddFiles,
    AddParams,
    AddProperties,
    ArchiveRun,
    Command,
    DeleteRun,
    DescribeRun,
    ReactivateRun,
    RemoveTags,
    SetTags,
    TakeSnapshot,
)
from runhistory.domain.decision import Context, Decision, Refused, Unchanged
from runhistory.domain.events import (
    FilesAdded,
    ParamsAdded,
    PropertiesAdded,
    RunArchived,
    RunDeleted,
    RunDescribed,
    RunReactivated,
    SnapshotTaken,
    TagsRemoved,
    TagsSet,
)
from runhistory.domain.recorder import Recorder
from runhistory.domain.refusals import not_allowed
from runhistory.domain.state import Run
from runhistory.domain.status import RunStatus


def set_tags(run: Run, command: SetTags, context: Context) -> Decision:
    tags = {name: value for name, value in command.tags.items() if run.tags.get(name) != value}
    if not tags:
        return Unchanged()
    return Recorder(run, command, context).add(TagsSet, tags=tags).accepted()


def remove_tags(run: Run, command: RemoveTags, context: Context) -> Decision:
    names = tuple(name for name in dict.fromkeys(command.names) if name in run.tags)
    if not names:
        return Unchanged()
    return Recorder(run, command, context).add(TagsRemoved, names=names).accepted()


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


def take_snapshot(run: Run, command: TakeSnapshot, context: Context) -> Decision:
    if run.snapshot_id == command.snapshot_id:
        return Unchanged()
    if run.snapshot_id is not None:
        return Refused(
            "snapshot_exists",
            f"Run {run.run_id} ({run.status}) has a snapshot already, {run.snapshot_id}, "
            "and a run has only one.",
        )
    return (
        Recorder(run, command, context)
        .add(SnapshotTaken, snapshot_id=command.snapshot_id)
        .accepted()
    )


def describe(run: Run, command: DescribeRun, context: Context) -> Decision:
    name = command.display_name if command.display_name != run.display_name else None
    description = command.description if command.description != run.description else None
    if name is None and description is None:
        return Unchanged()
    return (
        Recorder(run, command, context)
        .add(RunDescribed, display_name=name, description=description)
        .accepted()
    )


def archive(run: Run, command: ArchiveRun, context: Context) -> Decision:
    if run.is_archived:
        return Unchanged()
    return Recorder(run, command, context).add(RunArchived).accepted()


def reactivate(run: Run, command: ReactivateRun, context: Context) -> Decision:
    if not run.is_archived:
        return Unchanged()
    return Recorder(run, command, context).add(RunReactivated).accepted()


def delete(run: Run, command: DeleteRun, context: Context) -> Decision:
    if not run.is_terminal and run.status is not RunStatus.NOT_STARTED:
        return not_allowed(run, "deleted", "Wait until it is over, or cancel it first.")
    return Recorder(run, command, context).add(RunDeleted).accepted()


RULES: Final[dict[type[Command], Callable[..., Decision]]] = {
    SetTags: set_tags,
    RemoveTags: remove_tags,
    AddProperties: add_properties,
    AddParams: add_params,
    AddFiles: add_files,
    TakeSnapshot: take_snapshot,
    DescribeRun: describe,
    ArchiveRun: archive,
    ReactivateRun: reactivate,
    DeleteRun: delete,
}
"""What is asked for each of these commands to a run that exists."""
