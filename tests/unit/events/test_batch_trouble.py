"""A batch that is refused is told where: the column, the first bad element, and its key."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runhistory.events.metric_batch import InvalidBatch, Limits, TooLarge, check

KEYS = ["train/loss", "a, b", 'quo"te', "val/ü"]
BAD: dict[str, list[str]] = {
    "values": ["null", "true", "NaN", "-Infinity", "1E400", ".5", '"nan"', '"0.5"', "[0.5]", "{}"],
    "steps": ["null", "1.0", "1e3", "9223372036854775808", "07", '"7"', "true", "[]", "NaN"],
    "times": ["null", "-1", "1700000000000000000", "1.5", '"now"', "NaN"],
    "key_index": ["null", "0", "-1", "1.0", "5", '"1"', "99999"],
}
"""What is no element of a column, as JSON has it."""


def _body(columns: dict[str, list[str]], keys: list[str] = KEYS) -> bytes:
    arrays = {"keys": [json.dumps(key) for key in keys], **columns}
    fields = [f'"{name}":[{",".join(elements)}]' for name, elements in arrays.items()]
    return ("{" + ",".join(['"writer":"w"', '"seq":0', *fields]) + "}").encode()


def _good(points: int, key_index: list[int]) -> dict[str, list[str]]:
    return {
        "key_index": [str(index) for index in key_index],
        "steps": [str(step) for step in range(points)],
        "values": ["0.5", '"NaN"', "-1e3"] * points,
        "times": ["1700000000000000"] * points,
    }


@pytest.mark.parametrize(("column", "bad"), [(c, b) for c, bads in BAD.items() for b in bads])
@given(data=st.data())
def test_the_first_bad_element_is_named_with_its_key(
    column: str, bad: str, data: st.DataObject
) -> None:
    points = data.draw(st.integers(1, 6))
    place = data.draw(st.integers(0, points - 1))
    key_index = data.draw(st.lists(st.integers(1, 4), min_size=points, max_size=points))
    columns = _good(points, key_index)
    columns["values"] = columns["values"][:points]
    for later in [place, *data.draw(st.lists(st.integers(place, points - 1), max_size=2))]:
        columns[column][later] = bad
    with pytest.raises(InvalidBatch) as refused:
        check(_body(columns))
    told = str(refused.value)
    assert f"at `$.{column}[{place}]`" in told
    if column != "key_index":
        assert repr(KEYS[key_index[place] - 1]) in told


@pytest.mark.parametrize("key", ['""', "null", "7", r'"a\u0000"', r'"line\n"', '["a"]'])
def test_a_bad_key_is_named_by_its_place(key: str) -> None:
    columns: dict[str, Any] = {**_good(1, [1]), "values": ["1"]}
    body = _body(columns).replace(b'"a, b"', key.encode())
    with pytest.raises(InvalidBatch, match=r"at `\$\.keys\[1\]`"):
        check(body)


@pytest.mark.parametrize("column", ["steps", "values", "times"])
@pytest.mark.parametrize("change", [-1, 1])
def test_columns_that_differ_are_named_where_they_do(column: str, change: int) -> None:
    columns = _good(3, [1, 2, 3])
    columns["values"] = columns["values"][:3]
    columns[column] = columns[column][:change] if change < 0 else columns[column] + ["1"]
    with pytest.raises(InvalidBatch, match=rf"\$\.{column}\[{min(3, 3 + change)}\]"):
        check(_body(columns))


def test_an_escaped_nan_is_named_by_its_index() -> None:
    columns = {**_good(2, [1, 2]), "values": ["1", r'"\u004eaN"']}
    with pytest.raises(InvalidBatch, match=r"\$\.values\[1\]` \(key 'a, b'\)"):
        check(_body(columns))


def test_a_limit_that_is_set_is_named_with_its_setting() -> None:
    columns: dict[str, Any] = {**_good(1, [1]), "values": ["1"]}
    for length, keys in ((9, KEYS), (512, ["k", "k" * 513])):
        with pytest.raises(TooLarge) as refused:
            check(_body(columns, keys), Limits(key_length=length))
        assert f"{length} characters (RUNHISTORY_MAX_KEY_LENGTH)" in str(refused.value)
        assert refused.value.details["limit"] == length
    assert check(_body(columns), Limits(key_length=10)).keys == KEYS
    body = _body(columns)
    with pytest.raises(TooLarge, match=r"RUNHISTORY_MAX_BATCH_BYTES"):
        check(body, Limits(bytes=len(body) - 1))
    assert check(body, Limits(bytes=len(body)))


def test_a_long_key_is_shown_in_short() -> None:
    columns: dict[str, Any] = {**_good(1, [1]), "values": ["null"]}
    with pytest.raises(InvalidBatch) as refused:
        check(_body(columns, ["k" * 500]))
    assert len(str(refused.value)) < 300
