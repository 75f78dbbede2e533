"""Dead letters, as their topics tell of them: `<topic>.dlq` is a log of what became of each.

It has two kinds of records, both with key, value, time and headers of the record that could not be
stored, and with its place (`topic/partition/offset`) in the header `origin`. A **letter** says in
`reason` why the sink could not store it. A **replay**, with the time in `replay`, asks the sink to
try again. The sink stores the record at the place where it lay, as if nothing had happened, so
every replay has the ids, the order and the result of the first try; one that fails makes a new
letter. Of one origin the last record counts: a letter is open, a replay is on its way or done.

A letter is written at least once, so one origin may have several that say the same.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError
from aiokafka.errors import KafkaError as KafkaError
from msgspec import Struct
from msgspec.structs import replace

from runhistory.kafka.clients import close, open_consumer, open_producer
from runhistory.kafka.replay import read_to_end
from runhistory.kafka.topics import MAX_MESSAGE_BYTES, load_topics, partitions_of

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord

    Record = ConsumerRecord[bytes, bytes]

SUFFIX: Final = ".dlq"
REASON: Final = "reason"
ORIGIN: Final = "origin"
BURIED: Final = "buried"
REPLAY: Final = "replay"
OWN_HEADERS: Final = frozenset({REASON, ORIGIN, BURIED, REPLAY})
"""What a letter or replay says beside the headers of its record."""

MAX_LETTER_BYTES: Final = MAX_MESSAGE_BYTES + 65_536
"""Room for the largest record and what is said of it."""

SINK_GROUP: Final = "sink"


class Letter(Struct, frozen=True, kw_only=True):
    """A record that could not be stored, by its `origin`, and what has become of it.

    `written` is the record's own time in Kafka. `replayed` is when it was last given to the sink
    again, None while it is open. `times` counts how often it was refused. `offset` is the place of
    its last record in `<topic>.dlq`.
    """

    topic: str
    origin: str
    written: datetime
    buried: datetime | None
    reason: str
    key: str
    bytes: int
    times: int
    replayed: datetime | None
    offset: int


Outcome = Literal["stored", "refused", "waiting"]


class Replayed(Struct, frozen=True, kw_only=True):
    """What came of a replay. `waiting`: the sink has not come to it yet, and will."""

    origin: str
    outcome: Outcome
    reason: str = ""


def letter_topics() -> list[str]:
    """The topics that have dead letters, without the suffix."""
    return [name.removesuffix(SUFFIX) for name in load_topics() if name.endswith(SUFFIX)]


async def read_letters(bootstrap: str, topics: Sequence[str]) -> list[Letter]:
    """Every dead letter of `topics`, the replayed ones too, in the order of their topics' logs.

    Raises:
        aiokafka.errors.KafkaError: no broker answers.
    """
    found: dict[str, Letter] = {}
    async with _consumer(bootstrap, topics) as consumer:
        for topic in topics:
            async for record in _records(consumer, topic):
                letter = _fold(found.get(_header(record, ORIGIN)), topic, record)
                found[letter.origin] = letter
    return list(found.values())


async def read_record(bootstrap: str, letter: Letter) -> "Record":
    """The record itself, with the headers of its letter.

    Raises:
        aiokafka.errors.KafkaError: no broker answers.
    """
    async with _lying(bootstrap, [letter]) as records:
        async for _, record in records:
            return record
    raise RuntimeError(f"{letter.topic}{SUFFIX} has no offset {letter.offset} any more")


async def replay(
    bootstrap: str,
    letters: Sequence[Letter],
    patience: float,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Replayed]:
    """Ask the sink to store these again, and wait up to `patience` seconds for what comes of it.

    `progress` is told of bytes sent, and of how many in all. Whoever is interrupted asks again: a
    record that is stored twice is seen once.

    Raises:
        aiokafka.errors.KafkaError: no broker answers; some may have been asked for.
    """
    asked = await _ask(bootstrap, letters, progress)
    passed = await _passed(bootstrap, asked, patience)
    again: dict[str, str] = {}
    topics = {letter.topic for letter in letters}
    async with _consumer(bootstrap, topics) as consumer:
        for topic in topics:
            begin = min(asked[one.origin][1] for one in letters if one.topic == topic)
            async for record in _records(consumer, topic, begin):
                if _is_letter(record):
                    again[_header(record, ORIGIN)] = _header(record, REASON)
    return [_outcome(letter, again, asked[letter.origin][0] in passed) for letter in letters]


def _outcome(letter: Letter, again: dict[str, str], is_passed: bool) -> Replayed:
    if letter.origin in again:
        return Replayed(origin=letter.origin, outcome="refused", reason=again[letter.origin])
    return Replayed(origin=letter.origin, outcome="stored" if is_passed else "waiting")


async def _ask(
    bootstrap: str, letters: Sequence[Letter], progress: Callable[[int, int], None]
) -> dict[str, tuple[TopicPartition, int]]:
    """Append a replay for each letter; where it lies, by origin."""
    done, total = 0, sum(letter.bytes for letter in letters)
    asked: dict[str, tuple[TopicPartition, int]] = {}
    producer = await open_producer(
        bootstrap,
        client_id="dead-letters",
        compression="zstd",
        max_request_size=MAX_LETTER_BYTES,
    )
    try:
        async with _lying(bootstrap, letters) as records:
            async for letter, record in records:
                sent = await producer.send_and_wait(
                    f"{letter.topic}{SUFFIX}",
                    record.value,
                    key=record.key,
                    timestamp_ms=record.timestamp,
                    headers=_replay_headers(record),
                )
                place = TopicPartition(sent.topic, sent.partition)
                asked[letter.origin] = (place, sent.offset)
                done += letter.bytes
                progress(done, total)
    finally:
        await close(producer)
    return asked


def _replay_headers(record: "Record") -> list[tuple[str, bytes]]:
    kept = [(name, value) for name, value in record.headers if name not in OWN_HEADERS]
    origin = (ORIGIN, _header(record, ORIGIN).encode())
    return [*kept, origin, (REPLAY, datetime.now(UTC).isoformat().encode())]


async def _passed(
    bootstrap: str, asked: dict[str, tuple[TopicPartition, int]], patience: float
) -> set[TopicPartition]:
    """The partitions that the sink has read to the end of what was asked, within `patience`."""
    due: dict[TopicPartition, int] = {}
    for place, offset in asked.values():
        due[place] = max(offset, due.get(place, -1))
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, client_id="dead-letters")
    await admin.start()
    try:
        deadline = asyncio.get_running_loop().time() + patience
        while True:
            try:
                committed = await admin.list_consumer_group_offsets(SINK_GROUP)
            except GroupCoordinatorNotAvailableError:  # nobody has ever been in the group
                committed = {}
            passed = {p for p, o in due.items() if p in committed and committed[p].offset > o}
            if passed == set(due) or asyncio.get_running_loop().time() > deadline:
                return passed
            await asyncio.sleep(0.2)
    finally:
        await admin.close()


def _fold(before: Letter | None, topic: str, record: "Record") -> Letter:
    """The letter after one more record about it."""
    if before is not None and not _is_letter(record):
        replayed = _time(_header(record, REPLAY))
        return replace(before, replayed=replayed, offset=record.offset)
    return Letter(
        topic=topic,
        origin=_header(record, ORIGIN),
        written=datetime.fromtimestamp(record.timestamp / 1000, UTC),
        buried=_time(_header(record, BURIED)),
        reason=_header(record, REASON),
        key=(record.key or b"").decode("utf-8", "backslashreplace"),
        bytes=len(record.value or b""),
        times=_times(before),
        replayed=None if _is_letter(record) else _time(_header(record, REPLAY)),
        offset=record.offset,
    )


def _times(before: Letter | None) -> int:
    """A repetition of a letter that nobody has replayed since says nothing new."""
    if before is None:
        return 1
    return before.times + (before.replayed is not None)


def _is_letter(record: "Record") -> bool:
    return all(name != REPLAY for name, _ in record.headers)


def _header(record: "Record", name: str) -> str:
    """The last header of that name: those before it are the record's own."""
    found = [value for own, value in record.headers if own == name]
    return found[-1].decode("utf-8", "replace") if found else ""


