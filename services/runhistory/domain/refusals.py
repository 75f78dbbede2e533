"""Refusals that several rules share."""

from runhistory.domain.decision import Refused
from runhistory.domain.state import Run


def by_holder(run: Run, claim_id: str | None) -> Refused | None:
    """Refuse what does not come from the worker that holds the run now (fencing)."""
    if run.claim_id is None:
        return not_allowed(run, "reported on", "No worker holds it.")
    if claim_id != run.claim_id:
        return Refused(
            "not_the_holder",
            f"Run {run.run_id} is {run.status} in attempt {run.attempt}, held by another claim. "
            "Only the worker whose claim was accepted may report on it.",
        )
    return None


def not_allowed(run: Run, what: str, advice: str = "") -> Refused:
    """Refuse what the run's status does not allow.

    `what` completes "it cannot be …"; `advice` says what can be done, where that is not plain.
    """
    if run.is_terminal:
        message = f"Run {run.run_id} is over ({run.status}); it cannot be {what} any more."
    else:
        message = f"Run {run.run_id} is {run.status}; it cannot be {what} now."
    return Refused("not_allowed", f"{message} {advice}".rstrip())


def deleted(run: Run) -> Refused:
    """Refuse whatever is asked of a run that is no more."""
    return Refused(
        "run_deleted",
        f"Run {run.run_id} was {run.status} and is deleted; its id stays taken.",
    )
