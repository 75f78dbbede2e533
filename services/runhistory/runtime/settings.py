"""Settings of a service process, from its environment. Unsafe ones are refused at start."""

import ipaddress
import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

DEFAULT_PORT: Final = 8780
"""The gateway's port; every other port of a one-machine stack is counted from it."""

PORT_OFFSETS: Final = {
    "gateway": 0,
    "kafka": 10,
    "kafka-controller": 11,
    "engine": 12,
    "lifecycle": 13,
    "sink": 14,
    "worker": 15,
    "watch": 16,
    "scheduler": 17,
}


class UnsafeSettings(Exception):
    """The process must not start like this; the message says what to change."""


class ServiceSettings(Struct, frozen=True, kw_only=True):
    """What a service is told. See docs/architecture.md for each variable."""

    name: str
    host: str
    port: int
    kafka: str
    clickhouse: str
    objects: str | None
    url: str
    token: str | None
    local_slots: int
    instance: str | None

    @classmethod
    def from_environment(
        cls, name: str, environment: Mapping[str, str] = os.environ
    ) -> "ServiceSettings":
        """The settings of service `name`.

        Raises:
            UnsafeSettings: a value is no value, or would open the service to the network.
        """
        get = environment.get
        settings = cls(
            name=name,
            host=get("RUNHISTORY_HOST", "127.0.0.1"),
            port=_integer(environment, "RUNHISTORY_PORT", DEFAULT_PORT + PORT_OFFSETS[name]),
            kafka=get("RUNHISTORY_KAFKA", f"127.0.0.1:{DEFAULT_PORT + PORT_OFFSETS['kafka']}"),
            clickhouse=get(
                "RUNHISTORY_CLICKHOUSE",
                f"http://127.0.0.1:{DEFAULT_PORT + PORT_OFFSETS['engine']}",
            ),
            objects=get("RUNHISTORY_OBJECTS"),
            url=get("RUNHISTORY_URL", f"http://127.0.0.1:{DEFAULT_PORT}"),
            token=get("RUNHISTORY_TOKEN") or None,
            local_slots=_integer(environment, "RUNHISTORY_LOCAL_SLOTS", 2),
            instance=get("RUNHISTORY_INSTANCE") or None,
        )
        settings.refuse_unsafe()
        return settings

    def refuse_unsafe(self) -> None:
        """Raise UnsafeSettings when the gateway would serve a network without a token."""
        if self.name == "gateway" and not is_loopback(self.host) and self.token is None:
            raise UnsafeSettings(
                f"RUNHISTORY_HOST={self.host} lets other machines in, so callers must show a "
                "token: set RUNHISTORY_TOKEN, or listen on 127.0.0.1."
            )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens on `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@lru_cache(maxsize=1024)
def is_loopback_authority(authority: str) -> bool:
    """Whether `host[:port]`, as a browser sends it, names this machine itself.

    A page whose own name was made to resolve to 127.0.0.1 (DNS rebinding) is told by this: its
    browser still sends the page's name.
    """
    try:
        parts = urlsplit(f"//{authority}")
        return (
            parts.netloc == authority
            and "@" not in authority
            and is_loopback((parts.hostname or "").rstrip("."))
        )
    except ValueError:
        return False


def seconds(environment: Mapping[str, str], name: str, default: float) -> float:
    """A duration in seconds.

    Raises:
        UnsafeSettings: it is no positive number.
    """
    text = environment.get(name) or str(default)
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < float("inf"):
        raise UnsafeSettings(f"{name} has to be a number of seconds, not {text!r}.")
    return found


def _integer(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name, str(default))
    try:
        return int(text)
    except ValueError:
        raise UnsafeSettings(f"{name} has to be a whole number, not {text!r}.") from None
