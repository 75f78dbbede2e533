"""Ports: counted from one base, and refused with a name when taken."""

import os
import socket

import pytest

from runhistory.stack.ports import PortTaken, check_ports, free_base_port, is_free, ports_from


def test_every_process_has_a_port_of_its_own() -> None:
    ports = ports_from(8780)

    assert ports["gateway"] == 8780
    assert ports["kafka"] == 8790
    assert len(set(ports.values())) == len(ports)


def test_free_ports_pass() -> None:
    check_ports(free_base_port())


def test_a_taken_port_is_named_with_its_purpose_and_its_holder() -> None:
    base = free_base_port()
    with socket.create_server(("127.0.0.1", base + 12)):
        with pytest.raises(PortTaken) as refusal:
            check_ports(base)

        message = str(refusal.value)
        assert f"{base + 12} (for engine): process {os.getpid()}" in message
        assert "--port" in message
        assert str(base + 13) not in message


def test_a_connection_that_only_lingers_does_not_count() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)), server.accept()[0] as accepted:
            accepted.shutdown(socket.SHUT_RDWR)  # our side closes first: TIME_WAIT

    assert is_free(port)
