"""Run one service process: settings, logs, health, signals, and an exit code that tells."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
import uvloop

from runhistory.runtime.health import Health, serve_health
from runhistory.runtime.logs import configure_logs
from runhistory.runtime.settings import ServiceSettings, UnsafeSettings


class Service:
    """What a service's `main` is given."""

    def __init__(self, settings: ServiceSettings) -> None:
        self.settings = settings
        self.health = Health(settings.name)
        self.stopping = asyncio.Event()
        self.log: Any = structlog.get_logger(settings.name)


def run_service(
    name: str, main: Callable[[Service], Awaitable[None]], *, serves_health: bool = True
) -> None:
    """Run `main` until it returns; SIGTERM and SIGINT set `service.stopping`.

    `main` has to return soon after that. The process exits with 0 then, with 2 when settings
    forbid a start, and with 1 after any exception, so that a supervisor starts it again.
    A service that answers HTTP itself serves its health there (`serves_health=False`).
    """
    configure_logs(name)
    log = structlog.get_logger(name)
    try:
        settings = ServiceSettings.from_environment(name)
        uvloop.run(_serve(settings, main, serves_health))
    except UnsafeSettings as error:
        log.error("settings_refused", error=str(error))
        sys.exit(2)
    except Exception:
        log.exception("service_died")
        sys.exit(1)


async def _serve(
    settings: ServiceSettings,
    main: Callable[[Service], Awaitable[None]],
    serves_health: bool,
) -> None:
    service = Service(settings)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, service.stopping.set)
    if serves_health:
        serve_health(service.health, settings.host, settings.port)
    service.log.info("service_started", port=settings.port)
    await main(service)
    service.log.info("service_stopped")
