"""The check of a batch of records at the gateway's door, and the message made of it."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given

from runhistory.events.batch_message import encode
from runhistory.events.metric_batch import InvalidBatch, TooLarge
from runhistory.events.record_batch import (
    MAX_RECORD_BYTES,
    RecordBatch,
    RecordsLogged,
    check,
)
from tests.support.wire_strategies import values_of

RUN = "0193f0aa00007000800000000000000a"
TEXT = {"key": "k", "kind": "value", "step": 0, "time": 1, "value": "a"}


def body(*records: Any, **more: Any) -> bytes:
    return json.dumps({"writer": "w", "seq": 0, "records": records, **more}).encode()


@pytest.mark.parametrize(
    "record",
    [
        TEXT,
        {**TEXT, "value": None},
        {**TEXT, "kind": "row", "value": {"a": 1, "b": None, "c": True, "d": {"float": "NaN"}}},
        {**TEXT, "kind": "table", "value": {"a": [1, "x"], "b": 10**30}},
        {**TEXT, "kind": "table", "value": None, "file": "tables/a.json"},
        {**TEXT, "kind": "image", "value": None, "file": "images/a.png"},
    ],
)
def test_a_good_record_is_stored_as_it_is(record: dict[str, Any]) -> None:
    stored = encode(RecordsLogged, check(body(record)), workspace="default", run_id=RUN, attempt=2)
    found = json.loads(stored)
    assert found["records"] == [{"file": None, **record}]
    assert (found["workspace"], found["run_id"], found["attempt"]) == ("default", RUN, 2)
    assert msgspec.json.decode(stored, type=RecordsLogged).writer == "w"


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (body(), "length >= 1"),
        (body({**TEXT, "value": 1.5}), "value"),
        (body({**TEXT, "value": {"a": 1}}), "text or null"),
        (body({**TEXT, "file": "a"}), "without a file"),
        (body({**TEXT, "kind": "row"}), "A row"),
        (body({**TEXT, "kind": "row", "value": {}}), "A row"),
        (body({**TEXT, "kind": "row", "value": {"a": [1]}}), "several make a table"),
        (body({**TEXT, "kind": "table", "value": None}), "A table"),
        (body({**TEXT, "kind": "table", "value": {"a": 1}, "file": "a"}), "A table"),
        (body({**TEXT, "kind": "image", "value": None}), "names its file"),
        (body({**TEXT, "kind": "image", "value": None, "file": "../a"}), "file"),
        (body({**TEXT, "kind": "video", "file": "a"}), "kind"),
        (body({**TEXT, "more": 1}), "more"),
        (body({**TEXT, "step": 2**63}), "step"),
        (body({**TEXT, "key": ""}), "key"),
        (body({**TEXT, "kind": "row", "value": {"a": {"b": 1}}}), "value"),
        (body(TEXT, workspace="theirs"), "workspace"),
        (body(TEXT).replace(b'"seq": 0', b'"seq": 0, "seq": 0'), "stands twice"),
        (body({**TEXT, "kind": "row", "value": {"a": 1}}).replace(b'"a": 1', b'"a": 1, "a": 2'),
         "stands twice"),
    ],
)  # fmt: skip
def test_a_bad_batch_is_refused_with_its_place(bad: bytes, said: str) -> None:
    with pytest.raises(InvalidBatch, match=said):
        check(bad)


def test_limits_are_of_bytes() -> None:
    check(body({**TEXT, "value": "x" * (MAX_RECORD_BYTES - 200)}))
    with pytest.raises(TooLarge, match=r"\$\.records\[1\]"):
        check(body(TEXT, {**TEXT, "value": "x" * MAX_RECORD_BYTES}))
    with pytest.raises(TooLarge, match="batch"):
        check(body(*[{**TEXT, "value": "x" * 60_000}] * 20))


@given(values_of(RecordBatch))
def test_check_and_encode_agree_whatever_comes(batch: RecordBatch) -> None:
    try:
        checked = check(msgspec.json.encode(batch))
    except InvalidBatch:
        return
    stored = encode(RecordsLogged, checked, workspace="default", run_id=RUN, attempt=1)
    found = json.loads(stored)["records"]
    assert found == json.loads(msgspec.json.encode(batch))["records"]
