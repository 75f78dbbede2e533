"""Which process is meant: a pid alone is reused, a pid with its start time and boot is not."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from msgspec import Struct


class ProcessIdentity(Struct, frozen=True):
    """One process for all time: its pid, its start (clock ticks after boot) and that boot."""

    pid: int
    started: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> "ProcessIdentity | None":
        """The process that has this pid now; None when none runs (a zombie does not)."""
        started = _start_of(pid)
        return None if started is None else cls(pid, started, _boot())

    def is_alive(self) -> bool:
        """Whether this very process still runs."""
        return ProcessIdentity.of(self.pid) == self

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this very process; nothing happens when it is gone.

        The file descriptor holds the process, so a pid that is reused meanwhile is never hit.
        """
        with contextlib.suppress(ProcessLookupError):
            descriptor = os.pidfd_open(self.pid)
            try:
                if self.is_alive():
                    signal.pidfd_send_signal(descriptor, number)
            finally:
                os.close(descriptor)

    def wait_gone(self, timeout: float) -> bool:
        """Wait until it has ended; False when it still runs after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while self.is_alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def end(self, timeout: float) -> None:
        """Ask it to end, and kill it when it has not within `timeout` seconds."""
        self.signal(signal.SIGTERM)
        if not self.wait_gone(timeout):
            self.signal(signal.SIGKILL)
            self.wait_gone(10)


def processes_with(variable: str, value: str) -> Iterator[ProcessIdentity]:
    """Every process of this user that was started with `variable`=`value` in its environment."""
    wanted = f"{variable}={value}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        identity = ProcessIdentity.of(int(entry.name))
        with contextlib.suppress(OSError):  # it has ended, or is another user's
            environment = (entry / "environ").read_bytes().split(b"\0")
            if identity is not None and wanted in environment:
                yield identity


@cache
def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()


def _start_of(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace")
    except OSError:
        return None
    # "pid (name) state …": the name may hold anything, so count from its closing bracket.
    fields = stat[stat.rindex(")") + 2 :].split()
    return None if fields[0] in "ZX" else int(fields[19])
