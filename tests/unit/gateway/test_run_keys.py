"""How many keys a run may have, in bounded memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runhistory.gateway.run_keys import RunKeys, TooManyKeys

A, B = ("ws", "a"), ("ws", "b")


@given(
    batches=st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=5)),
    limit=st.integers(1, 8),
)
def test_a_batch_is_let_in_when_its_run_has_not_too_many_with_it(
    batches: list[list[str]], limit: int
) -> None:
    keys, known = RunKeys(limit), set[str]()
    for batch in batches:
        fits = len(known | set(batch)) <= limit
        for _ in range(2):  # a retry is answered alike
            try:
                keys.admit(A, batch)
                assert fits
            except TooManyKeys:
                assert not fits
        known |= set(batch) if fits else set()


def test_the_refusal_names_limit_setting_and_the_first_key_too_many() -> None:
    keys = RunKeys(2)
    keys.admit(A, ["x"])
    with pytest.raises(TooManyKeys) as refused:
        keys.admit(A, ["x", "y", "z"], b'{"keys":["x","y","z"]}')
    assert "2 keys (RUNHISTORY_MAX_KEYS)" in str(refused.value)
    assert "`$.keys[2]` (key 'z')" in str(refused.value)
    assert refused.value.details == {"limit": 2, "setting": "RUNHISTORY_MAX_KEYS"}
    keys.admit(A, ["x", "y"])
    keys.admit(B, ["z"])


def test_the_runs_heard_of_longest_ago_are_forgotten() -> None:
    keys = RunKeys(limit=2, memory=3)
    keys.admit(A, ["x", "y"])
    keys.admit(B, ["x"])
    keys.admit(A, ["x"])
    keys.admit(("ws", "c"), ["x"])  # B is the oldest now
    with pytest.raises(TooManyKeys):
        keys.admit(A, ["z"])
    keys.admit(B, ["y", "z"])
