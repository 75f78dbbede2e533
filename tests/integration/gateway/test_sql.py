"""SQL over HTTP: exact values, limits, errors that say what to do, and a query that dies."""

import uuid

import httpx
import pytest

from tests.support.gateway_world import GatewayClient, batch, error_of

pytestmark = pytest.mark.infrastructure


async def ask(client: GatewayClient, query: str, *watermarks: str, **fields: object) -> dict:  # type: ignore[type-arg]
    answer = await client.http.post(
        "/sql", json={"query": query, **fields}, params={"watermark": list(watermarks)}
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


async def test_rows_are_seen_by_their_watermark(client: GatewayClient) -> None:
    run_id = await client.start()
    watermark = (await client.log(run_id, batch(3))).json()["watermark"]
    found = await ask(client, "SELECT step, value FROM points ORDER BY step", watermark)
    assert found["columns"] == [
        {"name": "step", "type": "Int64"},
        {"name": "value", "type": "Float64"},
    ]
    assert found["rows"] == [[0, 0.5], [1, 0.5], [2, 0.5]]
    assert found["truncated"] is False
    assert found["rows_read"] >= 3
    assert found["elapsed_ms"] > 0
