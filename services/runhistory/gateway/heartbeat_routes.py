"""The door for signs of life of attempts that no worker speaks for: interactive runs."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

from litestar import post

from runhistory.events.heartbeat import HEARTBEATS_TOPIC, Heartbeat, encode_heartbeat
from runhistory.gateway.context import GatewayRequest
from runhistory.gateway.wire import AttemptParameter, RunIdParameter, WorkspaceParameter, fails

SOURCE: Final = "runhistory/gateway"


@post(
    "/runs/{run_id:str}/attempts/{attempt:int}/heartbeat",
    status_code=HTTPStatus.ACCEPTED,
    operation_id="send_heartbeat",
    responses=fails(404, 410),
)
async def send_heartbeat(
    request: GatewayRequest,
    workspace: WorkspaceParameter,
    run_id: RunIdParameter,
    attempt: AttemptParameter,
) -> None:
    """Say that an interactive run is alive: every 10 s, or it is called NotResponding after 60 s.

    No body. What is sent for a run that is over changes nothing.
    """
    await request.gateway.attempts.require(workspace, run_id, attempt)
    heartbeat = Heartbeat(
        workspace=workspace,
        run_id=run_id,
        attempt=attempt,
        source=SOURCE,
        time=datetime.now(UTC),
    )
    record = encode_heartbeat(heartbeat)
    await request.gateway.appender.append(HEARTBEATS_TOPIC, run_id, record.value, record.headers)


HANDLERS: Final = (send_heartbeat,)
