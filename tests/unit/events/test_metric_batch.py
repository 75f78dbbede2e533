"""A batch is accepted whole or refused whole, and what is stored reads the same for everybody."""

import json
import math
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, assume, event, example, given, settings

from runhistory.events.metric_batch import (
    MAX_BATCH_BYTES,
    MAX_KEY_LENGTH,
    MAX_POINTS,
    InvalidBatch,
    MetricBatch,
    MetricsLogged,
    TooLarge,
    check,
    splice,
)
from tests.support.metric_batches import GOOD, bodies, spell

ENVELOPE: dict[str, Any] = {"workspace": "default", "run_id": "0" * 31 + "1", "attempt": 1}


def test_a_good_batch_keeps_what_it_says() -> None:
    batch = check(spell({"values": '["NaN"]', "steps": "[-9223372036854775808]"}))
    assert batch.values == ["NaN"]
    assert batch.steps == [-(2**63)]


REFUSED = {
    "workspace in the body": {"workspace": '"other"'},
    "run id in the body": {"run_id": '"' + "0" * 32 + '"'},
    "attempt in the body": {"attempt": "1"},
    "step 2^63": {"steps": "[9223372036854775808]"},
    "step below -2^63": {"steps": "[-9223372036854775809]"},
    "step 1e3": {"steps": "[1e3]"},
    "step 1.0": {"steps": "[1.0]"},
    "step true": {"steps": "[true]"},
    "step null": {"steps": "[null]"},
    "step as text": {"steps": '["7"]'},
    "step with a leading zero": {"steps": "[07]"},
    "value null": {"values": "[null]"},
    "value true": {"values": "[true]"},
    "value nan": {"values": '["nan"]'},
    "value bare NaN": {"values": "[NaN]"},
    "value as text": {"values": '["0.5"]'},
    "value escaped NaN": {"values": r'["\u004eaN"]'},
    "value escaped infinity": {"values": r'["Infinit\u0079"]'},
    "value beyond floats": {"values": "[1E400]"},
    "value without a digit": {"values": "[.5]"},
    "value nested": {"values": "[[0.5]]"},
    "time negative": {"times": "[-1]"},
    "time in ns": {"times": "[1700000000000000000]"},
    "fewer steps": {"steps": "[]"},
    "more values": {"values": "[1,2]"},
    "fewer times": {"times": "[]"},
    "no points": {"key_index": "[]", "steps": "[]", "values": "[]", "times": "[]"},
    "key_index 0": {"key_index": "[0]"},
    "key_index negative": {"key_index": "[-1]"},
    "key_index out of range": {"key_index": "[2]"},
    "no keys": {"keys": "[]"},
    "empty key": {"keys": '[""]'},
    "long key": {"keys": json.dumps(["k" * (MAX_KEY_LENGTH + 1)])},
    "key of 10,000 characters": {"keys": json.dumps(["k" * 10_000])},
    "key with NUL": {"keys": r'["a\u0000"]'},
    "key with a last newline": {"keys": r'["loss\n"]'},
    "key that is half a pair": {"keys": r'["\ud800"]'},
    "key with pairs swapped": {"keys": r'["\udc00\ud800"]'},
    "key null": {"keys": "[null]"},
    "key number": {"keys": "[1]"},
    "writer empty": {"writer": '""'},
    "writer with a last newline": {"writer": r'"rank0\n"'},
    "seq negative": {"seq": "-1"},
    "seq 1.0": {"seq": "1.0"},
    "seq beyond 2^53": {"seq": str(2**53 + 1)},
}


@pytest.mark.parametrize("fields", REFUSED.values(), ids=REFUSED.keys())
def test_wrong_fields_are_refused(fields: dict[str, str]) -> None:
    with pytest.raises(InvalidBatch):
        check(spell(fields))


