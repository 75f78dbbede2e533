"""Load: one process that sends distinct points to the gateway, encoded while they are sent.

    with Load(Plan(url, workspace, runs, points=1_000)) as load:
        sent = load.send(batches=4_000)

It speaks HTTP/1.1 by itself over some kept connections: what is measured is the server, so the
client should take as little of the same cores as it can. A batch that is refused for the moment
(503) is sent again as it was, as every client must.
"""

import asyncio
import json
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import numpy as np
import orjson

CONNECTIONS = 64
_ANSWER_SECONDS = 30.0


@dataclass(frozen=True)
class Plan:
    """What is sent, and where. Batches of a run go over one connection, in order."""

    url: str
    workspace: str
    runs: tuple[str, ...]
    points: int  # in one batch
    keys: int = 10
    connections: int = CONNECTIONS
    float32: bool = False  # values that were 32-bit floats


@dataclass
class Sent:
    """What was acknowledged by the gateway."""

    points: int = 0
    bytes: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    repeated: int = 0
    ends: dict[str, int] = field(default_factory=dict)  # topic/partition -> last offset

    @property
    def watermarks(self) -> list[str]:
        """What a read has to carry, to see all of it."""
        return [f"{place}/{offset}" for place, offset in self.ends.items()]


class Load:
    """The process: `send` any number of times; sequence numbers and steps go on."""

    def __init__(self, plan: Plan) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(
            target=_serve, args=(plan, theirs), daemon=True
        )

    def __enter__(self) -> Self:
        self._process.start()
        assert self._ours.poll(60), "the load did not start"
        assert self._ours.recv() == "ready"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.join()

    def send(self, batches: int) -> Sent:
        """Send so many batches, over all runs in turn; returns when all are acknowledged."""
        self._ours.send(batches)
        answer = self._ours.recv()
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, Sent)
        return answer


def bodies(plan: Plan, run: int) -> Iterator[bytes]:
    """A run's batches, one after the other, without end: every point of its own step and time."""
    random = np.random.default_rng(run)
    keys = [f"train/metric_{key}" for key in range(plan.keys)]
    place = np.arange(plan.points, dtype=np.int64)
    key_index = place % plan.keys + 1
    seq, began = 0, time.time_ns() // 1000
    while True:
        first = seq * plan.points
        values = random.standard_normal(plan.points)
        if plan.float32:
            values = values.astype(np.float32).astype(np.float64)
        yield orjson.dumps(
            {
                "writer": f"rank-{run}",
                "seq": seq,
                "keys": keys,
                "key_index": key_index,
                "steps": (first + place) // plan.keys,
                "values": values,
                "times": began + (first + place) * 100,
            },
            option=orjson.OPT_SERIALIZE_NUMPY,
        )
        seq += 1


def _serve(plan: Plan, pipe: Connection) -> None:
    asyncio.run(_answer(plan, pipe))


async def _answer(plan: Plan, pipe: Connection) -> None:
    runs = [_Run(plan, number) for number in range(len(plan.runs))]
    pipe.send("ready")
    while True:
        batches = await asyncio.to_thread(pipe.recv)
        sent = Sent()
        began, cpu = time.monotonic(), time.process_time()
        try:
            await _send_all(plan, runs, batches, sent)
        except Exception as error:
            pipe.send(error)
            continue
        sent.seconds, sent.cpu_seconds = time.monotonic() - began, time.process_time() - cpu
        pipe.send(sent)


async def _send_all(plan: Plan, runs: "Sequence[_Run]", batches: int, sent: Sent) -> None:
    lanes = min(plan.connections, len(runs))
    shares = [batches // lanes + (lane < batches % lanes) for lane in range(lanes)]
    async with asyncio.TaskGroup() as tasks:
        for lane, share in enumerate(shares):
            tasks.create_task(_send_lane(plan, runs[lane::lanes], share, sent))


async def _send_lane(plan: Plan, runs: "Sequence[_Run]", batches: int, sent: Sent) -> None:
    door = await Door.open(plan.url)
    try:
        for number in range(batches):
            run = runs[number % len(runs)]
            await send_batch(door, run.path, next(run.bodies), plan.points, sent)
    finally:
        door.close()


class _Run:
    def __init__(self, plan: Plan, number: int) -> None:
        run_id = plan.runs[number]
        self.path = f"/api/v1/workspaces/{plan.workspace}/runs/{run_id}/attempts/1/metrics"
        self.bodies = bodies(plan, number)


async def send_batch(door: "Door", path: str, body: bytes, points: int, sent: Sent) -> str:
    """Send one batch until it is acknowledged; its watermark."""
    while True:
        status, answer = await door.post(path, body)
        if status == 202:
            break
        assert status == 503, f"HTTP {status}: {answer!r}"
        sent.repeated += 1
        await asyncio.sleep(0.1)
    mark = str(json.loads(answer)["watermark"])
    place, _, offset = mark.rpartition("/")
    sent.ends[place] = max(int(offset), sent.ends.get(place, 0))
    sent.points += points
    sent.bytes += len(body)
    return mark


class Door:
    """One kept connection to the gateway."""

    def __init__(
        self, host: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._host, self._reader, self._writer = host, reader, writer

    @classmethod
    async def open(cls, url: str) -> "Door":
        """Connect."""
        parts = urlsplit(url)
        assert parts.hostname
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        return cls(parts.netloc, reader, writer)

    async def get(self, path: str) -> tuple[int, bytes]:
        """The answer's status and body."""
        return await self._ask(f"GET {path} HTTP/1.1\r\nhost: {self._host}\r\n\r\n", b"")

    async def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """The answer's status and body."""
        head = (
            f"POST {path} HTTP/1.1\r\nhost: {self._host}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        return await self._ask(head, body)

    async def _ask(self, head: str, body: bytes) -> tuple[int, bytes]:
        self._writer.write(head.encode("ascii") + body)
        async with asyncio.timeout(_ANSWER_SECONDS):
            answer = await self._reader.readuntil(b"\r\n\r\n")
            lines = answer.decode("latin-1").lower().split("\r\n")
            length = next(
                int(line.partition(":")[2]) for line in lines if line.startswith("content-length:")
            )
            return int(lines[0].split()[1]), await self._reader.readexactly(length)

    def close(self) -> None:
        """Hang up."""
        self._writer.close()
