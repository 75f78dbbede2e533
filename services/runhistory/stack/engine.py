"""ClickHouse on one machine: `python -m runhistory.stack.engine --data DIR --host … --port …`.

One process that serves ClickHouse's HTTP protocol over chDB. It may be killed at any moment:
what an INSERT answered for is on disk, what it did not answer for may be there or not.
"""

import argparse
import signal
import sys
import threading
from pathlib import Path
from typing import Any, Final

import structlog

from runhistory.runtime.logs import configure_logs
from runhistory.runtime.settings import DEFAULT_PORT, PORT_OFFSETS, is_loopback
from runhistory.stack.engine_chdb import DataInUse, Engine, Limits
from runhistory.stack.engine_http import EngineServer

DRAIN_SECONDS: Final = 10.0

log: Any = structlog.get_logger("engine")


class CannotStart(Exception):
    """The engine must not or cannot start like this; the message says what to change."""


def main(arguments: list[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT. Exits with 2 when it cannot start as told."""
    configure_logs("engine")
    try:
        _serve(_parsed(arguments))
    except (CannotStart, DataInUse) as error:
        log.error("engine_refused", error=str(error))
        sys.exit(2)


def _parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="runhistory.stack.engine", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder of its data")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT + PORT_OFFSETS["engine"])
    parser.add_argument("--memory-mib", type=int, help="all it may use (default: a quarter)")
    return parser.parse_args(arguments)


def _serve(options: argparse.Namespace) -> None:
    if not is_loopback(options.host):
        raise CannotStart(
            f"--host {options.host} would let other machines in, and this engine knows no users. "
            "Listen on 127.0.0.1, or run a ClickHouse server and set RUNHISTORY_CLICKHOUSE."
        )
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server = _bound(options.host, options.port)
    memory = options.memory_mib << 20 if options.memory_mib else None
    engine = Engine(options.data.resolve(), Limits.for_this_machine(memory))
    server.use(engine)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    log.info("engine_started", host=options.host, port=options.port, data=str(options.data))
    stop.wait()
    server.shutdown()
    server.drain(DRAIN_SECONDS)
    engine.close()
    log.info("engine_stopped")


def _bound(host: str, port: int) -> EngineServer:
    try:
        return EngineServer((host, port))
    except OSError as error:
        raise CannotStart(f"{host}:{port} cannot be listened on: {error.strerror}.") from error


if __name__ == "__main__":
    main()