OPEN = spell({})[:-1]
BROKEN = {
    "empty": b"",
    "blank": b" ",
    "null": b"null",
    "array": b"[]",
    "empty object": b"{}",
    "byte order mark": b"\xef\xbb\xbf" + spell({}),
    "UTF-16": spell({}).decode().encode("utf-16"),
    "trailing garbage": spell({}) + b" x",
    "two objects": spell({}) + spell({}),
    "NUL after": spell({}) + b"\0",
    "cut off": OPEN,
    "trailing comma": OPEN + b",}",
    "raw half pair": spell({}).replace(b"loss", b"\xed\xa0\x80"),
    "no UTF-8": spell({}).replace(b"loss", b"\xff"),
    "huge nesting": b"[" * 200_000,
    "huge nesting in a field": spell({"values": "[" * 200_000}),
    "huge nesting in an unknown field": OPEN + b',"x":' + b"[" * 200_000 + b"}",
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN.keys())
def test_broken_bodies_are_refused(body: bytes) -> None:
    with pytest.raises(InvalidBatch):
        check(body)


@pytest.mark.parametrize("name", GOOD)
def test_a_missing_field_is_refused_by_name(name: str) -> None:
    fields = {other: value for other, value in GOOD.items() if other != name}
    body = "{" + ",".join(f'"{other}":{value}' for other, value in fields.items()) + "}"
    with pytest.raises(InvalidBatch, match=name):
        check(body.encode())


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("escape", [False, True])
def test_a_name_that_stands_twice_is_refused(name: str, escape: bool) -> None:
    twice = f"\\u{ord(name[0]):04x}{name[1:]}" if escape else name
    with pytest.raises(InvalidBatch, match="twice"):
        check(OPEN + f',"{twice}":{GOOD[name]}}}'.encode())


def test_keys_that_look_like_names_are_no_names() -> None:
    keys = ["keys", '"keys":[', "steps", 'a\\"', "\\", "\\\\", '"']
    assert check(spell({"keys": json.dumps(keys)})).keys == keys


def test_equal_keys_in_the_list_are_allowed() -> None:
    assert check(spell({"keys": '["a","a"]', "key_index": "[2]"})).keys == ["a", "a"]


def test_the_message_names_the_place() -> None:
    columns = {"key_index": "[1,1,9]", "steps": "[1,2,3]", "values": "[1,2,3]", "times": "[1,2,3]"}
    with pytest.raises(InvalidBatch, match=r"\$\.key_index\[2\]"):
        check(spell(columns))
    with pytest.raises(InvalidBatch, match=r"\$\.steps\[1\]"):
        check(spell({**columns, "key_index": "[1,1,1]", "steps": "[1,1.5,3]"}))


def test_limits_are_inclusive() -> None:
    def batch(points: int) -> bytes:
        ones = "[" + ",".join(["1"] * points) + "]"
        return spell(dict.fromkeys(("key_index", "steps", "values", "times"), ones))

    assert len(check(batch(MAX_POINTS)).steps) == MAX_POINTS
    with pytest.raises(InvalidBatch):
        check(batch(MAX_POINTS + 1))


def test_too_many_bytes_are_refused_before_they_are_read() -> None:
    padding = b" " * (MAX_BATCH_BYTES - len(spell({})))
    assert check(spell({}) + padding)
    with pytest.raises(TooLarge):
        check(spell({}) + padding + b" ")


def pairs_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    assert len(set(names)) == len(names), f"a name stands twice: {names}"
    return dict(pairs)


def accepted(body: bytes) -> MetricBatch:
    try:
        batch = check(body)
    except InvalidBatch:
        assume(False)
        raise
    event("accepted")
    return batch


