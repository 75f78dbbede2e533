"""What a pool needs: which nodes to start, which to release, which runs can never run. Pure.

The waiting runs are put, first come first, on the free slots that there are, as the workers will do
it themselves; a node that is starting counts as if it were there. For a run that finds no place
a node is started, up to the pool's most. A node on which nothing was put and that holds
nothing is idle, and released when it was so for long enough.

Nodes are numbered 1, 2, 3, …; number 0 is a worker that is always there (that of `local`), which is
counted and never started or released.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from runhistory.domain.values import NodePool

ALWAYS_THERE: Final = 0

_DELETED: Final = "its compute target was deleted. Create that again, or cancel the run."
_TOO_LARGE: Final = (
    "it needs {slots} slots, and a node has {most}. Give the pool larger nodes "
    "(`runhistory compute update NAME --slots {slots}`), or cancel the run."
)
_NO_GPU: Final = (
    "it needs {gpus} GPUs, and the machine has {all}. Cancel the run, and submit it with fewer."
)


class Node(Struct, frozen=True, kw_only=True):
    """A living node. `idle_seconds`: so long it has been idle; None while it is busy or starts."""

    number: int
    slots: int
    used: int = 0
    idle_seconds: float | None = None


class Waiting(Struct, frozen=True):
    """A run that waits, and what it needs."""

    run_id: str
    slots: int
    gpus: int


class Gpus(Struct, frozen=True):
    """The machine's GPUs, which all of its nodes share."""

    all: int
    free: int


class Decision(Struct, frozen=True, kw_only=True):
    """What to do: numbers of nodes to start and to release, and of runs the ids.

    `provisioned` names for each run that gets a starting node the number of that node;
    `hopeless` says for each that no node of the pool can ever take why that is so.
    """

    start: tuple[int, ...] = ()
    release: tuple[int, ...] = ()
    provisioned: dict[str, int] = {}
    hopeless: dict[str, str] = {}


def decide(
    pool: NodePool | None,
    nodes: Iterable[Node],
    waiting: Sequence[Waiting],
    *,
    gpus: Gpus,
    may_start: bool = True,
) -> Decision:
    """Decide about one pool; `waiting` in the order in which it came. No pool: it was deleted.

    With `may_start` false no node is started for now, since those before it failed.
    """
    plan = _Plan(pool, nodes, gpus, may_start)
    for run in waiting:
        plan.place(run)
    plan.start_the_least()
    return plan.decision()


class _Plan:
    """The free slots of each node while runs are put on them."""

    def __init__(
        self, pool: NodePool | None, nodes: Iterable[Node], gpus: Gpus, may_start: bool
    ) -> None:
        self._pool, self._gpus, self._may_start = pool, gpus, may_start
        self._nodes = {node.number: node for node in sorted(nodes, key=lambda one: one.number)}
        self._free = {number: node.slots - node.used for number, node in self._nodes.items()}
        self._free_gpus = gpus.free
        self._busy: set[int] = set()
        self._started: list[int] = []
        self._provisioned: dict[str, int] = {}
        self._hopeless: dict[str, str] = {}

    def place(self, run: Waiting) -> None:
        """Find the run a node, one that has to be started if need be."""
        if reason := self._never(run):
            self._hopeless[run.run_id] = reason
            return
        if run.gpus > self._free_gpus:
            return  # another node would have no GPU for it either
        number = next((one for one, free in self._free.items() if free >= run.slots), None)
        if number is None and self._pool is not None and run.slots <= self._pool.slots:
            number = self._start()
        if number is None:
            return
        self._free[number] -= run.slots
        self._free_gpus -= run.gpus
        self._busy.add(number)
        if number in self._started:
            self._provisioned[run.run_id] = number

    def start_the_least(self) -> None:
        """As many nodes as the pool has even when nothing waits."""
        while self._pool is not None and len(self._free) < self._pool.min_nodes:
            if self._start() is None:
                return

    def decision(self) -> Decision:
        return Decision(
            start=tuple(self._started),
            release=self._releasable(),
            provisioned=self._provisioned,
            hopeless=self._hopeless,
        )

    def _start(self) -> int | None:
        """The number of a node more, or None where there may be none."""
        if self._pool is None or not self._may_start or len(self._free) >= self._pool.max_nodes:
            return None
        number = next(one for one in range(1, len(self._free) + 2) if one not in self._free)
        self._free[number] = self._pool.slots
        self._started.append(number)
        return number

    def _never(self, run: Waiting) -> str | None:
        """Why no node of this pool can ever take the run."""
        if self._pool is None:
            return None if self._nodes else _DELETED
        sizes = [node.slots for node in self._nodes.values()]
        if self._pool.max_nodes > (ALWAYS_THERE in self._nodes):
            sizes.append(self._pool.slots)
        if run.slots > max(sizes):
            return _TOO_LARGE.format(slots=run.slots, most=max(sizes))
        if run.gpus > self._gpus.all:
            return _NO_GPU.format(gpus=run.gpus, all=self._gpus.all or "none")
        return None

    def _releasable(self) -> tuple[int, ...]:
        """Idle nodes that the pool does not need; the highest numbers go first."""
        least, most, patience = 0, 0, 0.0
        if self._pool is not None:
            least, most = self._pool.min_nodes, self._pool.max_nodes
            patience = float(self._pool.idle_seconds)
        found, left = [], len(self._free)
        for number in sorted(self._nodes, reverse=True):
            node = self._nodes[number]
            if number == ALWAYS_THERE or node.idle_seconds is None or number in self._busy:
                continue
            is_stale = self._pool is not None and node.slots != self._pool.slots
            is_due = node.idle_seconds >= patience and left > least
            if left > most or is_stale or is_due:
                found.append(number)
                left -= 1
        return tuple(found)
