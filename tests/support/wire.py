"""The checked-in contract and the real decoders, side by side, for the contract tests."""

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
from jsonschema import Draft202012Validator, FormatChecker

from runhistory.domain.commands import COMMANDS
from runhistory.domain.events import EVENTS
from runhistory.events.codec import Reply, decode_command, decode_event, decode_reply
from runhistory.events.contract import schemas_directory
from runhistory.events.schemas import MESSAGES

Json = Any
EXAMPLES = schemas_directory() / "examples"


@cache
def schema(type: str) -> Json:
    """A type's schema as it is checked in."""
    return json.loads((schemas_directory() / "events" / f"{type}.schema.json").read_text())


@cache
def validator(type: str) -> Draft202012Validator:
    """The checked-in schema's validator; formats are checked too."""
    return Draft202012Validator(schema(type), format_checker=FormatChecker())


def decode(type: str, data: bytes) -> msgspec.Struct:
    """The message as the services read it.

    Raises:
        ValueError, MalformedRecord: it is not one.
    """
    headers = [("ce_type", type.encode())]
    readers: dict[bool, Callable[[], msgspec.Struct]] = {
        type in COMMANDS: lambda: decode_command(headers, data),
        type in EVENTS: lambda: decode_event(headers, data),
        type == Reply.TYPE: lambda: decode_reply(data),
    }
    return readers.get(True, lambda: msgspec.json.decode(data, type=MESSAGES[type]))()


def examples(type: str) -> dict[str, Json]:
    """A type's checked-in examples by file name."""
    return {path.name: json.loads(path.read_text()) for path in sorted((EXAMPLES / type).glob("*"))}
