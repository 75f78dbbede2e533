"""Attempts read from the log alone, with less memory than there are runs."""

from typing import Any

import pytest

from runhistory.domain.commands import CreateRun, DeleteRun, StartRun
from runhistory.domain.ids import new_command_id, new_run_id
from runhistory.domain.values import RunContent
from runhistory.events.codec import decode_event_data, encode_event
from runhistory.gateway.event_log import (
    DELETED,
    EVENTS_TOPIC,
    EventLog,
    EventLogUnavailable,
    place_of,
)
from runhistory.kafka.clients import close, open_producer
from tests.support.landing import History, Row

pytestmark = pytest.mark.infrastructure


def runs_of_one_partition(count: int) -> list[str]:
    first = new_run_id()
    found = [first]
    while len(found) < count:
        if place_of(run_id := new_run_id()) == place_of(first):
            found.append(run_id)
    return found


def created(run_id: str) -> History:
    content = RunContent(type="interactive", experiment="e")
    return History().apply(
        CreateRun(workspace="ws", run_id=run_id, command_id=new_command_id(), content=content)
    )


def started(run_id: str) -> History:
    start = StartRun(workspace="ws", run_id=run_id, command_id=new_command_id())
    return created(run_id).apply(start)


async def append(bootstrap: str, *rows: Row) -> None:
    producer = await open_producer(bootstrap, client_id="test")
    try:
        for row in rows:
            record = encode_event(decode_event_data(row["type"], row["data"]))
            await producer.send_and_wait(
                EVENTS_TOPIC, record.value, key=record.key, headers=record.headers
            )
    finally:
        await close(producer)


async def test_every_run_is_found_also_those_that_were_forgotten(broker: Any) -> None:
    runs = runs_of_one_partition(5)
    log = EventLog(broker.bootstrap, "test", max_runs=2)
    await append(broker.bootstrap, *(row for run in runs for row in started(run).rows))
    for run in runs:
        assert await log.latest_attempt(("ws", run), at_least=1) == 1
    assert await log.latest_attempt(("other", runs[1]), at_least=1) is None
    assert await log.latest_attempt(("ws", new_run_id()), at_least=1) is None


async def test_what_comes_later_is_read_and_what_is_known_is_not(broker: Any) -> None:
    run, log = new_run_id(), EventLog(broker.bootstrap, "test")
    rows = started(run).rows
    first = created(run).rows
    await append(broker.bootstrap, *first)
    assert await log.latest_attempt(("ws", run), at_least=0) == 0
    await append(broker.bootstrap, *rows[len(first) :])
    assert await log.latest_attempt(("ws", run), at_least=0) == 0
    assert log.known(("ws", run)) == 0
    assert await log.latest_attempt(("ws", run), at_least=1) == 1


async def test_a_deletion_is_the_last_word(broker: Any) -> None:
    run, log = new_run_id(), EventLog(broker.bootstrap, "test")
    history = created(run).apply(DeleteRun(workspace="ws", run_id=run, command_id=new_command_id()))
    await append(broker.bootstrap, *history.rows)
    assert await log.latest_attempt(("ws", run), at_least=0) == DELETED
    assert log.known(("ws", run)) == DELETED


async def test_without_kafka_it_says_so() -> None:
    with pytest.raises(EventLogUnavailable, match="Send the same again"):
        await EventLog("127.0.0.1:9", "test").latest_attempt(("ws", new_run_id()), at_least=1)
