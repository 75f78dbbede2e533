"""Why a run that was submitted does not begin: the hint of `submit` and of following a run."""

from typing import TYPE_CHECKING, Any, Final

from runhistory.domain.status import RunStatus

if TYPE_CHECKING:
    from runhistory.sdk.run_client import RunClient

_WAITING: Final = {RunStatus.QUEUED, RunStatus.PROVISIONING}


def waiting_hint(client: "RunClient", details: dict[str, Any]) -> str | None:
    """Such as `waits for a free slot on gpu-pool (2 runs before it)`; None: it does not wait.

    Raises:
        RunHistoryError: the gateway does not answer.
    """
    name = details.get("compute_target") or (details.get("spec") or {}).get("compute_target")
    if details["status"] not in _WAITING or not name:
        return None
    from runhistory.sdk.errors import NotFound

    try:
        target = client.connection.get(f"/compute/{name}")
    except NotFound:
        return f"waits on {name}, which was deleted"
    before, pool = _before(target, client.run_id), target["pool"]
    if before:
        runs = "1 run" if before == 1 else f"{before} runs"
        return f"waits for a free slot on {name} ({runs} before it)"
    if target["running"] >= pool["max_nodes"] * pool["slots"]:
        return f"waits for a free slot on {name} (all of them are taken)"
    return None


def _before(target: dict[str, Any], run_id: str) -> int:
    waiting: list[str] = target["waiting_runs"]
    return waiting.index(run_id) if run_id in waiting else 0
