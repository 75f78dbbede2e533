"""The part of `Run` that is its life: start, end, pause, and waiting for the end.

In a submitted run the process's exit decides how the run ends; in an interactive one `complete`,
`fail` or leaving the `with` block does.
"""

import builtins
import logging
from types import TracebackType
from typing import Any, Final, Self

from runhistory.sdk import heartbeats, own_environment, run_waiting
from runhistory.sdk.errors import Conflict
from runhistory.sdk.run_errors import run_error
from runhistory.sdk.run_facts import with_azures_names
from runhistory.sdk.run_logging import FLUSH_SECONDS, RunLogging

logger: Final = logging.getLogger("runhistory")


class RunLife(RunLogging):
    """Commands to a run, which raise Conflict where its status does not allow them."""

    _is_this_process = False
    _ended_here = False

    @property
    def is_over_here(self) -> bool:
        """Whether this object ended the run."""
        return self._ended_here

    def start(self) -> None:
        """Begin an interactive run that was created; `Experiment.start_logging` does so itself."""
        self.begin_attempt(int(self._client.command("start")["attempt"]))

    def begin_attempt(self, attempt: int) -> None:
        """This process does the work of the run, which was started: speak for it from now on."""
        self._attempt = attempt
        heartbeats.begin(self._client.connection, self.id, attempt)
        own_environment.begin(self._client)

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

    def cancel(self, reason: str = "") -> None:
        """Have the run stopped, in whatever status it is; what a worker runs is ended soon.

        `reason` is kept with the run. Its children go on.

        Raises:
            Conflict: it is Completed or Failed.
        """
        self._client.command("cancel", reason=reason)
        heartbeats.end(self.id)
        self._ended_here = self._ended_here or not self._is_this_process

    def pause(self) -> None:
        """Suspend a running run: its processes stop where they are and keep what they hold."""
        self._client.command("pause")

    def resume(self) -> None:
        """Let a paused run go on."""
        self._client.command("resume")

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
        return with_azures_names(self._seen)

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

    def _end(self, command: str, **fields: Any) -> None:
        self.flush()
        if self._is_this_process:
            return
        own_environment.end(self.id)
        self._client.command(command, **fields)
        heartbeats.end(self.id)
        self._ended_here = True
        if self._writer is not None:
            self._writer.delivery.close(FLUSH_SECONDS)