@given(bodies())
@example(spell({"keys": r'["a\"b","\\","k\u0065ys"]'}))
@settings(deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
def test_stored_is_our_envelope_and_the_clients_arrays(body: bytes) -> None:
    batch = accepted(body)
    stored = json.loads(splice(body, **ENVELOPE), object_pairs_hook=pairs_once)
    stored["values"] = [v if isinstance(v, str) else float(v) for v in stored["values"]]
    assert stored == {**ENVELOPE, **msgspec.structs.asdict(batch)}


@given(bodies())
@settings(deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
def test_stored_is_read_by_the_messages_own_type(body: bytes) -> None:
    batch = accepted(body)
    stored = msgspec.json.decode(splice(body, **ENVELOPE), type=MetricsLogged)
    assert msgspec.structs.asdict(stored) == {**ENVELOPE, **msgspec.structs.asdict(batch)}


@given(bodies())
@settings(deadline=None)
def test_a_body_is_accepted_exactly_when_a_plain_reading_says_so(body: bytes) -> None:
    """The model: Python's parser, with duplicate names and ranges looked at one by one."""
    try:
        batch: MetricBatch | None = check(body)
    except InvalidBatch:
        batch = None
    assert (batch is not None) == plainly_right(body)


def plainly_right(body: bytes) -> bool:
    try:
        found = json.loads(body, object_pairs_hook=pairs_once)
    except AssertionError:
        return False
    if b"\\" in body and rb"\u004eaN" in body:
        return False
    sizes = {len(found[name]) for name in ("key_index", "steps", "values", "times")}
    return (
        len(sizes) == 1
        and all(1 <= index <= len(found["keys"]) for index in found["key_index"])
        and all(type(step) is int and -(2**63) <= step < 2**63 for step in found["steps"])
        and all(is_value(value) for value in found["values"])
        and all(plain_key(key) for key in found["keys"])
    )


def is_value(value: object) -> bool:
    if isinstance(value, str):
        return value in ("NaN", "Infinity", "-Infinity")
    return isinstance(value, int | float) and math.isfinite(float(value))


def plain_key(key: str) -> bool:
    return bool(key) and not any(ord(character) < 32 or ord(character) == 127 for character in key)


Engine = Callable[[bytes], list[Any]]
COLUMNS = (
    "workspace String, run_id String, attempt UInt32, writer String, seq UInt64, "
    "keys Array(String), key_index Array(UInt32), steps Array(Int64), values Array(Float64), "
    "times Array(Int64)"
)


@pytest.fixture(scope="module")
def read_in_clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Reads one stored message as the sink's INSERT does; floats come back as their bits."""
    import chdb

    file: Path = tmp_path_factory.mktemp("messages") / "message.json"
    connection = chdb.connect(":memory:")

    def read(message: bytes) -> list[Any]:
        file.write_bytes(message + b"\n")
        answer = connection.query(
            "SELECT workspace, run_id, attempt, writer, seq, keys, key_index, steps, "
            "arrayMap(v -> reinterpretAsUInt64(v), values), times "
            f"FROM file('{file}', JSONEachRow, '{COLUMNS}') "
            "SETTINGS output_format_json_quote_64bit_integers = 0",
            "JSONCompactEachRow",
        )
        row: list[Any] = json.loads(str(answer))
        return row

    yield read
    connection.close()


def bits(value: float | str) -> int:
    """The 64 bits of a value; "NaN" is the quiet one without a sign."""
    return int(struct.unpack("<Q", struct.pack("<d", float(value)))[0])


@pytest.mark.infrastructure
@given(body=bodies())
@example(body=spell({"values": '["-Infinity"]', "steps": "[9223372036854775807]"}))
@example(body=spell({"values": "[0.30000000000000004]", "steps": "[-0]"}))
@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture],
)
def test_clickhouse_reads_the_same_columns(read_in_clickhouse: Engine, body: bytes) -> None:
    batch = accepted(body)
    written = json.loads(body, parse_int=float)["values"]  # `-0` is minus zero in ClickHouse
    assert batch.values == written
    assert read_in_clickhouse(splice(body, **ENVELOPE)) == [
        *ENVELOPE.values(),
        batch.writer,
        batch.seq,
        batch.keys,
        batch.key_index,
        batch.steps,
        [bits(value) for value in written],
        batch.times,
    ]
