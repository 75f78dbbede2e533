"""The part of `Run` that is its life: start, end, pause, and waiting for the end.

In a submitted run the process's exit decides how the run ends; in an interactive one `complete`,
`fail` or leaving the `with` block does.
"""

import builtins
import logging
import time
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from runhistory.domain.ids import new_command_id
from runhistory.sdk import farewell, heartbeats, own_environment, run_waiting
from runhistory.sdk.errors import Conflict, FlushTimeout, Unavailable
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

        While the gateway is away this waits for RUNHISTORY_EXIT_SECONDS. Then the end is kept on
        disk behind what was logged, with its time, and sent when the gateway is back: by this
        process while it lives, later by `runhistory sync` or the next program that logs.

        Raises:
            Conflict: the run is over already in another way; `details["status"]` says which.
        """
        self._end("complete")

    def fail(self, error_details: Any = None, error_code: str | None = None) -> None:
        """Send what was logged, and end an interactive run as Failed.

        `error_details` is an exception or a text. While the gateway is away it is as in
        `complete`. In a submitted run the process's exit decides: this only sends, and says so.
        """
        if self._is_this_process:
            logger.warning("runhistory: fail() in a submitted run: exit with an error to fail it.")
        self._end("fail", error=run_error(error_details, error_code))

    def cancel(self, reason: str = "") -> None:
        """Have the run stopped, in whatever status it is; what a worker runs is ended soon.

        `reason` is kept with the run. Its children go on. Of a run that this process does it is
        an end as `complete` is one, and kept while the gateway is away.

        Raises:
            Conflict: it is Completed or Failed.
        """
        if self._attempt is not None and not self._is_this_process:
            self._end("cancel", reason=reason)
            return
        self._client.command("cancel", reason=reason)
        self._ended_here = not self._is_this_process

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
        """Send what was logged and then the command, or keep both for later."""
        now = datetime.now(UTC)
        deadline = time.monotonic() + max(farewell.PATIENT_SECONDS, farewell.patience())
        end = {"type": command, "command_id": new_command_id(), **fields}
        try:
            self.flush(deadline - time.monotonic())
            if not self._is_this_process:
                own_environment.end(self.id)
                self._client.command(**end, patience=max(0.0, deadline - time.monotonic()))
        except (FlushTimeout, Unavailable) as trouble:
            farewell.has_waited(in_vain=True)
            self._keep_end({**end, "at": now}, trouble)
            return
        except KeyboardInterrupt as given_up:
            farewell.has_waited(in_vain=True)
            self._keep_end({**end, "at": now}, given_up)
            raise
        farewell.has_waited(in_vain=False)
        if not self._is_this_process:
            heartbeats.end(self.id)
            self._ended_here = True
            if self._writer is not None:
                self._writer.delivery.close(FLUSH_SECONDS)

    def _keep_end(self, end: dict[str, Any], trouble: BaseException) -> None:
        """Have the end sent behind what was logged; until then the run is spoken for."""
        if self._is_this_process:
            logger.warning("runhistory: %s", trouble)
            return
        if self._attempt is None:  # somebody else does the run
            raise trouble
        delivery = (self._writer or self._open_writer()).delivery
        folder = delivery.keep_end(msgspec.json.encode(end))
        self._ended_here = True
        logger.warning(
            "runhistory: run %s is over (%s), but the gateway could not be told. That is kept in "
            "%s and sent after what was logged, when it answers. %s",
            self.id,
            end["type"],
            folder or "memory alone",
            trouble,
        )
