"""What pages are told of batches that come together, and who hears of a record at all."""

from types import SimpleNamespace
from typing import Any

import msgspec
from aiokafka import TopicPartition

from runhistory.gateway.event_feed import Feed, Listeners
from runhistory.gateway.event_filter import make_filter
from runhistory.gateway.live_shape import MAX_BYTES, LiveShape, watermarks_before
from runhistory.gateway.published import Published

RUNS = ["0" * 32, "1" * 32]


def published(type: str, offset: int, run_id: str = RUNS[0], **said: Any) -> Published:
    data = msgspec.json.encode({"workspace": "w", "run_id": run_id, **said})
    headers = [(f"ce_{name}", b"x") for name in ("id", "source", "subject", "time", "dataschema")]
    record = SimpleNamespace(
        topic="run.metrics",
        partition=1,
        offset=offset,
        headers=[*headers, ("ce_type", type.encode())],
        value=data,
    )
    return Published(record)  # type: ignore[arg-type]


def points(offset: int, run_id: str = RUNS[0], count: int = 1, key: str = "loss") -> Published:
    return published("metrics.logged.v1", offset, run_id, keys=[key], steps=list(range(count)))


def told(*events: Published) -> list[dict[str, Any]]:
    """The messages, each with its fields."""
    text = LiveShape().messages([(b"id: p%d" % event.offset, event) for event in events])
    *blocks, rest = text.decode().split("\n\n")
    assert rest == ""
    found = [dict(line.split(": ", 1) for line in block.split("\n")) for block in blocks]
    return [{**one, "data": msgspec.json.decode(one["data"])} for one in found]


def test_the_last_message_alone_has_an_id() -> None:
    messages = told(points(3), published("run.started.v1", 4), points(5, RUNS[1]))
    assert [message["event"] for message in messages] == ["event", "points", "points"]
    assert [message.get("id") for message in messages] == [None, None, "p5"]
    assert messages[1]["data"]["watermark"] == "run.metrics/1/3"
    assert messages[2]["data"]["run_id"] == RUNS[1]


def test_much_is_told_by_run_and_key() -> None:
    many = MAX_BYTES // 2
    messages = told(points(1, count=many), points(2, key="acc"), points(3, RUNS[1]))
    assert [(message["event"], message["data"]) for message in messages] == [
        (
            "moved",
            {
                "run_id": RUNS[0],
                "keys": ["acc", "loss"],
                "points": many + 1,
                "watermark": "run.metrics/1/2",
            },
        ),
        (
            "moved",
            {"run_id": RUNS[1], "keys": ["loss"], "points": 1, "watermark": "run.metrics/1/3"},
        ),
    ]


def test_watermarks_pass_over_the_marker_of_a_transaction() -> None:
    ends = {
        TopicPartition("run.events", 0): 3,
        TopicPartition("run.events", 1): 0,
        TopicPartition("run.logs", 2): 5,
        TopicPartition("run.logs", 3): 0,
    }
    assert watermarks_before(ends) == ["run.events/0/1", "run.logs/2/4"]


def test_only_who_watches_a_run_hears_of_its_records() -> None:
    one, both, all = (Feed(make_filter("w", run_ids=runs)) for runs in (RUNS[:1], RUNS, []))
    listeners = Listeners()
    for feed in (one, both, all):
        listeners.add(feed)
    assert set(listeners.of(RUNS[0].encode())) == {one, both, all}
    assert set(listeners.of(RUNS[1].encode())) == {both, all}
    assert listeners.of(b"other") == listeners.of(None) == [all]
    for feed in (all, both, one):
        assert listeners
        listeners.discard(feed)
        assert feed not in listeners.of(RUNS[0].encode())
    assert not listeners
