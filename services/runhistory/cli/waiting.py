"""Why a run that was submitted does not begin: the hint of `submit` and of following a run."""

from typing import TYPE_CHECKING, Any, Final

from runhistory.domain.status import RunStatus

if TYPE_CHECKING:
    from runhistory.sdk.run_client import RunClient

_WAITING: Final = {RunStatus.QUEUED, RunStatus.PROVISIONING}


def waiting_hint(client: "RunClient", details: dict[str, Any]) -> str | None:
    """Such as `waits for a free slot on gpu-pool (2 runs before it)`.

    None: it does not wait, or that cannot be told now; a hint is nothing to wait or fail for.
    """
    name = details.get("compute_target")
    if details["status"] not in _WAITING or not name:
        return None
    from runhistory.sdk.errors import RunHistoryError

    try:
        target = client.connection.get(f"/compute/{name}", patience=0.0)
    except RunHistoryError:
        return None
    waiting: list[str] = target["waiting_runs"]
    if client.run_id not in waiting:
        return None
    pool = target["pool"]
    needed = ((details.get("spec") or {}).get("resources") or {}).get("slots") or 1
    if needed > max([pool["slots"], *(node["slots"] or 0 for node in target["nodes"])]):
        return f"waits for a node of {needed} slots; those of {name} have {pool['slots']}"
    if before := waiting.index(client.run_id):
        runs = "1 run" if before == 1 else f"{before} runs"
        return f"waits for a free slot on {name} ({runs} before it)"
    if target["running"] >= pool["max_nodes"] * pool["slots"]:
        return f"waits for a free slot on {name} (all of them are taken)"
    return None
