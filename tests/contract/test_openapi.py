"""schemas/openapi.json is what the gateway says of itself, and is a document worth reading."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from runhistory.events.contract import schemas_directory
from runhistory.gateway.app import create_app

CHECKED_IN = schemas_directory() / "openapi.json"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(CHECKED_IN.read_bytes())
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_it_is_what_the_code_says() -> None:
    assert create_app().state.openapi == CHECKED_IN.read_bytes(), (
        "write it anew with `python -m runhistory.gateway.openapi` and look at the difference"
    )


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for reference in references(document):
        assert reference.removeprefix("#/components/schemas/") in schemas


def test_operations_have_unique_readable_ids(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(ids)) == len(ids)
    assert all(name == name.lower() and "api_v1" not in name for name in ids)


def test_every_operation_documents_its_errors(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        if not path.startswith("/api/"):
            continue
        for status in ("400", "401", "503"):
            content = operation["responses"][status]["content"]["application/json"]
            assert content["schema"] == {"$ref": "#/components/schemas/ErrorBody"}, (method, path)


def test_bodies_are_described_as_strictly_as_they_are_read(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for _, path, operation in operations(document):
        for media in operation.get("requestBody", {}).get("content", {}).values():
            for reference in references(media):
                name = reference.removeprefix("#/components/schemas/")
                assert schemas[name]["additionalProperties"] is False, (path, name)
    batch = schemas["MetricBatch"]["properties"]
    assert batch["steps"]["items"]["minimum"] == -(2**63)
    assert batch["keys"]["items"]["maxLength"] == 512
