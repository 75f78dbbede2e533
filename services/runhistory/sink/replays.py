"""What a dead-letter topic asks the sink to try again; see kafka/dead_letters.py."""

from collections.abc import Sequence

from msgspec import Struct

from runhistory.kafka.dead_letters import ORIGIN, OWN_HEADERS, REPLAY, SUFFIX
from runhistory.sink.rows import LANDINGS, Message


class Original(Struct, frozen=True):
    """A record as it lay in its topic. Stored again, it is the same row as at the first try."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


def asked_again(record: Message) -> Message | None:
    """The original that a replay is about; None for a letter, and for what is neither."""
    headers = dict(record.headers)
    if REPLAY not in headers or ORIGIN not in headers:
        return None
    topic, _, place = headers[ORIGIN].decode("utf-8", "replace").partition("/")
    partition, _, offset = place.partition("/")
    is_ours = topic in LANDINGS and record.topic == f"{topic}{SUFFIX}"
    if not is_ours or not (partition.isdecimal() and offset.isdecimal()):
        return None
    kept = [(name, value) for name, value in record.headers if name not in OWN_HEADERS]
    return Original(
        topic, int(partition), int(offset), record.timestamp, record.key, record.value, kept
    )
