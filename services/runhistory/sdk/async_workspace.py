"""`AsyncWorkspace`: reading and subscribing for programs that run an event loop.

    async with AsyncWorkspace.from_config() as workspace:
        async for event in workspace.events(types="run.completed"):
            print(await workspace.metrics(event.run_id))

Answers are what the gateway says, as dictionaries; requests and errors are `Workspace`'s.
"""

import os
from asyncio import gather, sleep
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self
from urllib.parse import quote

from runhistory.sdk import http, run_metrics
from runhistory.sdk.address import Address, find_address, given_address
from runhistory.sdk.async_http import AsyncConnection
from runhistory.sdk.errors import NobodyAnswers, Unavailable
from runhistory.sdk.event_messages import (
    EVENTS_PATH,
    FIRST_PAUSE,
    SILENCE_SECONDS,
    Asked,
    Event,
    EventReader,
    asked,
    log_interruption,
)
from runhistory.sdk.run_client import LINES_A_PAGE, RECORDS_A_PAGE, path_of

if TYPE_CHECKING:
    from runhistory.sdk.run_facts import RunFacts
    from runhistory.sdk.sql import SqlResult

PAGE: Final = 100


class AsyncWorkspace:
    """A workspace of one gateway, for one event loop. Making one asks nothing of the network.

    Every method raises RunHistoryError as `Workspace` does: `Unavailable` when the gateway does
    not answer, `NotFound`, `InvalidRequest`.

    Args:
        url: the gateway; default RUNHISTORY_URL, else http://127.0.0.1:8780.
        name: the workspace; default `default`.
        token: default RUNHISTORY_TOKEN.
    """

    def __init__(
        self, url: str | None = None, name: str | None = None, token: str | None = None
    ) -> None:
        self._connection = AsyncConnection(given_address(url, name, token))

    @classmethod
    def from_config(cls, path: str | os.PathLike[str] | None = None) -> "AsyncWorkspace":
        """The workspace by `.runhistory/config.json` from here (or `path`) upwards, else by the
        environment, else the default address.

        Raises:
            InvalidConfig: `path` does not exist, or the file is not what it should be.
        """
        return cls.at(find_address(path))

    @classmethod
    def at(cls, address: Address) -> "AsyncWorkspace":
        """The workspace at an address that was found already."""
        workspace = cls.__new__(cls)
        workspace._connection = AsyncConnection(address)
        return workspace

    @property
    def name(self) -> str:
        """The workspace's name."""
        return self._connection.address.workspace

    async def experiments(self) -> list[dict[str, Any]]:
        """The experiments that exist, the last active first."""
        found: list[dict[str, Any]] = (await self._connection.get("/experiments"))["experiments"]
        return found

    async def experiment(self, name: str) -> dict[str, Any]:
        """One experiment.

        Raises:
            NotFound: there is none.
        """
        found: dict[str, Any] = await self._connection.get(f"/experiments/{quote(name)}")
        return found

    async def runs(
        self,
        experiment: str | None = None,
        *,
        type: Literal["script", "interactive"] | None = None,
        tags: dict[str, str] | None = None,
        status: str | None = None,
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Summaries of runs, newest first, fetched page by page as they are asked for."""
        cursor: str | None = None
        wanted = [f"{name}:{value}" for name, value in (tags or {}).items()]
        while True:
            page = await self._connection.get(
                "/runs",
                experiment=experiment,
                type=type,
                tag=wanted,
                status=status,
                limit=PAGE,
                cursor=cursor,
            )
            for summary in page["runs"]:
                yield summary
            cursor = page.get("next_cursor")
            if not cursor:
                return

    async def run(self, run_id: str) -> dict[str, Any]:
        """Everything about a run: status, timeline, tags, properties, params, spec, and more.

        Raises:
            NotFound: there is none.
            InvalidRequest: it is no run id.
        """
        found: dict[str, Any] = await self._connection.get(path_of(run_id))
        return found

    async def metrics(
        self,
        run_id: str,
        name: str | None = None,
        *,
        populate: bool = False,
        attempts: run_metrics.Attempts = "latest",
    ) -> dict[str, Any]:
        """What a run logged, in the shapes of `Run.get_metrics`: numbers, texts, rows, tables,
        images and charts. Without `name` all but the samples of host and GPUs."""
        keys, which = [name] if name is not None else [], run_metrics.as_query(attempts)
        series, records = await gather(
            self._series(run_id, keys, which), self._records(run_id, keys, which)
        )
        if mixed := run_metrics.mixed_keys(series, records, attempts):
            more = await gather(
                self._series(run_id, mixed, "all"), self._records(run_id, mixed, "all")
            )
            series = run_metrics.without(series, mixed) + more[0]
            records = run_metrics.without(records, mixed) + more[1]
        wanted = run_metrics.files_wanted(records, populate=populate)
        files = {file: await self.file(run_id, file) for file in wanted}
        return run_metrics.in_shape(
            series, records, files.__getitem__, populate=populate, latest=attempts == "latest"
        )

    async def ingestion(self, run_id: str) -> dict[str, Any]:
        """Did everything arrive? `is_whole`, and `writers` as `Run.get_ingestion` gives them."""
        found: dict[str, Any] = await self._connection.get(f"{path_of(run_id)}/ingestion")
        return found

    async def lines(self, run_id: str) -> AsyncGenerator[dict[str, Any], None]:
        """The console's lines so far: `line`, `stream`, `time`, `attempt`. Those that are still
        to come are `logs.written.v1` events."""
        cursor: str | None = None
        while True:
            page = await self._connection.get(
                f"{path_of(run_id)}/logs", after=cursor, limit=LINES_A_PAGE
            )
            for line in page["lines"]:
                yield line
            if not page["lines"]:
                return
            cursor = page["cursor"]

    async def files(self, run_id: str) -> list[dict[str, Any]]:
        """The files that a run kept: `name`, `size` (bytes), `sha256`, and more."""
        answer = await self._connection.get(f"{path_of(run_id)}/files")
        found: list[dict[str, Any]] = answer["files"]
        return found

    async def file(self, run_id: str, name: str) -> bytes:
        """A kept file's bytes, in memory.

        Raises:
            NotFound: the run has no such file.
        """
        return await self._connection.read(f"{path_of(run_id)}/files/{quote(name)}")

    async def sql(self, query: str, limit: int = 10_000) -> "SqlResult":
        """The answer to one SELECT over the documented views (docs/sql.md), at most `limit` rows.

        Raises:
            InvalidRequest: it is not allowed, or needs too much; the message says what.
        """
        from runhistory.sdk.sql import ANSWER_SECONDS, SqlResult, warn_if_truncated

        answer = await self._connection.ask(
            "/sql", {"query": query, "limit": limit}, answer_within=ANSWER_SECONDS
        )
        result = SqlResult(answer)
        warn_if_truncated(result, limit)
        return result

    def events(
        self,
        *,
        types: str | Sequence[str] | None = None,
        experiment: str | Sequence[str] | None = None,
        run: "str | RunFacts | Sequence[str | RunFacts] | None" = None,
        from_: str | datetime = "latest",
        follow: bool = True,
    ) -> AsyncGenerator[Event, None]:
        """What happens in the workspace, as it happens; `Workspace.events` says all about it."""
        return self._subscribe(asked(types, experiment, run, from_, follow))

    async def close(self) -> None:
        """Close the sockets."""
        await self._connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"AsyncWorkspace(url={self._connection.address.url!r}, name={self.name!r})"

    async def _series(
        self, run_id: str, keys: list[str], attempt: str | None = None
    ) -> run_metrics.Answer:
        answer = await self._connection.get(
            f"{path_of(run_id)}/metrics", key=keys, attempt=attempt, system="false"
        )
        found: run_metrics.Answer = answer["series"]
        return found

    async def _records(
        self, run_id: str, keys: list[str], attempt: str | None = None
    ) -> run_metrics.Answer:
        found: run_metrics.Answer = []
        cursor: str | None = None
        while True:
            page = await self._connection.get(
                f"{path_of(run_id)}/records",
                key=keys,
                attempt=attempt,
                limit=RECORDS_A_PAGE,
                cursor=cursor,
            )
            found += page["records"]
            cursor = page["next_cursor"]
            if cursor is None:
                return found

    async def _subscribe(self, asked: Asked) -> AsyncGenerator[Event, None]:
        reader, pause = EventReader(), FIRST_PAUSE
        while not reader.has_ended:
            try:
                async with self._connection.stream(
                    EVENTS_PATH, headers=reader.headers(), silence=SILENCE_SECONDS, **asked.query()
                ) as response:
                    pause = FIRST_PAUSE
                    async for chunk in response.aiter_raw():
                        for event in reader.read(chunk):
                            yield event
            except NobodyAnswers:
                raise
            except Unavailable as error:
                log_interruption(error)
            if not reader.has_ended:
                await sleep(pause)
                pause = http.next_pause(pause)
