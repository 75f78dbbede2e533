"""A gateway, a lifecycle and a sink on a broker and engine of the file's own."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.gateway_world import GatewayClient
from tests.support.service_process import ServiceProcess


@pytest.fixture(scope="module")
def gateway_environment(
    broker: Any, engine: Any, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    return {
        "RUNHISTORY_KAFKA": broker.bootstrap,
        "RUNHISTORY_CLICKHOUSE": engine.url,
        "RUNHISTORY_OBJECTS": tmp_path_factory.mktemp("objects").as_uri(),
        "RUNHISTORY_MAX_FILE_BYTES": "20000000",
        "RUNHISTORY_MAX_POINTS": "10000",
        "RUNHISTORY_MAX_KEYS": "5000",
        "RUNHISTORY_SQL_SECONDS": "3",
    }


@pytest.fixture(scope="module")
def gateway(
    gateway_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServiceProcess]:
    logs: Path = tmp_path_factory.mktemp("services")
    rooms = ("lifecycle", "sink", "gateway")
    lifecycle, sink, gateway = (
        ServiceProcess(room, logs / f"{room}.log", **gateway_environment) for room in rooms
    )
    with lifecycle, sink, gateway:
        for service in (lifecycle, sink, gateway):
            service.wait_ready()
        yield gateway


@pytest.fixture
async def client(gateway: ServiceProcess) -> AsyncIterator[GatewayClient]:
    async with GatewayClient(f"http://127.0.0.1:{gateway.port}") as client:
        yield client
