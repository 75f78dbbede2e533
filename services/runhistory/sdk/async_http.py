"""The asynchronous way to the gateway; what an answer means is the blocking one's (endpoint.py)."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from runhistory.sdk import http
from runhistory.sdk.address import Address
from runhistory.sdk.endpoint import Endpoint, limits, load_httpx, without_none
from runhistory.sdk.errors import Unavailable
from runhistory.sdk.run_client import FILE_SECONDS

if TYPE_CHECKING:
    import httpx


class AsyncConnection(Endpoint):
    """The connection to one gateway and workspace, for one event loop. Close it in the end."""

    def __init__(self, address: Address) -> None:
        super().__init__(address)
        self._client: httpx.AsyncClient = self.new_client("AsyncClient")

    async def get(self, path: str, **query: Any) -> Any:
        """The JSON at `path` (below the workspace), as new as this connection's own writes.

        Raises:
            Unavailable: no useful answer within PATIENCE seconds.
            RunHistoryError: the answer is an error; the subclass follows its HTTP status.
        """
        query["watermark"] = watermarks = self.watermarks()
        answer = await self._patiently("GET", path, params=without_none(query))
        self.forget(watermarks)
        return orjson.loads(answer.content)

    async def read(self, path: str) -> bytes:
        """The bytes at `path`, in memory. Raises as `get`."""
        return (await self._patiently("GET", path, timeout=limits(FILE_SECONDS))).content

    async def ask(self, path: str, content: Any, *, answer_within: float = 30.0) -> Any:
        """The answer to a question that needs a body: it changes nothing. Raises as `get`."""
        answer = await self._patiently(
            "POST",
            path,
            content=msgspec.json.encode(content),
            headers={"content-type": "application/json"},
            timeout=limits(answer_within),
        )
        return orjson.loads(answer.content)

    @asynccontextmanager
    async def stream(
        self, path: str, *, headers: dict[str, str], silence: float, **query: Any
    ) -> AsyncGenerator["httpx.Response", None]:
        """The answer to a GET with its body still unread; one try, errors as in `get`.

        When nothing comes for `silence` seconds, the gateway counts as away.
        """
        httpx = load_httpx()
        try:
            async with self._client.stream(
                "GET",
                self.url(path),
                params=without_none(query),
                headers=headers,
                timeout=limits(silence),
            ) as response:
                if response.status_code >= 400:
                    await response.aread()
                yield self.checked(response)
        except httpx.RequestError as error:
            raise self.unavailable(error) from error

    async def close(self) -> None:
        """Close the sockets."""
        await self._client.aclose()

    async def _patiently(self, method: str, path: str, **request: Any) -> "httpx.Response":
        httpx = load_httpx()
        began, pause = time.monotonic(), 0.05
        while True:
            try:
                return self.checked(await self._client.request(method, self.url(path), **request))
            except httpx.RequestError as error:
                trouble = self.unavailable(error)
            except Unavailable as error:
                trouble = error
            pause = http.next_pause(pause)
            if time.monotonic() - began + pause > http.patience_for(trouble, http.PATIENCE):
                raise trouble
            await asyncio.sleep(pause)
