"""Whatever is sent, the gateway answers as its OpenAPI document says, and never with 500."""

import json
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
)

from runhistory.events.contract import schemas_directory
from tests.support.service_process import ServiceProcess

pytestmark = pytest.mark.infrastructure

schema = schemathesis.openapi.from_path(str(schemas_directory() / "openapi.json"))


@schema.parametrize()
@settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_any_request_is_answered_as_documented(
    case: schemathesis.Case, gateway: ServiceProcess
) -> None:
    case.query.pop("watermark", None)  # waits 10 s for a place that no log has
    if case.path.endswith("/events"):
        case.query["follow"] = "false"  # or the answer has no end
    answer = case.call(base_url=f"http://127.0.0.1:{gateway.port}", timeout=30)
    case.validate_response(
        answer,
        checks=[not_a_server_error, response_schema_conformance, content_type_conformance],
    )
    if answer.status_code >= 400:
        body: dict[str, Any] = json.loads(answer.content)
        assert set(body) == {"error"}
        assert set(body["error"]) == {"code", "message", "details"}
