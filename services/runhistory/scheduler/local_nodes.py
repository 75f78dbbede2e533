"""Nodes on this machine: worker processes, which outlive the scheduler that started them.

DATA/scheduler.lock                 held (flock) by the one scheduler that manages these nodes
DATA/nodes/<workspace>/<target>/<number>/
    node.json                       what is known of the node, written before it is started
    worker.log                      its log; that of the life before is worker.log.1
    worker_id, claims/, …           the worker's own folder, the same in every life of this number

A node is its number. Its worker holds a lock on its folder, so whatever two schedulers might do,
one number never has two workers, and a pool never more than its most. A scheduler that starts
finds the processes by what node.json says; one that was started an instant before its scheduler was
killed, and is not named there yet, by the folder in its environment.
"""

import contextlib
import fcntl
import os
import re
import socket
import uuid
from pathlib import Path
from typing import IO, Final

import msgspec

from runhistory.scheduler.board import Target
from runhistory.scheduler.local_node import LocalNode, NodeRecord

STOP_SECONDS: Final = 35.0
"""So long nodes that are told to stop may take, their scripts included."""


class SchedulerTaken(Exception):
    """Another scheduler manages the nodes in this folder."""


class LocalNodes:
    """All nodes below one folder. `close` lets another scheduler have them."""

    def __init__(self, root: Path, environment: dict[str, str]) -> None:
        """Take the folder, and find the nodes that live.

        Raises:
            SchedulerTaken: another scheduler has it.
        """
        (root / "nodes").mkdir(parents=True, exist_ok=True, mode=0o700)
        self._root, self._environment = root, environment
        self._lock = _lock(root)
        self._nodes: dict[tuple[Target, int], LocalNode] = {}
        for path in sorted((root / "nodes").glob("*/*/*/node.json")):
            with contextlib.suppress(msgspec.DecodeError):
                record = msgspec.json.decode(path.read_bytes(), type=NodeRecord)
                node = LocalNode(path.parent, record)
                node.adopt()
                self._nodes[node.target, record.number] = node

    def close(self) -> None:
        """Let go of the folder; the nodes go on."""
        self._lock.close()

    def all(self) -> list[LocalNode]:
        """Every node that there ever was."""
        return list(self._nodes.values())

    def of(self, target: Target) -> list[LocalNode]:
        """The living nodes of a target."""
        return [node for node in self._nodes.values() if node.target == target and node.lives]

    def start(self, target: Target, number: int, slots: int) -> LocalNode:
        """Start the node with this number, which does not live.

        Raises:
            OSError: it cannot be started.
        """
        node = self._nodes.get((target, number))
        if node is None:
            folder = self._root / "nodes" / target.workspace / target.name / str(number)
            record = NodeRecord(
                workspace=target.workspace,
                compute_target=target.name,
                number=number,
                worker_id=_worker_id(folder, f"{target.name}-{number}"),
                slots=slots,
            )
            node = self._nodes[target, number] = LocalNode(folder, record)
        assert not node.lives
        node.start(self._environment, slots)
        return node


def _lock(root: Path) -> IO[bytes]:
    lock = (root / "scheduler.lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise SchedulerTaken(
            f"Another scheduler manages the nodes in {root}. Stop it, or give this one a folder "
            "of its own (RUNHISTORY_SCHEDULER_DATA)."
        ) from None
    return lock


def _worker_id(folder: Path, name: str) -> str:
    """The id of the worker in this folder, as it will find it there itself."""
    path = folder / "worker_id"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        host = re.sub(r"[^A-Za-z0-9_.-]", "-", socket.gethostname()) or "worker"
        fresh = folder / ".worker_id.new"
        fresh.write_text(f"{host[:64]}-{name}-{uuid.uuid4().hex[:12]}", "ascii")
        fresh.replace(path)
    return path.read_text("ascii")


def node_environment() -> dict[str, str]:
    """What nodes get of this process's own variables: all but what is the scheduler's alone."""
    own = {"RUNHISTORY_SCHEDULER_DATA", "RUNHISTORY_INSTANCE"}
    return {name: value for name, value in os.environ.items() if name not in own}
