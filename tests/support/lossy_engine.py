"""A proxy before ClickHouse that swallows answers: the INSERT is done, and nobody hears of it."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit

INSERT = re.compile(rb"INSERT INTO \w+\.metrics_landing\b")
"""Whose answers get lost. It begins the body, which comes with the request's head or after it."""
INSERT_LENGTH = 64
"""More than it takes; so much is kept of a piece, since it may be torn between two."""


@dataclass
class LossyEngine:
    """Passes everything on, but for the answers to the next `losses` INSERTs of points."""

    target: str
    losses: int = 0
    lost: int = 0
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        parts = urlsplit(self.target)
        upstream_reader, upstream_writer = await asyncio.open_connection(parts.hostname, parts.port)
        is_insert = asyncio.Event()
        tasks = [
            asyncio.create_task(self._forward(reader, upstream_writer, is_insert)),
            asyncio.create_task(self._answer(upstream_reader, writer, is_insert)),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for one in (writer, upstream_writer):
                one.close()

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_insert: asyncio.Event
    ) -> None:
        end = b""
        while piece := await reader.read(65_536):
            seen = end + piece
            found = INSERT.search(seen)
            if found:
                is_insert.set()
            end = seen[found.end() if found else 0 :][-INSERT_LENGTH:]
            writer.write(piece)
            await writer.drain()

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_insert: asyncio.Event
    ) -> None:
        # The engine answers an INSERT when it is done (wait_end_of_query), never before.
        while piece := await reader.read(65_536):
            if is_insert.is_set() and self.losses > 0 and b" 200 " in piece[:20]:
                self.losses, self.lost = self.losses - 1, self.lost + 1
                return
            is_insert.clear()
            writer.write(piece)
            await writer.drain()


@contextlib.asynccontextmanager
async def lossy_engine(target: str) -> AsyncIterator[LossyEngine]:
    """The proxy, listening on a port of its own."""
    proxy = LossyEngine(target)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    async with server:
        proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield proxy
