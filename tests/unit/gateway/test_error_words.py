"""What the gateway says to a value that cannot be: a sentence for people, never a pattern."""

from typing import Annotated

import pytest
from litestar import Litestar, get
from litestar.exceptions import HTTPException
from litestar.params import QueryParameter
from litestar.testing import TestClient

from runhistory.domain.values import RunId
from runhistory.events.strict_json import NotStrictJson
from runhistory.gateway.errors import respond, translate
from runhistory.gateway.parameters import ParentQuery
from runhistory.gateway.wire import DigestParameter, RunIdParameter, WorkspaceParameter


@get("/events")
async def of_events(
    runs: Annotated[list[RunId] | None, QueryParameter(name="run", description="ids")] = None,
) -> None: ...


@get("/children")
async def of_children(parent: ParentQuery = None) -> None: ...


@get("/runs/{run_id:str}")
async def of_run(run_id: RunIdParameter) -> None: ...


@get("/blobs/{digest:str}")
async def of_blob(digest: DigestParameter) -> None: ...


@get("/workspaces/{workspace:str}")
async def of_workspace(workspace: WorkspaceParameter) -> None: ...


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/events?run=zzz", "run: Expected a run id, which is 32 hex digits"),
        ("/children?parent=zzz", "parent: Expected a run id, which is 32 hex digits"),
        ("/runs/zzz", "run_id: Expected a run id, which is 32 hex digits"),
        ("/blobs/zzz", "digest: Expected a SHA-256, which is 64 hex digits"),
        ("/workspaces/-x", "workspace: Expected a name of letters, digits"),
    ],
)
def test_a_parameter_that_cannot_be_is_told_in_words(path: str, says: str) -> None:
    app = Litestar(
        [of_events, of_children, of_run, of_blob, of_workspace],
        exception_handlers={HTTPException: respond},
        openapi_config=None,
    )
    with TestClient(app) as client:
        answer = client.get(path)
    assert answer.status_code == 400
    message = answer.json()["error"]["message"]
    assert message.startswith(says)
    assert "regex" not in message


def test_so_is_a_body() -> None:
    pattern = "^[0-9a-f]{32}$(?!\\n)"
    raw = NotStrictJson(f"Expected `str` matching regex {pattern!r} - at `$.run_id`")
    message = translate("/runs", raw).message
    assert "Expected a run id, which is 32 hex digits - at `$.run_id`" in message