def _time(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


@asynccontextmanager
async def _lying(
    bootstrap: str, letters: Sequence[Letter]
) -> AsyncIterator[AsyncIterator[tuple[Letter, "Record"]]]:
    """The letters, each with its record, topic by topic in the order of the log."""
    by_topic: dict[str, dict[int, Letter]] = {}
    for letter in letters:
        by_topic.setdefault(letter.topic, {})[letter.offset] = letter

    async def each() -> AsyncIterator[tuple[Letter, "Record"]]:
        for topic, wanted in by_topic.items():
            async for record in _records(consumer, topic, min(wanted)):
                if record.offset in wanted:
                    yield wanted.pop(record.offset), record
                if not wanted:
                    break

    async with _consumer(bootstrap, list(by_topic)) as consumer:
        yield each()


@asynccontextmanager
async def _consumer(bootstrap: str, topics: Iterable[str]) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer that has the topics' letters assigned and reads nothing yet."""
    consumer = await open_consumer(
        bootstrap, client_id="dead-letters", max_partition_fetch_bytes=MAX_LETTER_BYTES
    )
    try:
        places = [place for topic in topics for place in partitions_of(f"{topic}{SUFFIX}")]
        consumer.assign(places)
        consumer.pause(*places)
        yield consumer
    finally:
        await close(consumer)


async def _records(
    consumer: AIOKafkaConsumer, topic: str, start: int = 0
) -> AsyncIterator["Record"]:
    for place in partitions_of(f"{topic}{SUFFIX}"):
        async for record in read_to_end(consumer, place, start):
            yield record
