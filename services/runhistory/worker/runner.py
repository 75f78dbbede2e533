"""The runner: a small process above each script that knows everything the script starts.

`python -P -m runhistory.worker.runner ORDER` calls the script of an Order file in a session of its
own. The runner is a subreaper: daemons that leave the session and lose their parent become its
children, so "no children left" means that nothing of the script is left, exactly. Until then it
does not end, and since it holds the ends of both output pipes, neither do they.

It listens on standard input: `pause` stops all of it where it stands (SIGSTOP), `resume` lets it
go on, and a number of seconds means "terminate: SIGTERM to all, and SIGKILL after so long", which
a pause does not put off. The end of input means that the worker is gone; what nobody watches is
terminated too. Should the runner itself be killed, the kernel kills the script at once, and the
worker finds the rest by its environment.

What the script leaves behind at its end is terminated as well. The result is written as a whole
to the order's `exit_file`; without that file, the runner did not live to see the end.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import msgspec
import psutil
from msgspec import Struct

from runhistory.worker.home import write_atomically
from runhistory.worker.outcome import Exit, signal_name
from runhistory.worker.processes import (
    become_subreaper,
    descendants,
    die_with_parent,
    kill_descendants,
    send_signal,
    stop_descendants,
)

ORPHANED_GRACE: Final = 10.0
LEFT_BEHIND_GRACE: Final = 2.0

PAUSE: Final = "pause"
RESUME: Final = "resume"


class Order(Struct, frozen=True, kw_only=True):
    """What to call, where, and where to write how it ended."""

    command: tuple[str, ...]
    environment: dict[str, str]
    directory: str
    exit_file: str


class Runner:
    """Runs one order. Single-threaded; woken by SIGCHLD, by its input and by its deadline."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._self = psutil.Process()
        self._deadline: float | None = None  # when SIGTERM has not helped and SIGKILL comes
        self._status: int | None = None  # of the script, as waitpid tells it
        self._left_behind = 0
        self._input: int | None = sys.stdin.fileno()
        self._wake, wake_writer = os.pipe()
        for end in (self._wake, wake_writer):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wake_writer)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self._terminate(ORPHANED_GRACE))

    def run(self) -> Exit:
        """Call the script and return when nothing of it is left."""
        try:
            self._script = subprocess.Popen(
                self._order.command,
                env=self._order.environment,
                cwd=self._order.directory,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        except OSError as error:
            return Exit(problem=f"{self._order.command[0]} cannot be started: {error}")
        while self._reap():
            self._wait()
            if self._deadline is not None and time.monotonic() >= self._deadline:
                kill_descendants(self._self)
        assert self._status is not None
        code = os.waitstatus_to_exitcode(self._status)
        return Exit(
            exit_code=code if code >= 0 else None,
            signal=signal_name(-code) if code < 0 else None,
            left_behind=self._left_behind,
        )

    def _reap(self) -> bool:
        """Wait for whoever has ended; whether there are children still."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self._script.pid:
                self._status = status
                self._script.returncode = os.waitstatus_to_exitcode(status)
                self._end_what_is_left()

    def _end_what_is_left(self) -> None:
        if self._deadline is None:
            self._left_behind = len(descendants(self._self))
            self._terminate(LEFT_BEHIND_GRACE)

    def _terminate(self, grace: float) -> None:
        """SIGTERM once to each; a second call may only bring the deadline nearer."""
        deadline = time.monotonic() + grace
        if self._deadline is None:
            send_signal(descendants(self._self), signal.SIGTERM)
            self._resume()  # who is stopped hears of a SIGTERM only when it goes on
        self._deadline = min(deadline, self._deadline or deadline)

    def _wait(self) -> None:
        timeout = None
        if self._deadline is not None:
            timeout = max(0.02, self._deadline - time.monotonic())
        sources = [self._wake] if self._input is None else [self._wake, self._input]
        ready, _, _ = select.select(sources, [], [], timeout)
        if self._wake in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake, 4_096)
        if self._input in ready:
            self._obey()

    def _obey(self) -> None:
        assert self._input is not None
        words = os.read(self._input, 4_096).decode().split()
        if not words:
            self._input = None
            self._terminate(ORPHANED_GRACE)
        for word in words:
            if word == PAUSE:
                self._pause()
            elif word == RESUME:
                self._resume()
            else:
                self._terminate(float(word))

    def _pause(self) -> None:
        if self._deadline is None:
            stop_descendants(self._self)

    def _resume(self) -> None:
        send_signal(descendants(self._self), signal.SIGCONT)


def main(arguments: list[str] = sys.argv[1:]) -> None:
    """Run the order in the file named by the only argument."""
    order = msgspec.json.decode(Path(arguments[0]).read_bytes(), type=Order)
    become_subreaper()
    ended = Runner(order).run()
    write_atomically(Path(order.exit_file), msgspec.json.encode(ended))


if __name__ == "__main__":
    main()
