"""Code and contract say the same, in both directions: types, schemas, examples and topics."""

import copy
import json
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from runhistory.domain.commands import COMMANDS
from runhistory.domain.events import EVENTS
from runhistory.events import schemas
from runhistory.events.cloudevents import MalformedRecord
from runhistory.events.contract import schemas_directory
from runhistory.events.node_events import NODE_EVENTS
from runhistory.events.schemas import MESSAGES
from tests.support import wire
from tests.support.wire import Json
from tests.support.wire_strategies import values_of

TYPES = sorted(MESSAGES)
CASES = [
    pytest.param(type, name, id=f"{type}/{name}") for type in TYPES for name in wire.examples(type)
]


def test_checked_in_schemas_are_what_the_types_say() -> None:
    assert schemas.differences() == []


def test_examples_belong_to_types_and_every_type_has_two() -> None:
    folders = {folder.name for folder in wire.EXAMPLES.iterdir()}
    assert folders == set(MESSAGES)
    assert {type: len(wire.examples(type)) for type in TYPES if len(wire.examples(type)) < 2} == {}


@pytest.mark.parametrize("type", TYPES)
def test_a_schema_stands_alone(type: str) -> None:
    schema = wire.schema(type)
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:runhistory:schema:{type}"
    assert schema["title"] == MESSAGES[type].__name__
    assert schema["description"].strip()
    assert {ref for ref in references(schema) if not ref.startswith("#/$defs/")} == set()


def references(node: Json) -> Iterator[str]:
    for name, value in node.items() if isinstance(node, dict) else enumerate(node):
        if name == "$ref":
            yield value
        elif isinstance(value, dict | list):
            yield from references(value)


@pytest.mark.parametrize("type", TYPES)
def test_commands_are_closed_and_all_else_is_open(type: str) -> None:
    assert ('"additionalProperties": false' in json.dumps(wire.schema(type))) == (type in COMMANDS)


@pytest.mark.parametrize(("type", "name"), CASES)
def test_examples_fit_their_schema(type: str, name: str) -> None:
    wire.validator(type).validate(wire.examples(type)[name])


@pytest.mark.parametrize(("type", "name"), CASES)
def test_examples_survive_the_real_decoder(type: str, name: str) -> None:
    """Nothing is lost or changed; what was left out comes back as the schema's default."""
    example = wire.examples(type)[name]
    message = wire.decode(type, json.dumps(example).encode())
    again = json.loads(msgspec.json.encode(message))
    assert example == without_defaults(again, example)
    wire.validator(type).validate(again)
    assert wire.decode(type, json.dumps(again).encode()) == message


def without_defaults(encoded: Json, example: Json) -> Json:
    """`encoded` less the members that the example leaves out and that say nothing."""
    if isinstance(encoded, dict) and isinstance(example, dict):
        return {
            name: without_defaults(value, example.get(name))
            for name, value in encoded.items()
            if name in example or not is_default(name, value)
        }
    if isinstance(encoded, list) and isinstance(example, list) and len(encoded) == len(example):
        return [without_defaults(*pair) for pair in zip(encoded, example, strict=True)]
    return encoded


def is_default(name: str, value: Json) -> bool:
    known = {
        "compute_target": "local",
        "content_type": "application/octet-stream",
        "resources": {"slots": 1, "gpus": 0},
        "slots": 1,
        "pool": {"min_nodes": 0, "max_nodes": 1, "idle_seconds": 120, "slots": 1},
        "max_nodes": 1,
        "idle_seconds": 120,
        "environment": {
            "name": "",
            "requirements": None,
            "python_version": None,
            "lock_sha256": None,
            "variables": {},
        },
    }
    return value in ("", None, {}, [], 0) if name not in known else value == known[name]


@given(st.data())
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@pytest.mark.parametrize("type", TYPES)
def test_whatever_the_code_can_say_the_schema_allows(type: str, data: st.DataObject) -> None:
    message = data.draw(values_of(MESSAGES[type]))
    encoded = msgspec.json.encode(message)
    wire.validator(type).validate(json.loads(encoded))
    assert wire.decode(type, encoded) == message


