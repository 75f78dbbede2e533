"""CloudEvents 1.0 over Kafka, binary content mode.

Attributes travel as headers `ce_<name>`, the value is the JSON of the data. Source:
"Kafka Protocol Binding for CloudEvents", version 1.0.2, section 3.2.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from runhistory.events.contract import schema_uri

SPEC_VERSION: Final = b"1.0"
Headers = list[tuple[str, bytes]]


class Record(Struct, frozen=True):
    """One message as it lies in Kafka: the key decides the partition."""

    key: bytes
    headers: Headers
    value: bytes


class MalformedRecord(Exception):
    """A message is not a CloudEvent of ours; it belongs in the dead-letter topic."""


def headers(*, id: str, type: str, source: str, subject: str, time: datetime) -> Headers:
    """The headers of one message; `time` must carry a time zone."""
    return [
        ("ce_specversion", SPEC_VERSION),
        ("ce_id", id.encode()),
        ("ce_type", type.encode()),
        ("ce_source", source.encode()),
        ("ce_subject", subject.encode()),
        ("ce_time", format_time(time).encode()),
        ("ce_dataschema", schema_uri(type).encode()),
        ("content-type", b"application/json"),
    ]


def attribute(headers: Iterable[tuple[str, bytes]], name: str) -> str:
    """The value of one attribute.

    Raises:
        MalformedRecord: it is missing or no UTF-8.
    """
    for key, value in headers:
        if key == f"ce_{name}":
            try:
                return value.decode()
            except UnicodeDecodeError as error:
                raise MalformedRecord(f"attribute {name} is no UTF-8") from error
    raise MalformedRecord(f"attribute {name} is missing")


def format_time(time: datetime) -> str:
    """RFC 3339 in UTC with microseconds: `2026-11-23T19:05:38.000001Z`."""
    text = time.astimezone(UTC).isoformat(timespec="microseconds")
    return text.removesuffix("+00:00") + "Z"
