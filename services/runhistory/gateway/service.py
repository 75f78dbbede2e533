"""The gateway's process: open the adapters, serve until told to stop, finish what is under way."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from typing import Final

from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from runhistory.clickhouse.client import EngineUnavailable
from runhistory.events.metric_batch import (
    BYTES_SETTING,
    KEY_LENGTH_SETTING,
    MAX_BATCH_BYTES,
    MAX_KEY_LENGTH,
    Limits,
)
from runhistory.gateway.app import create_app
from runhistory.gateway.appender import PENDING_BYTES, Appender
from runhistory.gateway.attempts import Attempts
from runhistory.gateway.batch_door import BatchDoor
from runhistory.gateway.batches import SOURCE
from runhistory.gateway.context import MAX_FILE_BYTES, MOST_BATCH_BYTES, Gateway
from runhistory.gateway.door import Door
from runhistory.gateway.event_log import EventLog
from runhistory.gateway.event_stream import EventStreams
from runhistory.gateway.reader import Reader
from runhistory.gateway.run_keys import MAX_KEYS, RunKeys
from runhistory.gateway.run_keys import SETTING as KEYS_SETTING
from runhistory.gateway.run_reader import RunReader
from runhistory.gateway.targets import ComputeTargets
from runhistory.gateway.watermarks import Watermarks
from runhistory.kafka.commands import CommandClient
from runhistory.objects.store import ObjectStore
from runhistory.query import compute, run_details
from runhistory.query.metrics import MAX_POINTS
from runhistory.query.sql import SqlEngine, SqlLimits
from runhistory.runtime.service import Service
from runhistory.runtime.settings import ServiceSettings, UnsafeSettings, is_loopback

LOOKUP_SECONDS: Final = 3.0
"""So long a batch for an unknown run waits for ClickHouse before the log is read instead."""

CATCH_UP_SECONDS: Final = 5.0
"""So long a batch for an unknown run waits for the sink before the log is read instead."""

DRAIN_SECONDS: Final = 9
"""So long requests may take to end after SIGTERM. What is cut off is safe to send again."""

CLOSE_SECONDS: Final = 4
"""So long the adapters may take to say goodbye after that. Supervisors kill at 15 seconds."""

_CONNECTIONS: Final = 2_048


async def main(service: Service) -> None:
    """Serve until `service.stopping`, then finish the requests and flush."""
    settings = service.settings
    async with _gateway(settings) as gateway:
        door = Door(
            BatchDoor(create_app(gateway), gateway),
            token=settings.token,
            loopback_only=is_loopback(settings.host),
        )
        server = Server(
            door,
            address=settings.host,
            port=settings.port,
            interface=Interfaces.ASGINL,
            http=HTTPModes.http1,
            websockets=False,
            backlog=_CONNECTIONS,
            backpressure=_CONNECTIONS,
            log_enabled=False,
        )
        serving = asyncio.create_task(server.serve(), name="http")
        stopping = asyncio.create_task(service.stopping.wait(), name="stopping")
        service.log.info("gateway_serving", host=settings.host, port=settings.port)
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        gateway.events.end_streams()
        server.stop()  # type: ignore[no-untyped-call]
        async with asyncio.timeout(DRAIN_SECONDS):
            await serving
        if not service.stopping.is_set():
            raise RuntimeError("the HTTP server ended by itself")


@contextlib.asynccontextmanager
async def _gateway(settings: ServiceSettings) -> AsyncIterator[Gateway]:
    """The adapters, connected; closed in the end, with what is under way sent."""
    commands = CommandClient(settings.kafka, SOURCE)
    pending = _limit("RUNHISTORY_MAX_PENDING_BYTES", PENDING_BYTES, least=MOST_BATCH_BYTES)
    appender = Appender(settings.kafka, SOURCE, pending)
    watermarks = Watermarks(settings.kafka, SOURCE)
    reader = Reader(settings.clickhouse)
    events = EventStreams(settings.kafka, SOURCE)
    sql = SqlEngine(settings.clickhouse, _sql_limits())

    async def latest_attempt(workspace: str, run_id: str) -> int | None:
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                return await reader.read(
                    run_details.latest_attempt, workspace=workspace, run_id=run_id
                )
        except TimeoutError as error:
            raise EngineUnavailable(f"no answer within {LOOKUP_SECONDS:g} s") from error

    async def catch_up(run_id: str) -> None:
        await watermarks.catch_up(run_id, CATCH_UP_SECONDS)

    async def declared(workspace: str) -> set[str]:
        return set(await reader.read(compute.load_pools, workspace=workspace))

    targets = ComputeTargets(declared, catch_up)
    attempts = Attempts(latest_attempt, catch_up, EventLog(settings.kafka, SOURCE))
    commands.on_reply += [attempts.see, targets.see]
    runs = RunReader(commands, reader)
    try:
        await asyncio.gather(commands.start(), appender.start())
        yield Gateway(
            commands=commands,
            appender=appender,
            attempts=attempts,
            targets=targets,
            watermarks=watermarks,
            reader=reader,
            runs=runs,
            objects=_open_objects(settings),
            events=events,
            sql=sql,
            batch=_batch_limits(),
            run_keys=RunKeys(_limit(KEYS_SETTING, MAX_KEYS, least=1)),
            max_file_bytes=_limit("RUNHISTORY_MAX_FILE_BYTES", MAX_FILE_BYTES),
            max_points=_limit("RUNHISTORY_MAX_POINTS", MAX_POINTS),
            local_slots=settings.local_slots,
        )
    finally:
        reader.stop()
        with contextlib.suppress(TimeoutError):  # with Kafka away there is nobody to part from
            async with asyncio.timeout(CLOSE_SECONDS):
                await asyncio.gather(
                    commands.stop(), appender.stop(), watermarks.stop(), events.stop(), sql.stop()
                )


def _open_objects(settings: ServiceSettings) -> ObjectStore:
    if settings.objects is None:
        raise UnsafeSettings("RUNHISTORY_OBJECTS has to say where files are kept: file:///folder")
    return ObjectStore.open(settings.objects)


def _sql_limits() -> SqlLimits:
    usual = SqlLimits()
    return SqlLimits(
        seconds=_limit("RUNHISTORY_SQL_SECONDS", usual.seconds),
        rows=_limit("RUNHISTORY_SQL_ROWS", usual.rows),
        memory_bytes=_limit("RUNHISTORY_SQL_MEMORY_BYTES", usual.memory_bytes),
    )


def _batch_limits() -> Limits:
    return Limits(
        # Clients send batches of up to the default, so less would refuse what they made.
        bytes=_limit(BYTES_SETTING, MAX_BATCH_BYTES, least=MAX_BATCH_BYTES, most=MOST_BATCH_BYTES),
        key_length=_limit(KEY_LENGTH_SETTING, MAX_KEY_LENGTH, least=1, most=MAX_KEY_LENGTH),
    )


def _limit(name: str, default: int, *, least: int = 0, most: int = 2**53) -> int:
    text = os.environ.get(name, str(default))
    if not text.isdecimal() or not least <= int(text) <= most:
        bounds = f", at least {least}" * bool(least) + f" and at most {most}" * (most < 2**53)
        raise UnsafeSettings(f"{name} is a whole number{bounds}, not {text!r}.")
    return int(text)
