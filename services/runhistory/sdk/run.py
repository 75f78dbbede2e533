"""`Run`: one execution, as a script sees its own and as anybody sees another's.

The object holds little: what the gateway said last. Points go through the process's writer
(metric_writer.py), everything else is a request. In a submitted run the process's exit decides
how the run ends; in an interactive one `complete`, `fail` or leaving the `with` block does.
"""

import builtins
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Final, Self, SupportsIndex

from runhistory.sdk import heartbeats, run_files, run_metrics, run_waiting
from runhistory.sdk.errors import Conflict
from runhistory.sdk.farewell import writer_for
from runhistory.sdk.limits import pairs
from runhistory.sdk.metric_writer import MetricWriter
from runhistory.sdk.run_client import RunClient
from runhistory.sdk.run_errors import run_error
from runhistory.sdk.run_facts import RunFacts

if TYPE_CHECKING:
    from runhistory.sdk.experiment import Experiment
    from runhistory.sdk.workspace import Workspace

FLUSH_SECONDS: Final = 300.0

logger: Final = logging.getLogger("runhistory")


class Run(RunFacts):
    """A run of an experiment. Making the object asks nothing of the network.

    Methods that ask the gateway raise RunHistoryError: `Unavailable` when it does not answer,
    `Conflict` when the run's status does not allow it, `NotFound`, `InvalidRequest`.

    Raises:
        InvalidRequest: `run_id` is no run id.
    """

    def __init__(
        self,
        experiment: "Experiment",
        run_id: str,
        *,
        summary: dict[str, Any] | None = None,
        submitted_attempt: int | None = None,
    ) -> None:
        """`summary` is what the gateway said of the run last; `submitted_attempt` is the attempt
        that this very process is."""
        super().__init__(experiment, run_id, summary)
        self._is_this_process = submitted_attempt is not None
        self._attempt = submitted_attempt
        self._writer: MetricWriter | None = None
        self._ended_here = False

    # --- finding runs ---

    @classmethod
    def get_context(cls, allow_offline: bool = True) -> "Run":
        """The submitted run that this process is: one object, no network.

        Elsewhere an offline run, which prints what it is given and keeps nothing.

        Raises:
            NoRunContext: elsewhere, with `allow_offline=False`.
        """
        from runhistory.sdk.context import current_run

        return current_run(allow_offline)

    @staticmethod
    def get(workspace: "Workspace", run_id: str) -> "Run":
        """The run with this id.

        Raises:
            NotFound: there is none.
        """
        from runhistory.sdk.experiment import Experiment

        details = RunClient(workspace.connection, run_id).details()
        return Run(Experiment(workspace, details["experiment"]), run_id, summary=details)

    @staticmethod
    def list(
        experiment: "Experiment",
        type: Any = None,
        tags: dict[str, str] | None = None,
        *,
        status: str | None = None,
    ) -> Iterator["Run"]:
        """The experiment's runs, newest first; see `Experiment.get_runs`."""
        return experiment.get_runs(type, tags, status=status)

    @property
    def parent(self) -> "Run | None":
        """The run that it is a child of."""
        parent = self._known("parent_run_id")
        return Run.get(self._experiment.workspace, parent) if parent else None

    # --- metrics ---

    def log(
        self, name: str, value: Any, description: str = "", step: SupportsIndex | None = None
    ) -> None:
        """Log one point; returns at once, and a background thread sends it.

        `value` is an int, float or bool, or a scalar, 0-d array or tensor of those; NaN and
        infinities are kept. Without `step` the points of a name are counted 0, 1, 2, … in each
        process and attempt; `step` may be any 64-bit integer. `description` is not kept.

        Raises:
            InvalidMetric: name, value or step is wrong; the message names the metric.
        """
        (self._writer or self._open_writer()).log(name, value, step)

    def log_list(self, name: str, value: Iterable[Any], description: str = "") -> None:
        """Log one point for each element, counted on; all of them, or none when one is wrong.

        Raises:
            InvalidMetric: the name or an element is wrong.
        """
        (self._writer or self._open_writer()).log_list(name, value)

    def flush(self, timeout_seconds: float = FLUSH_SECONDS) -> None:
        """Wait until every point logged so far is with the gateway.

        Raises:
            FlushTimeout: not within `timeout_seconds`; the points are kept, and sending goes on.
        """
        if self._writer is not None:
            self._writer.flush(timeout_seconds)

    def get_metrics(self, name: str | None = None) -> dict[str, Any]:
        """The metrics, all or the one called `name`: one value as it is, several as a list in
        the order of their steps. Holds what this process has logged.

        The samples of host and GPUs (`system/…`) come only when asked for by name.
        """
        self.flush()
        return run_metrics.read(self._client, name)

    # --- what is said about it ---

    def tag(self, key: str, value: Any = None) -> None:
        """Set one tag; the same key again takes the new value."""
        self.set_tags({key: value})

    def set_tags(self, tags: dict[str, Any]) -> None:
        """Set tags; the same key again takes the new value."""
        self._client.command("set_tags", tags=pairs("tags", tags))

    def add_properties(self, properties: dict[str, Any]) -> None:
        """Add properties. They are written once: another value for a key is a Conflict."""
        self._client.command("add_properties", properties=pairs("properties", properties))

    # --- files, logs, code ---

    def upload_file(self, name: str, path_or_stream: str | Path | IO[bytes]) -> None:
        """Keep a file's bytes under `name`; the same name again is the newer file.

        Raises:
            InvalidRequest: the name climbs out, or there is no such file.
        """
        content = run_files.content_of(name, path_or_stream)
        self._client.put_file(self.attempt, name, content)

    def download_file(self, name: str, output_file_path: str | Path | None = None) -> None:
        """Write a kept file to `output_file_path` (a folder will do; default: its last name here).

        Raises:
            NotFound: the run has no such file; the message or `details` name those it has.
        """
        run_files.download_one(self._client, name, output_file_path)

    def get_file_names(self) -> builtins.list[str]:
        """The names of all files that it kept."""
        return sorted(file["name"] for file in self._client.files())

    def get_all_logs(self, destination: str | Path | None = None) -> builtins.list[str]:
        """Write the console and the files under `logs/` below `destination` (default: a folder
        named by the run id) and return their paths."""
        return run_files.download_logs(self._client, Path(destination or self.id))

    def restore_snapshot(
        self, snapshot_id: str | None = None, path: str | Path | None = None
    ) -> str:
        """Write its exact code as a zip into the folder `path` (default: here); returns its path.

        Raises:
            NotFound: the run has no snapshot.
        """
        return run_files.restore(
            self._client, snapshot_id or self.get_snapshot_id(), Path(path or ".")
        )

    # --- its life ---

    def start(self) -> None:
        """Begin an interactive run that was created; `Experiment.start_logging` does so itself."""
        self._attempt = attempt = int(self._client.command("start")["attempt"])
        heartbeats.begin(self._client.connection, self.id, attempt)

    def complete(self) -> None:
        """Send what was logged, and end an interactive run as Completed.

        In a submitted run the process's exit decides, so this only sends.

        Raises:
            Conflict: the run is over already in another way; `details["status"]` says which.
        """
        self._end("complete")

    def fail(self, error_details: Any = None, error_code: str | None = None) -> None:
        """Send what was logged, and end an interactive run as Failed.

        `error_details` is an exception or a text. In a submitted run the process's exit decides:
        this only sends, and says so.
        """
        if self._is_this_process:
            logger.warning("runhistory: fail() in a submitted run: exit with an error to fail it.")
        self._end("fail", error=run_error(error_details, error_code))

    def cancel(self) -> None:
        """Ask for the run to be stopped; what a worker runs is ended soon."""
        self._client.command("cancel")
        heartbeats.end(self.id)
        self._ended_here = self._ended_here or not self._is_this_process

    def wait_for_completion(
        self,
        show_output: bool = False,
        wait_post_processing: bool = False,
        raise_on_error: bool = True,
    ) -> dict[str, Any]:
        """Wait until the run is over and return `get_details()`.

        With `show_output` its console lines and statuses are printed as they come. Ctrl-C leaves
        the run running. A run here is over only when its outputs are kept, so there is nothing
        that `wait_post_processing` could add.

        Raises:
            RunFailed: it ended as Failed (not for Canceled), unless `raise_on_error` is false.
        """
        self._seen = run_waiting.wait(self._client, show_output=show_output)
        if raise_on_error and self._seen["status"] == "Failed":
            raise run_waiting.failure(self._seen)
        return dict(self._seen)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: builtins.type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Complete the run, or fail it with the exception that leaves the block."""
        if self._ended_here:
            return
        try:
            if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
                self.complete()
            else:
                self._end("fail", error=run_error(error, None))
        except Conflict as conflict:  # cancelled from outside, say: the run knows better
            logger.warning("runhistory: %s", conflict)

    def _open_writer(self) -> MetricWriter:
        attempt, client = self.attempt, self._client
        key = (client.connection.address, client.run_id, attempt)
        self._writer = writer_for(
            key,
            lambda on_start: MetricWriter(
                lambda body: client.send_points(attempt, body),
                f"run {client.run_id}",
                on_start=on_start,
            ),
        )
        return self._writer

    def _end(self, command: str, **fields: Any) -> None:
        self.flush()
        if self._is_this_process:
            return
        self._client.command(command, **fields)
        heartbeats.end(self.id)
        self._ended_here = True
        if self._writer is not None:
            self._writer.close(FLUSH_SECONDS)

    def __repr__(self) -> str:
        return f"Run({self._experiment.name!r}, {self.id!r})"
