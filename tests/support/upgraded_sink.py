"""`python -m tests.support.upgraded_sink`: a sink of a later program, which knows version 2 too.

In it every message says `space` for `workspace`: an edit that makes a new version of a type. What
is of version 1, the one before, is read as ever; what is of version 2 is cast into it.
"""

from collections.abc import Callable
from typing import Final

from runhistory.events.cloudevents import Record, attribute
from runhistory.runtime.service import run_service
from runhistory.sink.replays import Original
from runhistory.sink.rows import LANDINGS, Landing, Message, Row
from runhistory.sink.service import main

_OLD: Final = b'"workspace":'
_NEW: Final = b'"space":'


def later(record: Record) -> Record:
    """A message of version 1 as one of version 2."""
    type = attribute(record.headers, "type").removesuffix("1") + "2"
    headers = [(name, type.encode() if name == "ce_type" else v) for name, v in record.headers]
    return Record(record.key, headers, record.value.replace(_OLD, _NEW, 1))


def _earlier(message: Message) -> Message:
    """A message of version 2 as one of version 1; any other as it is."""
    headers = dict(message.headers)
    type = headers.get("ce_type", b"")
    if not type.endswith(b".v2") or message.value is None:
        return message
    return Original(
        message.topic,
        message.partition,
        message.offset,
        message.timestamp,
        message.key,
        message.value.replace(_NEW, _OLD, 1),
        [*{**headers, "ce_type": type[:-1] + b"1"}.items()],
    )


def _upgraded(row: Callable[[Message], Row]) -> Callable[[Message], Row]:
    return lambda message: row(_earlier(message))


if __name__ == "__main__":
    for topic, landing in LANDINGS.items():
        LANDINGS[topic] = Landing(landing.table, _upgraded(landing.row))
    run_service("sink", main)
