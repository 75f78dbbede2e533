"""The ports of a stack: all counted from one base, so that one number moves them all."""

import contextlib
import random
import socket
from typing import Final

import psutil

from runhistory.runtime.settings import PORT_OFFSETS

HOST: Final = "127.0.0.1"
HIGHEST_BASE_PORT: Final = 65_535 - max(PORT_OFFSETS.values())


class PortTaken(Exception):
    """Something else listens where a process of the stack has to."""


def ports_from(base: int) -> dict[str, int]:
    """Where each process of a stack listens, by its name (docs/architecture.md)."""
    return {name: base + offset for name, offset in PORT_OFFSETS.items()}


def check_ports(base: int) -> None:
    """Refuse when a port of the stack is in use.

    Raises:
        PortTaken: names every such port, and who has it where that can be told.
    """
    taken = {name: port for name, port in ports_from(base).items() if not is_free(port)}
    if not taken:
        return
    lines = [f"  {port} (for {name}): {_holder(port)}" for name, port in taken.items()]
    raise PortTaken(
        "Something else listens on ports that the stack needs:\n"
        + "\n".join(lines)
        + "\nStop it, or choose other ports with --port."
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
        if all(is_free(port) for port in ports_from(base).values()):
            return base


def _holder(port: int) -> str:
    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr
            if listens and listens.port == port and connection.pid is not None:
                process = psutil.Process(connection.pid)
                return f"process {process.pid}, {' '.join(process.cmdline())[:120]}"
    return "a process that this user cannot see"
