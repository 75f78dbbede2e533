"""The rules for compute targets: they are declared before a run may name them.

One is there in every workspace without that, `local`: updating it declares it with another pool,
and deleting it brings back the pool that it has by itself.
"""

from typing import Final

from runhistory.domain.commands import (
    Command,
    CreateComputeTarget,
    DeleteComputeTarget,
    UpdateComputeTarget,
)
from runhistory.domain.decision import Accepted, Context, Decision, Refused, Unchanged
from runhistory.domain.events import (
    ComputeTargetCreated,
    ComputeTargetDeleted,
    ComputeTargetEvent,
    ComputeTargetUpdated,
)
from runhistory.domain.ids import compute_target_id
from runhistory.domain.state import ComputeTarget, State
from runhistory.domain.values import NodePool

ComputeCommand = CreateComputeTarget | UpdateComputeTarget | DeleteComputeTarget
COMPUTE_COMMANDS: Final = (CreateComputeTarget, UpdateComputeTarget, DeleteComputeTarget)

BUILT_IN_TARGET: Final = "local"
"""The compute target that every workspace has; runs go there unless they name another."""


def built_in_pool(slots: int) -> NodePool:
    """The pool of `local` where nobody gave it another: the one worker that is always there."""
    return NodePool(min_nodes=1, max_nodes=1, slots=slots)


def decide_compute_target(
    state: State | None, command: ComputeCommand, context: Context
) -> Decision:
    """Decide about a command to a compute target."""
    if command.run_id != compute_target_id(command.workspace, command.name):
        return Refused(
            "wrong_compute_target_id",
            "A compute target's id is UUIDv5 of its workspace and name; leave it to the server.",
        )
    if state is not None and not isinstance(state, ComputeTarget):
        return Refused("id_taken", "Something that is no compute target has this target's id.")
    version = state.version if state else 0
    target = state if state is not None and not state.is_deleted else None
    if isinstance(command, DeleteComputeTarget):
        if target is None:
            return _not_found(command)
        return _accepted(ComputeTargetDeleted, command, context, version)
    if isinstance(command, CreateComputeTarget) and command.name == BUILT_IN_TARGET:
        return Refused(
            "built_in_target",
            "`local` is built in: every workspace has it. To give it another pool, update it: "
            "`runhistory compute update local --max 4`.",
        )
    if command.pool.min_nodes > command.pool.max_nodes:
        return Refused(
            "invalid_pool",
            f"A pool has at most max_nodes ({command.pool.max_nodes}) nodes, so min_nodes cannot "
            f"be {command.pool.min_nodes}.",
        )
    if target is not None and target.pool == command.pool:
        return Unchanged()
    if isinstance(command, UpdateComputeTarget) and target is not None:
        return _accepted(ComputeTargetUpdated, command, context, version, command.pool)
    if isinstance(command, UpdateComputeTarget) and command.name != BUILT_IN_TARGET:
        return _not_found(command)
    if target is not None:
        return Refused(
            "compute_target_exists",
            f"Compute target {target.name!r} exists with another pool. Update it instead.",
        )
    return _accepted(ComputeTargetCreated, command, context, version, command.pool)


def _accepted(
    event: type[ComputeTargetEvent],
    command: Command,
    context: Context,
    version: int,
    pool: NodePool | None = None,
) -> Accepted:
    fields = {} if pool is None else {"pool": pool}
    return Accepted(
        (
            event(
                workspace=command.workspace,
                run_id=command.run_id,
                version=version + 1,
                command_id=command.command_id,
                time=context.now,
                name=command.name,  # type: ignore[attr-defined]
                **fields,
            ),
        )
    )


def _not_found(command: ComputeCommand) -> Refused:
    return Refused(
        "compute_target_not_found",
        f"There is no compute target {command.name!r} in workspace {command.workspace}. "
        "Create it first.",
    )
