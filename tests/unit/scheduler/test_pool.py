"""What a pool needs, decided: laws for any state, and a pool that is run to its end."""

from hypothesis import given
from hypothesis import strategies as st

from runhistory.domain.values import NodePool
from runhistory.scheduler.pool import ALWAYS_THERE, Decision, Gpus, Node, Waiting, decide

NO_GPUS = Gpus(0, 0)


def make_pool(least: int, extra: int, idle: int, slots: int) -> NodePool:
    return NodePool(
        min_nodes=least, max_nodes=max(1, least + extra), idle_seconds=idle, slots=slots
    )


def make_node(number: int, slots: int, used: int, idle: float | None) -> Node:
    used = min(used, slots)
    is_fixed = number == ALWAYS_THERE
    return Node(
        number=number,
        slots=slots,
        used=used,
        idle_seconds=None if used or is_fixed else idle,
    )


pools = st.builds(
    make_pool, st.integers(0, 3), st.integers(0, 3), st.integers(0, 5), st.integers(1, 3)
)
nodes = st.lists(
    st.builds(
        make_node,
        st.integers(0, 8),
        st.integers(1, 3),
        st.integers(0, 3),
        st.none() | st.floats(0, 10),
    ),
    max_size=6,
    unique_by=lambda node: node.number,
)
queues = st.lists(
    st.builds(Waiting, st.uuids().map(str), st.integers(1, 4), st.integers(0, 2)), max_size=8
)


@st.composite
def machines(draw: st.DrawFn) -> Gpus:
    every = draw(st.integers(0, 3))
    return Gpus(every, draw(st.integers(0, every)))


@given(st.none() | pools, nodes, queues, machines(), st.booleans())
def test_what_holds_for_every_decision(
    pool: NodePool | None, there: list[Node], queue: list[Waiting], gpus: Gpus, may: bool
) -> None:
    decision = decide(pool, there, queue, gpus=gpus, may_start=may)
    numbers, by_number = {node.number for node in there}, {node.number: node for node in there}
    assert not set(decision.start) & numbers, "a number has one node"
    assert len(set(decision.start)) == len(decision.start)
    assert ALWAYS_THERE not in decision.start + decision.release
    if decision.start:
        assert pool is not None
        assert may
        assert len(there) + len(decision.start) <= pool.max_nodes
    for number in decision.release:
        node = by_number[number]
        assert node.used == 0
        assert node.idle_seconds is not None
    assert set(decision.provisioned.values()) <= set(decision.start)
    assert not set(decision.provisioned) & set(decision.hopeless)
    least = pool.min_nodes if pool is not None else 0
    kept = [node for node in there if node.number not in decision.release]
    stale = [n for n in there if pool is not None and n.slots != pool.slots]
    if may:
        assert len(kept) + len(decision.start) + len(stale) >= least


@given(pools, nodes, queues)
def test_a_run_waits_only_where_everything_is_taken(
    pool: NodePool, there: list[Node], queue: list[Waiting]
) -> None:
    queue = [Waiting(run.run_id, 1, 0) for run in queue]
    decision = decide(pool, there, queue, gpus=NO_GPUS)
    if len(there) + len(decision.start) < pool.max_nodes:
        free = sum(node.slots - node.used for node in there) + len(decision.start) * pool.slots
        assert free >= len(queue)


@given(pools, queues)
def test_every_run_that_fits_a_node_comes_to_its_end_and_the_pool_to_its_least(
    pool: NodePool, queue: list[Waiting]
) -> None:
    """The pool's whole life, with workers that take what fits and end everything at once."""
    there: dict[int, Node] = {}
    left = [Waiting(run.run_id, run.slots, 0) for run in queue]
    hopeless = {run.run_id for run in left if run.slots > pool.slots}
    for _ in range(2 * len(queue) + 10):
        decision = decide(pool, there.values(), left, gpus=NO_GPUS)
        assert set(decision.hopeless) == hopeless
        for number in decision.start:
            there[number] = Node(number=number, slots=pool.slots, idle_seconds=0)
        for number in decision.release:
            del there[number]
        assert len(there) <= pool.max_nodes
        for node in list(there.values()):
            taken = next((run for run in left if run.slots <= node.slots), None)
            idle = (node.idle_seconds or 0) + 1
            if taken is not None:
                left.remove(taken)
            there[node.number] = Node(
                number=node.number, slots=node.slots, idle_seconds=0 if taken else idle
            )
    assert {run.run_id for run in left} == hopeless
    assert len(there) == pool.min_nodes


def test_a_run_that_finds_a_place_starts_nothing() -> None:
    idle = Node(number=2, slots=1, idle_seconds=500)
    decision = decide(NodePool(max_nodes=4), [idle], [Waiting("a", 1, 0)], gpus=NO_GPUS)
    assert decision == Decision()


def test_a_node_that_starts_counts_as_if_it_were_there() -> None:
    starting = Node(number=1, slots=1)
    queue = [Waiting("a", 1, 0), Waiting("b", 1, 0), Waiting("c", 1, 0)]
    decision = decide(NodePool(max_nodes=2), [starting], queue, gpus=NO_GPUS)
    assert decision == Decision(start=(2,), provisioned={"b": 2})


def test_a_large_run_does_not_hold_up_a_small_one_and_learns_why_it_waits() -> None:
    queue = [Waiting("large", 3, 0), Waiting("small", 1, 0)]
    decision = decide(NodePool(max_nodes=1, slots=2), [], queue, gpus=NO_GPUS)
    assert decision.provisioned == {"small": 1}
    assert "3 slots, and a node has 2" in decision.hopeless["large"]


def test_no_node_is_started_for_gpus_that_others_have() -> None:
    queue = [Waiting("a", 1, 1), Waiting("b", 1, 3)]
    decision = decide(NodePool(max_nodes=4), [], queue, gpus=Gpus(all=2, free=0))
    assert decision.start == ()
    assert list(decision.hopeless) == ["b"]


def test_the_nodes_of_a_deleted_target_take_what_waits_and_go() -> None:
    busy, idle = Node(number=1, slots=1, used=1), Node(number=2, slots=1, idle_seconds=0.0)
    queue = [Waiting("a", 1, 0), Waiting("b", 1, 0)]
    assert decide(None, [busy, idle], queue, gpus=NO_GPUS) == Decision()
    assert decide(None, [busy, idle], [], gpus=NO_GPUS).release == (2,)
    assert set(decide(None, [], queue, gpus=NO_GPUS).hopeless) == {"a", "b"}


def test_a_node_of_another_size_is_replaced_when_it_is_idle() -> None:
    small = Node(number=1, slots=1, idle_seconds=0.0)
    pool = NodePool(min_nodes=1, max_nodes=1, slots=2)
    assert decide(pool, [small], [], gpus=NO_GPUS).release == (1,)


def test_local_counts_the_worker_that_is_always_there() -> None:
    always = Node(number=ALWAYS_THERE, slots=2, used=2)
    queue = [Waiting("a", 1, 0), Waiting("b", 1, 0)]
    alone = NodePool(min_nodes=1, max_nodes=1, slots=2)
    assert decide(alone, [always], queue, gpus=NO_GPUS) == Decision()
    larger = NodePool(min_nodes=1, max_nodes=2, slots=1)
    assert decide(larger, [always], queue, gpus=NO_GPUS).start == (1,)
    useless = NodePool(min_nodes=1, max_nodes=1, slots=8)
    huge = [Waiting("a", 8, 0)]
    assert "a" in decide(useless, [always], huge, gpus=NO_GPUS).hopeless
