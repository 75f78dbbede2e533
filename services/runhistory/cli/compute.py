"""`runhistory compute …`: declare where runs execute, and see how it stands there."""

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from runhistory.cli import completion, console, words
from runhistory.cli.nearest import meant
from runhistory.cli.reading import AsJson, open_workspace
from runhistory.cli.table import Column, table

if TYPE_CHECKING:
    from runhistory.sdk.compute_target import ComputeTarget

app: Final = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

TargetArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="The target's name, as `submit --compute-target`.",
        autocompletion=completion.targets,
    ),
]
Least = Annotated[
    int | None, typer.Option("--min", min=0, help="So many nodes are there even when idle.")
]
Most = Annotated[int | None, typer.Option("--max", min=1, help="So many nodes at most.")]
Idle = Annotated[
    int | None,
    typer.Option("--idle", min=0, metavar="SECONDS", help="A node idle for so long is released."),
]
Slots = Annotated[int | None, typer.Option("--slots", min=1, help="So many slots each node has.")]

_COLUMNS: Final = (
    Column("name", style="bold", whole=True),
    Column("nodes"),
    Column("pool"),
    Column("slots", right=True, optional=True),
    Column("idle", right=True, optional=True),
    Column("waiting", right=True),
    Column("running", right=True),
)
_NODE_COLUMNS: Final = (
    Column("node", style="bold", whole=True),
    Column("status"),
    Column("slots", right=True),
    Column("since", optional=True),
    Column("runs"),
)


@app.callback()
def compute() -> None:
    """Compute targets: pools of nodes on which runs execute.

    A node is a worker. Nodes are started when runs wait and released when they are idle. `local` is
    there by itself, with one node that is always ready; others are created.

    \b
    Examples:
      runhistory compute create gpu-pool --max 4 --idle 120
      runhistory submit ./train --script train.py --compute-target gpu-pool
      runhistory compute list
    """


@app.command()
def create(
    name: TargetArgument,
    least: Least = 0,
    most: Most = 1,
    idle: Idle = 120,
    slots: Slots = 1,
    as_json: AsJson = False,
) -> None:
    """Create a compute target. The same again is the same target.

    \b
    Examples:
      runhistory compute create gpu-pool --min 0 --max 4 --idle 120
      runhistory compute create sweeps --max 2 --slots 4
    """
    from runhistory.sdk.compute_target import ComputeTarget

    target = ComputeTarget.create(
        open_workspace(), name, **_given(least=least, most=most, idle=idle, slots=slots)
    )
    _announce(target, "Created", as_json)


@app.command("list")
def list_targets(as_json: AsJson = False) -> None:
    """List the compute targets, with their nodes and runs.

    \b
    Examples:
      runhistory compute list
      runhistory compute list --json
    """
    from runhistory.sdk.compute_target import ComputeTarget

    found = [target.serialize() for target in ComputeTarget.list(open_workspace())]
    if as_json:
        console.say_json(found)
    else:
        table(_COLUMNS, [_row(target) for target in found])


@app.command()
def show(name: TargetArgument, as_json: AsJson = False) -> None:
    """Show a compute target and its nodes.

    \b
    Example:
      runhistory compute show gpu-pool
    """
    from runhistory.sdk.compute_target import ComputeTarget

    with meant(name, completion.targets):
        found = ComputeTarget(open_workspace(), name).serialize()
    if as_json:
        console.say_json(found)
        return
    table(_COLUMNS, [_row(found)])
    if found["nodes"]:
        console.say()
        table(_NODE_COLUMNS, [_node_row(node) for node in found["nodes"]])
    if found["waiting_runs"]:
        console.say()
        console.say("Waiting, in this order:")
        for run_id in found["waiting_runs"]:
            console.say(f"  {run_id}")


@app.command()
def update(
    name: TargetArgument,
    least: Least = None,
    most: Most = None,
    idle: Idle = None,
    slots: Slots = None,
    as_json: AsJson = False,
) -> None:
    """Give a compute target another pool. What is left out stays as it is.

    Nodes above the new most end when they are idle; no run is stopped.

    \b
    Examples:
      runhistory compute update gpu-pool --max 8
      runhistory compute update local --max 3
    """
    from runhistory.sdk.compute_target import ComputeTarget

    change = _given(least=least, most=most, idle=idle, slots=slots)
    if not change:
        raise typer.BadParameter("say what to change: --min, --max, --idle or --slots")
    with meant(name, completion.targets):
        target = ComputeTarget(open_workspace(), name)
        target.update(**change)
    _announce(target, "Updated", as_json)


@app.command()
def delete(name: TargetArgument, as_json: AsJson = False) -> None:
    """Delete a compute target.

    No run may name it any more, and its nodes end when they are idle. Runs that wait there are
    taken as long as it has nodes. `local` cannot be deleted: it has its own pool again.

    \b
    Example:
      runhistory compute delete gpu-pool
    """
    from runhistory.sdk.compute_target import ComputeTarget

    with meant(name, completion.targets):
        ComputeTarget(open_workspace(), name).delete()
    if as_json:
        console.say_json({"name": name, "deleted": True})
    else:
        console.say(f"Deleted {name}.")


def _given(
    *, least: int | None, most: int | None, idle: int | None, slots: int | None
) -> dict[str, int]:
    options = {"min_nodes": least, "max_nodes": most, "idle_seconds": idle, "slots": slots}
    return {name: value for name, value in options.items() if value is not None}


def _announce(target: "ComputeTarget", what: str, as_json: bool) -> None:
    if as_json:
        console.say_json(target.serialize())
        return
    pool = target.pool
    console.say(
        f"{what} {target.name}: {pool.min_nodes} to {pool.max_nodes} nodes of {pool.slots} "
        f"{'slot' if pool.slots == 1 else 'slots'}, released after {pool.idle_seconds} s idle."
    )
    program = console.program()
    console.say(f"Next: {program} submit DIR --script train.py --compute-target {target.name}")


def _row(target: dict[str, Any]) -> tuple[str, ...]:
    pool, nodes = target["pool"], target["nodes"]
    return (
        target["name"],
        _count(nodes) or ("ready" if pool["min_nodes"] and not target["is_declared"] else "-"),
        f"{pool['min_nodes']} to {pool['max_nodes']}",
        str(pool["slots"]),
        f"{pool['idle_seconds']} s",
        str(target["waiting"]),
        str(target["running"]),
    )


def _count(nodes: list[dict[str, Any]]) -> str:
    """Such as `1 busy, 2 idle`."""
    by_status = {
        status: sum(node["status"] == status for node in nodes)
        for status in ("starting", "busy", "idle")
    }
    return ", ".join(f"{count} {status}" for status, count in by_status.items() if count)


def _node_row(node: dict[str, Any]) -> tuple[str, ...]:
    return (
        node["node"],
        node["status"],
        str(node["slots"] or "-"),
        words.moment(node["since"]),
        " ".join(node["runs"]) or "-",
    )
