"""The ports of a stack: all counted from one base, so that one number moves them all."""

import contextlib
import random
import socket
from dataclasses import dataclass
from typing import Final

import psutil

DEFAULT_BASE_PORT: Final = 8780
HOST: Final = "127.0.0.1"


@dataclass(frozen=True)
class Ports:
    """Where each process of a stack listens (docs/architecture.md)."""

    gateway: int
    kafka: int
    kafka_controller: int
    engine: int
    lifecycle: int
    sink: int
    worker: int

    @classmethod
    def from_base(cls, base: int) -> "Ports":
        """The gateway on `base`, the others from `base` + 10 on."""
        return cls(base, base + 10, base + 11, base + 12, base + 13, base + 14, base + 15)

    def by_name(self) -> dict[str, int]:
        """Every port with its owner's name, for messages."""
        return {
            "gateway": self.gateway,
            "kafka": self.kafka,
            "kafka controller": self.kafka_controller,
            "engine": self.engine,
            "lifecycle": self.lifecycle,
            "sink": self.sink,
            "worker": self.worker,
        }


class PortTaken(Exception):
    """Something else listens where a process of the stack has to."""


def check_ports(ports: Ports) -> None:
    """Refuse when one of the ports is in use.

    Raises:
        PortTaken: names every such port, and who has it where that can be told.
    """
    taken = {name: port for name, port in ports.by_name().items() if not is_free(port)}
    if not taken:
        return
    lines = [f"  {port} ({name}): {_holder(port)}" for name, port in taken.items()]
    raise PortTaken(
        "These ports are taken:\n"
        + "\n".join(lines)
        + "\nStop what listens there, or choose other ports with --port."
    )


def is_free(port: int) -> bool:
    """Whether a server could listen there now. Connections that only linger do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_base_port() -> int:
    """A base whose ports are all free now (for tests; two askers may get the same one)."""
    while True:
        # Below the range from which the kernel takes ports for outgoing connections.
        base = random.randrange(10_000, 32_000, 20)
        if all(is_free(port) for port in Ports.from_base(base).by_name().values()):
            return base


def _holder(port: int) -> str:
    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr
            if listens and listens.port == port and connection.pid is not None:
                process = psutil.Process(connection.pid)
                return f"process {process.pid}, {' '.join(process.cmdline())[:120]}"
    return "another process, which this user cannot see"
