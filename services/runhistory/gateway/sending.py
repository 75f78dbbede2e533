"""Send a command to the lifecycle, and say over HTTP what came of it."""

from http import HTTPStatus
from typing import Final

from runhistory.domain.commands import Command, CreateExperiment, CreateRun
from runhistory.events.codec import Reply
from runhistory.gateway.bodies import CommandResult, Outcome
from runhistory.gateway.context import Gateway
from runhistory.gateway.errors import ApiError

_STATUSES: Final = {
    "run_not_found": HTTPStatus.NOT_FOUND,
    "attempt_not_found": HTTPStatus.NOT_FOUND,
    "run_deleted": HTTPStatus.GONE,
}


async def send(gateway: Gateway, command: Command) -> Reply:
    """The lifecycle's reply to a command that it accepted, or that was fulfilled already.

    Raises:
        ApiError: it was refused.
        ReplyTimeout: the outcome is unknown.
    """
    reply = await gateway.commands.send(command)
    if reply.outcome != "refused":
        return reply
    code, message = reply.code or "refused", reply.message or "The command was refused."
    if code == "id_taken" and not isinstance(command, CreateRun | CreateExperiment):
        # Another workspace has the id, which nobody in this one may learn.
        code = "run_not_found"
        message = f"There is no run {command.run_id} in workspace {command.workspace}."
    invalid = HTTPStatus.BAD_REQUEST if code.startswith("invalid_") else HTTPStatus.CONFLICT
    shown = reply.status is not None and code not in {"id_taken", "run_not_found"}
    details = {"status": reply.status} if shown else {}
    raise ApiError(_STATUSES.get(code, invalid), code, message, details)


def outcome_of(reply: Reply) -> Outcome:
    """Whether the command changed something."""
    return "unchanged" if reply.outcome == "unchanged" else "accepted"


def created_status(reply: Reply) -> int:
    """201 for what is new, 200 for what was there."""
    return HTTPStatus.OK if reply.outcome == "unchanged" else HTTPStatus.CREATED


def result_of(reply: Reply) -> CommandResult:
    """The answer to a command to a run."""
    return CommandResult(
        run_id=reply.run_id,
        command_id=reply.command_id,
        outcome=outcome_of(reply),
        status=reply.status,
        version=reply.version,
        attempt=reply.attempt,
        watermark=reply.watermark,
    )
