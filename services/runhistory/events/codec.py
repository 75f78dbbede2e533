"""Commands, events and replies to Kafka records and back."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, ClassVar, Final, Literal, TypeVar

import msgspec
import msgspec.inspect
from msgspec import Meta, Struct

from runhistory.domain.commands import COMMANDS, Command
from runhistory.domain.events import EVENTS, Event
from runhistory.domain.status import RunStatus
from runhistory.domain.values import Attempt, CommandId, Name, RunId, Text, Workspace
from runhistory.events import cloudevents, tolerance
from runhistory.events.cloudevents import MalformedRecord, Record

LIFECYCLE_SOURCE: Final = "runhistory/lifecycle"

T = TypeVar("T")


class Watermark(Struct, frozen=True):
    """A place in the log. A read that carries it waits until the sink has passed it."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"

    @classmethod
    def parse(cls, text: str) -> "Watermark":
        """The opposite of `str`.

        Raises:
            ValueError: it has another form.
        """
        match text.rsplit("/", 2):
            case [topic, partition, offset] if (
                topic and partition.isdecimal() and offset.isdecimal()
            ):
                return cls(topic, int(partition), int(offset))
        raise ValueError(f"a watermark has the form topic/partition/offset, not {text!r}")


class Reply(Struct, frozen=True, kw_only=True):
    """The lifecycle's answer to one command, on the topic run.replies. Exactly one for each.

    `deleted` says that the run is, by this command or by one before it.
    """

    TYPE: ClassVar[str] = "command.replied.v1"

    workspace: Workspace
    run_id: RunId
    command_id: CommandId
    outcome: Literal["accepted", "unchanged", "refused"]
    time: Annotated[datetime, Meta(tz=True)]
    version: Annotated[int, Meta(ge=0)] = 0
    status: RunStatus | None = None
    attempt: Attempt = 0
    deleted: bool = False
    code: Name | None = None
    message: Text | None = None
    watermark: str | None = None


_encoder: Final = msgspec.json.Encoder()
_command_decoders: Final = {name: msgspec.json.Decoder(type) for name, type in COMMANDS.items()}
_event_decoders: Final = {name: msgspec.json.Decoder(type) for name, type in EVENTS.items()}
_reply_decoder: Final = msgspec.json.Decoder(Reply)


def encode_command(command: Command, source: str) -> Record:
    """A command as a record; `source` says which service or client sent it."""
    return Record(
        key=command.run_id.encode(),
        headers=cloudevents.headers(
            id=command.command_id,
            type=command.TYPE,
            source=source,
            subject=command.run_id,
            time=datetime.now(UTC),
        ),
        value=_encoder.encode(command),
    )


def decode_command(headers: Sequence[tuple[str, bytes]], value: bytes) -> Command:
    """The opposite of `encode_command`.

    Raises:
        MalformedRecord: an unknown type, or data that does not fit it.
    """
    return _decode(_command_decoders, headers, value)


def encode_event(event: Event) -> Record:
    """An event as a record. Every header follows from the event: no fact is said twice."""
    return Record(
        key=event.run_id.encode(),
        headers=cloudevents.headers(
            id=event.event_id,
            type=event.TYPE,
            source=LIFECYCLE_SOURCE,
            subject=event.run_id,
            time=event.time,
        ),
        value=_encoder.encode(event),
    )


def decode_event(headers: Sequence[tuple[str, bytes]], value: bytes) -> Event:
    """The opposite of `encode_event`. Fields that a newer writer added are passed over.

    Raises:
        MalformedRecord: an unknown type, or data that does not fit it.
    """
    return decode_event_data(cloudevents.attribute(headers, "type"), value)


def decode_event_data(type: str, data: bytes | str) -> Event:
    """An event from its type and its data, as a projection keeps them.

    Raises:
        MalformedRecord: an unknown type, or data that does not fit it.
    """
    try:
        return _decode_data(_event_decoders, type, data)
    except MalformedRecord:
        if type not in EVENTS:
            raise
    return _decode_pruned(EVENTS[type], data)


def _decode_pruned(event: type[Event], data: bytes | str) -> Event:
    """The event in data that may hold names of a newer writer; see tolerance.py."""
    try:
        known = tolerance.prune(msgspec.json.decode(data), msgspec.inspect.type_info(event))
        return msgspec.convert(known, event)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedRecord(f"{event.TYPE}: {error}") from error


def encode_reply(reply: Reply) -> Record:
    """A reply as a record."""
    return Record(
        key=reply.run_id.encode(),
        headers=cloudevents.headers(
            id=f"reply:{reply.command_id}",
            type=Reply.TYPE,
            source=LIFECYCLE_SOURCE,
            subject=reply.run_id,
            time=reply.time,
        ),
        value=_encoder.encode(reply),
    )


def decode_reply(value: bytes) -> Reply:
    """The opposite of `encode_reply`.

    Raises:
        MalformedRecord: data that does not fit.
    """
    return _decode_data({Reply.TYPE: _reply_decoder}, Reply.TYPE, value)


def _decode(
    decoders: dict[str, msgspec.json.Decoder[T]],
    headers: Sequence[tuple[str, bytes]],
    value: bytes,
) -> T:
    return _decode_data(decoders, cloudevents.attribute(headers, "type"), value)


def _decode_data(decoders: dict[str, msgspec.json.Decoder[T]], type: str, data: bytes | str) -> T:
    try:
        return decoders[type].decode(data)
    except KeyError:
        raise MalformedRecord(f"unknown type {type!r}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedRecord(f"{type}: {error}") from error
