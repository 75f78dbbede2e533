"""The processes of a stack: their commands, environments, and how each shows that it is ready."""

import contextlib
import http.client
import os
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runhistory.stack.kafka_broker import KafkaBroker, command
from runhistory.stack.ports import HOST, ports_from
from runhistory.stack.state import StackFiles

STACK_VARIABLE: Final = "_RUNHISTORY_STACK"
"""In the environment of all that a stack starts, scripts too, with its data directory: none gets
lost. The underscore keeps it among the variables that a worker hands down."""

STOP_SECONDS: Final = {
    "kafka": 30,
    "engine": 30,
    "lifecycle": 15,
    "sink": 20,
    "gateway": 15,
    "watch": 10,
    "worker": 40,  # it ends its scripts first: 10 s, all at once
    "scheduler": 45,  # it ends its nodes first, which are workers
}
"""How long each process may take to end before it is killed."""

Report = Callable[[str], None]
"""Takes one line about what is going on, for people."""

# Longer than a service takes to find that something it asks does not answer (2 s).
_PROBE_SECONDS: Final = 5.0
# Of the caller's own variables only these are for the stack; the others point SDK and CLI
# somewhere, or belong to a run inside which `up` was called.
_PASSED_ON: Final = {
    "RUNHISTORY_TOKEN",
    "RUNHISTORY_WORKER_KEEP_ATTEMPTS",
    "RUNHISTORY_HEARTBEAT_SECONDS",
    "RUNHISTORY_NOT_RESPONDING_SECONDS",
    "RUNHISTORY_LOST_SECONDS",
    "RUNHISTORY_GPU_IDLE_SECONDS",
    "RUNHISTORY_ERASURE_GRACE_SECONDS",
    "RUNHISTORY_POINTS_DAYS",
    "RUNHISTORY_MAX_FILE_BYTES",
    "RUNHISTORY_SPOOL",
    "RUNHISTORY_SPOOL_BYTES",
    "RUNHISTORY_SPOOL_SYNC_SECONDS",
    "RUNHISTORY_MAX_BATCH_BYTES",
    "RUNHISTORY_MAX_KEY_LENGTH",
    "RUNHISTORY_MAX_KEYS",
    "RUNHISTORY_MAX_PENDING_BYTES",
    "RUNHISTORY_MAX_POINTS",
    "RUNHISTORY_SQL_SECONDS",
    "RUNHISTORY_SQL_ROWS",
    "RUNHISTORY_SQL_MEMORY_BYTES",
}


@dataclass(frozen=True)
class ProcessSpec:
    """One process: how to start it, how to see that it works, how long it may take to stop."""

    name: str
    command: list[str]
    directory: Path
    port: int
    log: Path
    stop_seconds: float
    environment: Mapping[str, str]

    @property
    def address(self) -> str:
        """For people and clients."""
        scheme = "" if self.name == "kafka" else "http://"
        return f"{scheme}{HOST}:{self.port}"

    def problem(self) -> str | None:
        """Why it does not work right now; None when it does. Takes at most five seconds."""
        return problem_at(self.name, self.port)


def process_specs(
    files: StackFiles, *, base_port: int, slots: int, jars: list[Path]
) -> list[ProcessSpec]:
    """Every process, in the order in which they are started."""
    ports = ports_from(base_port)
    broker = kafka_broker(files, base_port)
    shared = {
        **_environment(files, base_port, broker),
        "RUNHISTORY_LOCAL_SLOTS": str(slots),
    }

    def process(name: str, command: list[str], **extra: str) -> ProcessSpec:
        return ProcessSpec(
            name=name,
            command=command,
            directory=broker.directory if name == "kafka" else files.data,
            port=ports[name],
            log=files.log(name),
            stop_seconds=STOP_SECONDS[name],
            environment={
                **shared,
                "RUNHISTORY_PORT": str(ports[name]),
                # There is one of each, so its name is its own: started again, it has its
                # partitions back at once.
                "RUNHISTORY_INSTANCE": name,
                **extra,
            },
        )

    def python(module: str, *arguments: str) -> list[str]:
        # -P: a file of the user named like a module of ours must not be imported instead.
        return [sys.executable, "-P", "-m", f"runhistory.{module}", *arguments]

    engine = ["--data", str(files.engine), "--host", HOST, "--port", str(ports["engine"])]
    worker = {
        "RUNHISTORY_WORKER_DATA": str(files.worker),
        "RUNHISTORY_WORKER_SLOTS": str(slots),
    }
    return [
        process("kafka", command(broker, jars)),
        process("engine", python("stack.engine", *engine)),
        process("lifecycle", python("lifecycle")),
        process("sink", python("sink")),
        process("gateway", python("gateway")),
        process("watch", python("watch")),
        process("worker", python("worker"), **worker),
        process("scheduler", python("scheduler"), RUNHISTORY_SCHEDULER_DATA=str(files.scheduler)),
    ]


def kafka_broker(files: StackFiles, base_port: int) -> KafkaBroker:
    """The stack's broker."""
    ports = ports_from(base_port)
    return KafkaBroker(files.kafka, ports["kafka"], ports["kafka-controller"])


def gateway_url(base_port: int) -> str:
    """What users open, and SDK and CLI speak to."""
    return f"http://{HOST}:{ports_from(base_port)['gateway']}"


def engine_url(base_port: int) -> str:
    """The engine, as ClickHouse by URL."""
    return f"http://{HOST}:{ports_from(base_port)['engine']}"


def _environment(files: StackFiles, base_port: int, broker: KafkaBroker) -> dict[str, str]:
    ours = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("RUNHISTORY_") or name in _PASSED_ON
    }
    return {
        **ours,
        STACK_VARIABLE: str(files.data),
        "RUNHISTORY_HOST": HOST,
        "RUNHISTORY_URL": gateway_url(base_port),
        "RUNHISTORY_KAFKA": broker.bootstrap,
        "RUNHISTORY_CLICKHOUSE": engine_url(base_port),
        "RUNHISTORY_OBJECTS": files.objects.as_uri(),
        "PYTHONUNBUFFERED": "1",
    }


def problem_at(name: str, port: int) -> str | None:
    """Why the process `name` on `port` does not work right now; None when it does."""
    if name == "kafka":
        return _connect(port)
    return _ask(port, "/ping" if name == "engine" else "/healthz")


def _connect(port: int) -> str | None:
    try:
        with socket.create_connection((HOST, port), timeout=_PROBE_SECONDS):
            return None
    except OSError as error:
        return f"no answer on port {port}: {error}"


def _ask(port: int, path: str) -> str | None:
    connection = http.client.HTTPConnection(HOST, port, timeout=_PROBE_SECONDS)
    with contextlib.closing(connection):
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read(2_000).decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            return f"no answer on port {port}: {error!r}"
    return None if answer.status == 200 else body
