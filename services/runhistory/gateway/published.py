"""A record of the log as subscribers are given it: looked at once, encoded once, shared by all."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final

import msgspec
from aiokafka import TopicPartition
from msgspec import Struct

from runhistory.events.cloudevents import MalformedRecord, attribute
from runhistory.events.codec import Watermark

if TYPE_CHECKING:
    from runhistory.kafka.replay import Record

_ATTRIBUTES: Final = ("id", "source", "type", "subject", "time", "dataschema")


class _Envelope(Struct):
    """What all data of ours have; events of runs know their experiment too."""

    workspace: str
    run_id: str = ""
    experiment_id: str = ""


_decoder: Final = msgspec.json.Decoder(_Envelope)


class Published:
    """One record that may be published: where it lies, whose it is, and its message."""

    def __init__(self, record: "Record") -> None:
        """
        Raises:
            MalformedRecord: it is no event of ours; the sink says so where somebody looks.
        """
        self.place = TopicPartition(record.topic, record.partition)
        self.offset: int = record.offset
        self._headers: Sequence[tuple[str, bytes]] = record.headers
        self.value: bytes = record.value or b""
        self.type = attribute(self._headers, "type")
        try:
            envelope = _decoder.decode(self.value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise MalformedRecord(str(error)) from error
        self.workspace, self.run_id = envelope.workspace, envelope.run_id
        self.owners = {envelope.experiment_id, envelope.run_id}

    @property
    def size(self) -> int:
        """About so many bytes it takes."""
        return len(self.value) + 500

    @cached_property
    def message(self) -> bytes:
        """The lines `event` and `data` of a server-sent event: a CloudEvent in JSON."""
        attributes = {"specversion": "1.0"}
        attributes |= {name: attribute(self._headers, name) for name in _ATTRIBUTES}
        attributes["datacontenttype"] = "application/json"
        attributes["watermark"] = self.watermark
        head = msgspec.json.encode(attributes)
        return b'event: %b\ndata: %b,"data":%b}\n\n' % (self.type.encode(), head[:-1], self.line)

    @property
    def watermark(self) -> str:
        """Where the event lies; a read that carries it sees the event."""
        return str(Watermark(self.place.topic, self.place.partition, self.offset))

    @property
    def line(self) -> bytes:
        """What it says, as one line of JSON: an end of line can only stand between values."""
        return self.value.replace(b"\r", b" ").replace(b"\n", b" ")
