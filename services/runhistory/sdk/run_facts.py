"""What is known of a run: ids and names, and what the gateway said of it last."""

from typing import TYPE_CHECKING, Any, Final, NoReturn

from runhistory.sdk.errors import Conflict, Unsupported
from runhistory.sdk.run_client import RunClient

if TYPE_CHECKING:
    from runhistory.sdk.experiment import Experiment

_AZURES: Final = {
    "runId": "run_id",
    "target": "compute_target",
    "startTimeUtc": "started",
    "endTimeUtc": "ended",
}


def with_azures_names(details: dict[str, Any]) -> dict[str, Any]:
    """A run's details, and some of them by the names that programs for Azure ML look for."""
    return {**details, **{name: details.get(ours) for name, ours in _AZURES.items()}}


class RunFacts:
    """The part of `Run` that only reads what the run is.

    Properties give what was last seen and ask when nothing was; `get_…` methods always ask.
    """

    _attempt: int | None

    def __init__(self, experiment: "Experiment", run_id: str, seen: dict[str, Any] | None) -> None:
        self._experiment = experiment
        self._client = RunClient(experiment.workspace.connection, run_id)
        self._seen = seen
        self._attempt = None

    @property
    def id(self) -> str:
        """Its id, 32 hex digits."""
        return self._client.run_id

    def get_portal_url(self) -> str:
        """The address of its page in the studio."""
        return self._client.connection.address.page(f"runs/{self.id}")

    @property
    def experiment(self) -> "Experiment":
        """The experiment that it belongs to."""
        return self._experiment

    @property
    def display_name(self) -> str:
        """Its readable name, which may be changed: `run.display_name = "baseline"`."""
        return str(self._known("display_name"))

    @display_name.setter
    def display_name(self, value: str) -> None:
        self._client.command("describe", display_name=value)
        self._note(display_name=value)

    @property
    def name(self) -> str:
        """The same as `display_name`."""
        return self.display_name

    @property
    def description(self) -> str:
        """What is said of it, which may be changed: `run.description = "…"`."""
        return str(self._known("description"))

    @description.setter
    def description(self, value: str) -> None:
        self._client.command("describe", description=value)
        self._note(description=value)

    @property
    def number(self) -> NoReturn:
        """Azure ML counts the runs of an experiment; here they have no number.

        Raises:
            Unsupported: always. `id` names the run, and ids are in the order of creation.
        """
        raise Unsupported(
            "Runs have no number here, since nobody counts them in one place. Use run.id (ids are "
            "in the order of creation) or run.display_name."
        )

    @property
    def type(self) -> str:
        """`script` or `interactive`."""
        return str(self._known("type"))

    @property
    def status(self) -> str:
        """Its status as last seen; `get_status` asks."""
        return str(self._known("status"))

    @property
    def tags(self) -> dict[str, str]:
        """Its tags as last seen; `get_tags` asks."""
        return dict(self._known("tags"))

    @property
    def properties(self) -> dict[str, str]:
        """Its properties as last seen; `get_properties` asks."""
        return dict(self._known("properties"))

    @property
    def attempt(self) -> int:
        """The attempt that points and files of this object go to; counted from 1.

        Raises:
            Conflict: the run has not been started yet.
        """
        if self._attempt is None:
            attempt = int(self.get_details()["attempt"])
            if attempt < 1:
                raise Conflict(
                    f"Run {self.id} is {self.status} and was not started yet, so there is no "
                    "attempt to log to. Log in its script, or wait until it runs.",
                    details={"status": self.status},
                )
            self._attempt = attempt
        return self._attempt

    def get_details(self) -> dict[str, Any]:
        """Everything about it as JSON has it: `status`, `timeline` ({status, time}), `tags`,
        `properties`, `params`, `spec`, `error` ({code, message, details} or None), and more.

        Times are texts, RFC 3339 in UTC. `runId`, `target`, `startTimeUtc` and `endTimeUtc` are
        Azure ML's names for `run_id`, `compute_target`, `started` and `ended`.
        """
        self._seen = self._client.details()
        return with_azures_names(self._seen)

    def get_status(self) -> str:
        """Its status now."""
        return str(self.get_details()["status"])

    def get_tags(self) -> dict[str, str]:
        """Its tags now, with those that this process has just set."""
        return dict(self.get_details()["tags"])

    def get_properties(self) -> dict[str, str]:
        """Its properties now."""
        return dict(self.get_details()["properties"])

    def get_snapshot_id(self) -> str | None:
        """The id of its exact code; None for a run that has none."""
        found = self._known("snapshot_id")
        return str(found) if found else None

    def _note(self, **fields: Any) -> None:
        """Remember what this object has just changed."""
        if self._seen is not None:
            self._seen = {**self._seen, **fields}

    def _known(self, field: str) -> Any:
        if self._seen is None or field not in self._seen:
            self.get_details()
        return (self._seen or {}).get(field)
