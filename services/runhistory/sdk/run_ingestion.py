"""The part of `Run` that asks whether everything arrived."""

from typing import Any

import msgspec

from runhistory.domain.ingestion import Ingestion
from runhistory.sdk.run_logging import RunLogging


def as_ingestion(answer: dict[str, Any]) -> Ingestion:
    """The gateway's answer with its types; what a newer one added is passed over."""
    return msgspec.convert(answer, Ingestion)


class RunIngestion(RunLogging):
    """What the server has of what was logged."""

    def get_ingestion(self) -> Ingestion:
        """Did everything arrive? Each writer's batches: how many are stored, which numbers are
        missing below the last one, and which came with several contents under one number.

            arrived = run.get_ingestion()
            if not arrived.is_whole:
                for writer in arrived.writers:
                    print(writer.attempt, writer.writer, writer.missing, writer.changed)

        What this process has logged is sent first. A batch that is missing may still be on its
        way, or wait with a process that cannot reach the gateway. What is missing behind a
        writer's last batch only that writer can tell.

        Raises:
            FlushTimeout: what this process has logged could not be sent.
            Unavailable: the gateway does not answer.
        """
        self.flush()
        return as_ingestion(self._client.ingestion())
