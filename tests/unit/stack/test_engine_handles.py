"""Idle handles: lent to requests of the same preparation alone, few of them, none left open."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from runhistory.stack.engine_handles import IdleHandles, Preparation


@dataclass
class _Handle:
    made_for: Preparation
    is_open: bool = field(default=True)

    def close(self) -> None:
        assert self.is_open, "closed twice"
        self.is_open = False


@given(st.lists(st.tuples(st.sampled_from(["take", "put"]), st.sampled_from("abc")), max_size=60))
def test_a_handle_has_one_holder_and_one_preparation(steps: list[tuple[str, str]]) -> None:
    idle, lent, made = IdleHandles(max_idle=3), list[_Handle](), list[_Handle]()
    for step, database in steps:
        preparation: Preparation = (database, frozenset())
        if step == "take":
            handle = idle.take(preparation)
            if handle is None:
                handle = _Handle(preparation)
                made.append(handle)
            assert handle.made_for == preparation
            assert handle.is_open
            assert all(handle is not other for other in lent)
            lent.append(handle)
        elif lent:
            handle = lent.pop(0)
            idle.put(handle.made_for, handle)
        assert sum(handle.is_open for handle in made) <= len(lent) + 3
    idle.close()
    assert all(handle.is_open == any(handle is one for one in lent) for handle in made)


def test_the_handle_used_last_is_lent_first() -> None:
    idle, preparation = IdleHandles(max_idle=2), ("", frozenset({("max_threads", "1")}))
    first, second, third = (_Handle(preparation) for _ in range(3))
    for handle in (first, second, third):
        idle.put(preparation, handle)
    assert not first.is_open
    assert idle.take(preparation) is third
    assert idle.take(preparation) is second
    assert idle.take(preparation) is None
