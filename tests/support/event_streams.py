"""A subscriber that speaks bare HTTP: what is on the wire, without the SDK's help."""

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx

from tests.support.gateway_world import GatewayClient

Json = dict[str, Any]


class Message(NamedTuple):
    """One server-sent event, and when it came (seconds, by this process's clock)."""

    id: str
    type: str
    event: Json
    arrived: float

    @property
    def data(self) -> Json:
        found: Json = self.event["data"]
        return found


class Stream:
    """One connection. `messages` are those with data; `position` is the last id, as a browser's."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.position = ""
        self.has_ended = False
        self._changed = asyncio.Condition()

    async def until(self, is_true: Callable[["Stream"], bool], seconds: float = 20) -> None:
        """Wait until something is true of what has come."""
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(lambda: is_true(self))
        except TimeoutError:
            raise AssertionError(f"it never came true of {self.messages[-5:]}") from None

    async def has(self, count: int) -> list[Message]:
        """The messages, when there are so many."""
        await self.until(lambda stream: len(stream.messages) >= count)
        return self.messages

    async def read(self, response: httpx.Response) -> None:
        rest = b""
        async for chunk in response.aiter_raw():
            *blocks, rest = (rest + chunk).split(b"\n\n")
            async with self._changed:
                for block in blocks:
                    self._take(block)
                self._changed.notify_all()

    def _take(self, block: bytes) -> None:
        fields = dict(line.decode().split(": ", 1) for line in block.split(b"\n"))
        self.position = fields.get("id", self.position)
        if fields.get("event") == "end":
            self.has_ended = True
        elif "data" in fields:
            event = json.loads(fields["data"])
            self.messages.append(Message(self.position, fields["event"], event, time.time()))


@asynccontextmanager
async def subscribed(
    client: GatewayClient, last_event_id: str = "", path: str = "/events", **query: Any
) -> Any:
    """A stream that is connected: what happens from now on will come."""
    stream = Stream()
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    names = {"begin": "from"}
    params = {names.get(name, name): value for name, value in query.items()}
    async with client.http.stream("GET", path, params=params, headers=headers) as response:
        if response.status_code != 200:
            raise AssertionError((await response.aread()).decode())
        assert response.headers["content-type"].startswith("text/event-stream")
        reading = asyncio.create_task(stream.read(response))
        try:
            await stream.until(lambda stream: bool(stream.position))
            yield stream
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


async def everything(client: GatewayClient, last_event_id: str = "", **query: Any) -> Stream:
    """What there is now, to the end."""
    async with subscribed(client, last_event_id, follow="false", **query) as stream:
        await stream.until(lambda stream: stream.has_ended)
        found: Stream = stream
        return found
