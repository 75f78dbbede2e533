"""The statuses of a run, exactly Azure ML's, and which may follow which."""

from enum import StrEnum
from typing import Final


class RunStatus(StrEnum):
    """Where a run is in its life; the value is what every door shows."""

    NOT_STARTED = "NotStarted"  # created, nothing asked of compute yet
    STARTING = "Starting"  # submitted, has its id, is being checked
    QUEUED = "Queued"  # waits for a free slot on its compute target
    PROVISIONING = "Provisioning"  # a node is being started for it
    PREPARING = "Preparing"  # claimed by a worker: code checked out, environment built
    RUNNING = "Running"  # the script runs, or an interactive run is open
    PAUSED = "Paused"  # suspended with its place kept
    NOT_RESPONDING = "NotResponding"  # no sign of life; life brings the old status back
    FINALIZING = "Finalizing"  # the script ended; outputs are being kept
    CANCEL_REQUESTED = "CancelRequested"  # to be cancelled; its worker is stopping it
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELED = "Canceled"


S = RunStatus

TERMINAL: Final = frozenset({S.COMPLETED, S.FAILED, S.CANCELED})
"""Absorbing: a run in one of these never has another status."""

FOLLOWS: Final[dict[RunStatus, frozenset[RunStatus]]] = {
    # The usual way:  NotStarted > Starting > Queued > [Provisioning] > Preparing > Running
    #                 > Finalizing > Completed or Failed;  and  CancelRequested > Canceled.
    # Azure ML prepares before it queues; here a run waits first and its node is prepared
    # once it has one, so Queued comes before Preparing.
    S.NOT_STARTED: frozenset({S.STARTING, S.RUNNING, S.FAILED, S.CANCEL_REQUESTED}),
    S.STARTING: frozenset({S.QUEUED, S.FAILED, S.CANCEL_REQUESTED}),
    S.QUEUED: frozenset({S.PROVISIONING, S.PREPARING, S.FAILED, S.CANCEL_REQUESTED}),
    S.PROVISIONING: frozenset({S.QUEUED, S.PREPARING, S.FAILED, S.CANCEL_REQUESTED}),
    S.PREPARING: frozenset({S.QUEUED, S.RUNNING, S.NOT_RESPONDING, S.FAILED, S.CANCEL_REQUESTED}),
    S.RUNNING: frozenset(
        {
            S.QUEUED,
            S.PAUSED,
            S.NOT_RESPONDING,
            S.FINALIZING,
            S.COMPLETED,
            S.FAILED,
            S.CANCEL_REQUESTED,
        }
    ),
    S.PAUSED: frozenset(
        {
            S.QUEUED,
            S.RUNNING,
            S.NOT_RESPONDING,
            S.FINALIZING,
            S.COMPLETED,
            S.FAILED,
            S.CANCEL_REQUESTED,
        }
    ),
    S.NOT_RESPONDING: frozenset(
        {
            S.QUEUED,
            S.PREPARING,
            S.RUNNING,
            S.PAUSED,
            S.FINALIZING,
            S.COMPLETED,
            S.FAILED,
            S.CANCEL_REQUESTED,
            S.CANCELED,
        }
    ),
    S.FINALIZING: frozenset({S.NOT_RESPONDING, S.COMPLETED, S.FAILED, S.CANCEL_REQUESTED}),
    # Order decides between a cancel and an end: once a cancel is accepted, a script that
    # ends by itself a moment later still counts as cancelled.
    S.CANCEL_REQUESTED: frozenset({S.CANCELED, S.FAILED, S.NOT_RESPONDING}),
    S.COMPLETED: frozenset(),
    S.FAILED: frozenset(),
    S.CANCELED: frozenset(),
}
"""FOLLOWS[a] holds every status that may come directly after a."""


def may_follow(before: RunStatus, after: RunStatus) -> bool:
    """Whether `after` may come directly after `before`; staying is always allowed."""
    return before == after or after in FOLLOWS[before]
