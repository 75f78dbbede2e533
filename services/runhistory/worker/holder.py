"""What a worker says about a run that it holds: commands, repeated until they are answered.

Each report is one command with one id for as long as it takes, so an answer that got lost does
no harm. A refusal is an answer: the caller looks at it.
"""

import asyncio
from typing import Any

import structlog

from runhistory.domain.commands import (
    AddFiles,
    ClaimRun,
    Command,
    CompleteRun,
    ConfirmCancel,
    FailRun,
    RecordEnvironment,
    ReportExit,
    StartRun,
)
from runhistory.domain.ids import new_command_id
from runhistory.domain.values import FileEntry, ResolvedEnvironment, RunError
from runhistory.events.codec import Reply
from runhistory.kafka.commands import CommandClient, ReplyTimeout

log: Any = structlog.get_logger(__name__)


class Holder:
    """Reports on one run under one claim."""

    def __init__(
        self, client: CommandClient, *, workspace: str, run_id: str, claim_id: str
    ) -> None:
        self._client = client
        self.workspace, self.run_id, self.claim_id = workspace, run_id, claim_id

    async def claim(self, worker_id: str, node: str, gpus: tuple[str, ...]) -> Reply:
        """Offer to run it; `attempt` of an accepted reply is the new attempt's number."""
        return await self._report(
            ClaimRun(
                workspace=self.workspace,
                run_id=self.run_id,
                command_id=self.claim_id,
                claim_id=self.claim_id,
                worker_id=worker_id,
                node=node,
                gpus=gpus,
            )
        )

    async def record_environment(self, environment: ResolvedEnvironment) -> Reply:
        """This is what the script will run in."""
        return await self._report(
            self._make(RecordEnvironment, claim_id=self.claim_id, environment=environment)
        )

    async def start(self) -> Reply:
        """The script is called now."""
        return await self._report(self._make(StartRun, claim_id=self.claim_id))

    async def report_exit(self, exit_code: int | None, signal: str | None) -> Reply:
        """The script ended."""
        return await self._report(
            self._make(ReportExit, claim_id=self.claim_id, exit_code=exit_code, signal=signal)
        )

    async def add_files(self, attempt: int, files: tuple[FileEntry, ...]) -> Reply:
        """These files are in the object store."""
        return await self._report(self._make(AddFiles, attempt=attempt, files=files))

    async def complete(self) -> Reply:
        """It did what it was for."""
        return await self._report(self._make(CompleteRun, claim_id=self.claim_id))

    async def fail(self, error: RunError) -> Reply:
        """It could not do what it was for."""
        return await self._report(self._make(FailRun, claim_id=self.claim_id, error=error))

    async def confirm_cancel(self) -> Reply:
        """Nothing of it runs any more."""
        return await self._report(self._make(ConfirmCancel, claim_id=self.claim_id))

    def _make(self, command: type[Command], **fields: Any) -> Command:
        return command(
            workspace=self.workspace, run_id=self.run_id, command_id=new_command_id(), **fields
        )

    async def _report(self, command: Command) -> Reply:
        while True:
            try:
                reply = await self._client.send(command)
                break
            except ReplyTimeout as error:
                log.warning("report_unanswered", run_id=self.run_id, error=str(error))
                await asyncio.sleep(1)
        if reply.outcome == "refused":
            log.info(
                "report_refused", run_id=self.run_id, command=command.TYPE, message=reply.message
            )
        return reply
