"""schemas/asyncapi.yaml is what the code says, complete, and its references lead somewhere."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from runhistory.domain.commands import COMMANDS
from runhistory.events.contract import schemas_directory
from runhistory.events.schemas import MESSAGES
from runhistory.kafka import asyncapi
from runhistory.kafka.topics import load_topics

CHECKED_IN = schemas_directory() / "asyncapi.yaml"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(CHECKED_IN.read_text("utf-8"))
    return found


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def resolved(document: dict[str, Any], reference: str) -> Any:
    """What a reference means: a place in the document, or a file beside it."""
    if not reference.startswith("#/"):
        return json.loads((CHECKED_IN.parent / reference).read_bytes())
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def test_it_is_what_the_code_says() -> None:
    assert CHECKED_IN.read_text("utf-8") == asyncapi.render(), "run `make schemas`"


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    found = list(references(document))
    assert len(found) > 3 * len(MESSAGES)
    for reference in found:
        assert resolved(document, reference)


def test_every_topic_is_a_channel_with_exactly_its_messages(document: dict[str, Any]) -> None:
    assert set(document["channels"]) == set(load_topics())
    for name, topic in load_topics().items():
        channel = document["channels"][name]
        assert channel["address"] == channel["bindings"]["kafka"]["topic"] == name
        assert channel["bindings"]["kafka"]["partitions"] == topic.partitions
        assert tuple(channel["messages"]) == topic.types


def test_every_message_has_its_schema_and_examples_that_fit_it(document: dict[str, Any]) -> None:
    messages = document["components"]["messages"]
    assert set(messages) == set(MESSAGES)
    for type, message in messages.items():
        schema = resolved(document, message["payload"]["schema"]["$ref"])
        assert schema["$id"] == message["x-dataschema"]
        assert message["summary"]
        assert message["examples"], type
        for example in message["examples"]:
            data = resolved(document, example["payload"]["$ref"])
            Draft202012Validator(schema).validate(data)


def test_wishes_are_received_and_all_else_is_sent(document: dict[str, Any]) -> None:
    told = {
        one["channel"]["$ref"].removeprefix("#/channels/"): one["action"]
        for one in document["operations"].values()
    }
    assert set(told) == {name for name, topic in load_topics().items() if topic.types}
    for name, action in told.items():
        assert (action == "receive") is bool(set(load_topics()[name].types) & set(COMMANDS))
