"""A run with all that is known of it, as JSON: kept where it has not changed, else ClickHouse's.

What is kept is as new as the replies that this gateway has heard (run_cache.py). They come some
milliseconds after the event, before ClickHouse has it; later where Kafka does not answer this
gateway. So nothing that is kept is given once Kafka was silent for HEARING_SECONDS, and a reader
that names a watermark, which another gateway may have given it, is always answered by ClickHouse.
"""

from typing import Any, Final

import msgspec

from runhistory.gateway.reader import Reader
from runhistory.gateway.run_cache import GONE, Answer, RunCache
from runhistory.kafka.commands import CommandClient
from runhistory.query import run_details
from runhistory.query.deleted_runs import RunDeleted

HEARING_SECONDS: Final = 2.0
"""A broker that has nothing new says so twice a second."""

_NOT_WHOLE: Final = -1
"""The place of an answer in which an event is missing that comes before others: never kept."""


class RunReader:
    """`read` from any number of tasks of one event loop; made before `commands` starts."""

    def __init__(self, commands: CommandClient, reader: Reader) -> None:
        self._commands, self._reader = commands, reader
        self._cache = RunCache()
        commands.on_reply.append(self._cache.hear)
        commands.on_follow.append(self._cache.clear)

    async def read(self, workspace: str, run_id: str, *, may_be_kept: bool = True) -> bytes | None:
        """The JSON of the run's RunDetails; None: there is no such run (or it is not visible yet).

        Raises:
            RunDeleted
            EngineUnavailable
        """
        run = (workspace, run_id)
        if may_be_kept and self._commands.hears(run_id, HEARING_SECONDS):
            kept = self._cache.find(run)
            if kept is not None:
                return kept
        try:
            answer = await self._reader.read(_ask, workspace=workspace, run_id=run_id)
        except RunDeleted:
            self._cache.learn(run, GONE)
            raise
        if answer is None:
            return None
        self._cache.learn(run, answer)
        return answer.body


def _ask(client: Any, /, *, workspace: str, run_id: str) -> Answer | None:
    found = run_details.read_run(client, workspace=workspace, run_id=run_id)
    if found is None:
        return None
    offset = found.offset if found.is_whole else _NOT_WHOLE
    return Answer(offset, msgspec.json.encode(found.details))
