"""The environment variables of a script, and of what a worker starts around it."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from runhistory.worker.board import KnownRun
from runhistory.worker.gpus import Lease
from runhistory.worker.processes import WORKER_ID_VARIABLE

_NOT_INHERITED = {"PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV"}

_HANDED_DOWN = {"RUNHISTORY_SPOOL", "RUNHISTORY_SPOOL_BYTES", "RUNHISTORY_SPOOL_SYNC_SECONDS"}
"""Of our own settings: where this machine keeps what could not be sent."""


def marks(worker_id: str, run_id: str, attempt: int) -> dict[str, str]:
    """What everything that is started for an attempt has in its environment."""
    return {
        WORKER_ID_VARIABLE: worker_id,
        "RUNHISTORY_RUN_ID": run_id,
        "RUNHISTORY_ATTEMPT": str(attempt),
    }


def tool_variables(marks: Mapping[str, str]) -> dict[str, str]:
    """For tools that build: the worker's own variables but for its settings and secrets."""
    return {**_inherited(), **marks}


def script_variables(
    run: KnownRun,
    *,
    marks: Mapping[str, str],
    url: str,
    token: str | None,
    lease: Lease,
    environment: Path | None,
) -> dict[str, str]:
    """For the script. The run's own variables win over inherited ones, and ours over both.

    With an `environment`, its programs (python, torchrun, …) are the first on PATH.
    """
    inherited = _inherited()
    programs = environment / "bin" if environment else Path(sys.executable).parent
    found = {
        **inherited,
        "PATH": f"{programs}{os.pathsep}{inherited.get('PATH', os.defpath)}",
        **({"VIRTUAL_ENV": str(environment)} if environment else {}),
        **run.spec.environment.variables,
        **marks,
        "RUNHISTORY_URL": url,
        "RUNHISTORY_WORKSPACE": run.workspace,
        "RUNHISTORY_EXPERIMENT": run.experiment,
        "PYTHONUNBUFFERED": "1",
        "CUDA_VISIBLE_DEVICES": ",".join(lease.gpus),
    }
    return {**found, "RUNHISTORY_TOKEN": token} if token else found


def _inherited() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if name in _HANDED_DOWN
        or (name not in _NOT_INHERITED and not name.startswith("RUNHISTORY_"))
    }