INSTEAD: tuple[Json, ...] = (
    None,
    True,
    -1,
    0,
    1.5,
    2**31,
    2**53 + 1,
    2**63,
    "",
    "a",
    "a\n",
    "a\x00b",
    "../a",
    "a//b",
    "a\u2028/../b",
    "ä" * 20_000,
    [],
    [None],
    {},
    {"": ""},
    {"a": None},
    {"a\n": "b"},
)


@pytest.mark.parametrize("type", TYPES)
def test_schema_and_decoder_refuse_alike(type: str) -> None:
    """At every place of the fullest example, every member gone and every other value."""
    fullest = max(wire.examples(type).values(), key=lambda example: len(json.dumps(example)))
    for place, changed in mutations(fullest):
        by_schema = wire.validator(type).is_valid(changed)
        assert by_schema == decodes(type, changed), f"{place}: the schema says {by_schema}"


def mutations(example: Json) -> Iterator[tuple[str, Json]]:
    for path in paths(example):
        for instead in INSTEAD:
            yield f"{path} = {str(instead)[:20]!r}", changed_at(example, path, instead)
        if isinstance(path[-1], str):
            yield f"{path} gone", changed_at(example, path, GONE)


GONE = object()


def paths(node: Json, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    children: Iterable[tuple[Any, Json]] = node.items() if isinstance(node, dict) else ()
    if isinstance(node, list):
        children = list(enumerate(node))[:2]
    for name, child in children:
        yield from paths(child, (*path, name))


def changed_at(example: Json, path: tuple[Any, ...], value: Json) -> Json:
    changed = copy.deepcopy(example)
    place = changed
    for name in path[:-1]:
        place = place[name]
    if value is GONE:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return changed


def decodes(type: str, message: Json) -> bool:
    try:
        wire.decode(type, json.dumps(message).encode())
    except (msgspec.ValidationError, MalformedRecord):
        return False
    return True


def structs_in(type: str) -> Iterator[tuple[Any, ...]]:
    """Where objects with fixed names stand in the fullest example."""
    fullest = max(wire.examples(type).values(), key=lambda example: len(json.dumps(example)))
    yield ()
    for path in paths(fullest):
        if path[-1] in ("content", "spec", "environment", "resources", "error"):
            yield path
        if len(path) > 1 and path[-2] == "files":
            yield path


@pytest.mark.parametrize("type", TYPES)
def test_a_name_of_tomorrow_stops_commands_and_nothing_else(type: str) -> None:
    fullest = max(wire.examples(type).values(), key=lambda example: len(json.dumps(example)))
    known = wire.decode(type, json.dumps(fullest).encode())
    for path in structs_in(type):
        changed = changed_at(fullest, (*path, "name_of_tomorrow"), {"deep": [1]})
        assert wire.validator(type).is_valid(changed) == (type not in COMMANDS)
        if type in COMMANDS:
            assert not decodes(type, changed)
        else:
            assert wire.decode(type, json.dumps(changed).encode()) == known


def test_no_type_is_said_twice() -> None:
    assert len(MESSAGES) == len(COMMANDS) + len(EVENTS) + len(NODE_EVENTS) + 5


def test_check_names_a_file_that_differs(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schemas, "schemas_directory", lambda: tmp_path)
    schemas.write()
    assert schemas.differences() == []
    (tmp_path / "events" / "run.old.v1.schema.json").write_text("{}")
    (tmp_path / "events" / "run.created.v1.schema.json").unlink()
    (tmp_path / "events" / "run.failed.v1.schema.json").write_text("{}")
    assert schemas.differences() == [
        "run.created.v1.schema.json",
        "run.failed.v1.schema.json",
        "run.old.v1.schema.json",
    ]


def test_the_contract_is_found() -> None:
    assert (schemas_directory() / "topics.yaml").is_file()
