"""Find and kill whole trees of processes, whatever they did to hide.

Two ways lead to what a run left: its runner is a subreaper, so every descendant that lost its
parent is the runner's child; and everything that a worker starts carries the worker's id in its
environment, which finds what is left when the runner is dead as well.
"""

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

import psutil

WORKER_ID_VARIABLE: Final = "RUNHISTORY_WORKER_ID"

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
_libc: Final = ctypes.CDLL(None, use_errno=True)


class CannotKill(Exception):
    """Processes survive SIGKILL (they hang in the kernel), or are not ours to kill."""


def become_subreaper() -> None:
    """From now on, descendants whose parent ends become children of this process."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    """This process gets SIGKILL when its parent ends."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def descendants(process: psutil.Process) -> list[psutil.Process]:
    """Living descendants, the dead that nobody has waited for left out."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return [child for child in process.children(recursive=True) if _is_alive(child)]
    return []


def send_signal(processes: Iterable[psutil.Process], number: int) -> None:
    """Signal each one that still is the process it was."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            process.send_signal(number)


def kill_descendants(process: psutil.Process) -> None:
    """SIGKILL to all descendants as they are now: stopped first, so that none forks meanwhile."""
    send_signal(stop_descendants(process), signal.SIGKILL)


def stop_descendants(process: psutil.Process) -> set[psutil.Process]:
    """SIGSTOP to all descendants, until none is left that could fork another."""
    stopped: set[psutil.Process] = set()
    while fresh := set(descendants(process)) - stopped:
        send_signal(fresh, signal.SIGSTOP)
        stopped |= fresh
    return stopped


def kill_tree(pid: int, started: float) -> None:
    """Kill the process `pid` that began at `started` (seconds since 1970) with all descendants.

    It goes last: while it lives, and it is a subreaper, no descendant escapes to another parent.

    Raises:
        CannotKill: some are still there after a while.
    """
    try:
        root = psutil.Process(pid)
        if abs(root.create_time() - started) > 1.0:  # a corrected clock shifts it a little
            return  # the id belongs to another process by now
        root.suspend()
    except psutil.NoSuchProcess:
        return
    _until_none_left(lambda: descendants(root), lambda: kill_descendants(root))
    send_signal([root], signal.SIGKILL)
    _until_none_left(lambda: [root] if _is_alive(root) else [], lambda: None)


def kill_marked(marks: Mapping[str, str]) -> int:
    """Kill every process with all of `marks` in its environment, and their descendants.

    How many there were. Never this process or one above it.

    Raises:
        CannotKill: some are still there after a while.
    """
    killed: set[psutil.Process] = set()

    def kill() -> None:
        for process in _marked(marks):
            kill_descendants(process)
            send_signal([process], signal.SIGKILL)
            killed.add(process)

    _until_none_left(lambda: _marked(marks), kill)
    return len(killed)


def _marked(marks: Mapping[str, str]) -> list[psutil.Process]:
    wanted = {f"{name}={value}".encode() for name, value in marks.items()}
    above = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = []
    for pid in psutil.pids():
        if pid in above or not wanted <= _environment(pid):
            continue
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            if _is_alive(process):
                found.append(process)
    return found


def _environment(pid: int) -> set[bytes]:
    try:
        return set(Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"))
    except OSError:  # it is gone, or another user's
        return set()


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _until_none_left(
    find: Callable[[], list[psutil.Process]], kill: Callable[[], None], patience: float = 10.0
) -> None:
    deadline = time.monotonic() + patience
    while left := find():
        if time.monotonic() > deadline:
            raise CannotKill(f"still there: {', '.join(str(one.pid) for one in left)}")
        kill()
        time.sleep(0.01)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
