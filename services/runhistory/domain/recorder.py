"""Makes a run's events: the version, status and attempt that each carries come from here."""

from datetime import datetime
from typing import Any

from runhistory.domain.commands import Command, CreateRun
from runhistory.domain.decision import Accepted, Context
from runhistory.domain.events import RunEvent
from runhistory.domain.state import Run
from runhistory.domain.status import RunStatus, may_follow


class IllegalTransition(Exception):
    """A decision would break FOLLOWS: a bug in the rules, never the caller's fault."""


class Recorder:
    """Makes a run's next events: numbers them and checks each step against FOLLOWS."""

    def __init__(
        self, run: Run | None, command: Command, context: Context, experiment_id: str = ""
    ) -> None:
        """`experiment_id` is needed for a run that does not exist yet."""
        self._command = command
        self._experiment_id = run.experiment_id if run else experiment_id
        self._version = run.version if run else 0
        self._status = run.status if run else RunStatus.NOT_STARTED
        self._attempt = run.attempt if run else 0
        self._time, self._decided = _times(run, command, context)
        self.events: list[RunEvent] = []

    def add(
        self,
        event: type[RunEvent],
        status: RunStatus | None = None,
        attempt: int | None = None,
        **payload: Any,
    ) -> "Recorder":
        """One more event. `payload` are its own fields; status and attempt stay unless given.

        Raises:
            IllegalTransition: `status` may not follow the one before.
        """
        status = status or self._status
        if not may_follow(self._status, status):
            raise IllegalTransition(f"{event.TYPE}: {self._status} -> {status}")
        self._version, self._status = self._version + 1, status
        self._attempt = self._attempt if attempt is None else attempt
        self.events.append(
            event(
                workspace=self._command.workspace,
                run_id=self._command.run_id,
                version=self._version,
                command_id=self._command.command_id,
                time=self._time,
                decided=self._decided,
                status=status,
                attempt=self._attempt,
                experiment_id=self._experiment_id,
                **payload,
            )
        )
        return self

    def accepted(self) -> Accepted:
        """The decision that all of these happened."""
        return Accepted(tuple(self.events))


def _times(run: Run | None, command: Command, context: Context) -> tuple[datetime, datetime | None]:
    """When it happened and, where that was recorded, when it was decided. A script run's events
    happen when they are decided: its place in the queue hangs on it. Nothing has happened in the
    future, whatever the clock of a recording says."""
    if isinstance(command, CreateRun):
        is_interactive = command.content.type == "interactive"
    else:
        is_interactive = run is not None and run.type == "interactive"
    if command.at is None or not is_interactive:
        return context.now, None
    return min(command.at, context.now), context.now
