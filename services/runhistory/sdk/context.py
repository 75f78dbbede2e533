"""The run that this process is: told by the worker through environment variables."""

import atexit
import contextlib
import os
import sys

from runhistory.domain.ids import is_run_id
from runhistory.sdk.address import from_environment
from runhistory.sdk.detached import is_detached
from runhistory.sdk.errors import NoRunContext, RunHistoryError
from runhistory.sdk.experiment import Experiment
from runhistory.sdk.offline import OfflineRun
from runhistory.sdk.run import Run
from runhistory.sdk.workspace import Workspace

_submitted: Run | None = None


def current_run(allow_offline: bool) -> Run:
    """The submitted run, always the same object and without asking the network; outside of one
    an offline run, or with RUNHISTORY_MODE=detached one that is recorded and ends with the process.

    Raises:
        NoRunContext: outside of a submitted run, with `allow_offline=False`.
    """
    global _submitted
    if _submitted is None:
        _submitted = _from_environment() or _detached()
    if _submitted is not None:
        return _submitted
    if allow_offline:
        return OfflineRun()
    raise NoRunContext(
        "This process is no submitted run (RUNHISTORY_RUN_ID is not set). Submit the script with "
        "`runhistory submit`, or call get_context() with allow_offline=True."
    )


def _from_environment() -> Run | None:
    run_id = os.environ.get("RUNHISTORY_RUN_ID", "")
    attempt = os.environ.get("RUNHISTORY_ATTEMPT", "")
    if not run_id:
        return None
    if not is_run_id(run_id) or not attempt.isdecimal() or int(attempt) < 1:
        raise NoRunContext(
            f"RUNHISTORY_RUN_ID={run_id!r} with RUNHISTORY_ATTEMPT={attempt!r} names no attempt "
            "of a run. The worker sets both; unset RUNHISTORY_RUN_ID to run outside of it."
        )
    workspace = Workspace.at(from_environment())
    experiment = Experiment(workspace, os.environ.get("RUNHISTORY_EXPERIMENT") or "default")
    return Run(experiment, run_id, submitted_attempt=int(attempt))


def _detached() -> Run | None:
    if not is_detached():
        return None
    experiment = Experiment(
        Workspace.at(from_environment()), os.environ.get("RUNHISTORY_EXPERIMENT") or "default"
    )
    run = experiment.start_logging()
    atexit.register(_end_detached, run, os.getpid())
    return run


def _end_detached(run: Run, process: int) -> None:
    """As the process ends, so does its run, unless it has said how."""
    if os.getpid() != process or run.is_over_here:
        return
    error = getattr(sys, "last_value", None)
    with contextlib.suppress(RunHistoryError):
        run.complete() if error is None else run.fail(error)
