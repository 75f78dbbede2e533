"""Settings of a worker beyond those that every service has, and the folder that is its own."""

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from runhistory.events.heartbeat import HEARTBEAT_SECONDS
from runhistory.runtime.settings import ServiceSettings, UnsafeSettings, seconds

_YES: Final = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


class WorkerSettings(Struct, frozen=True, kw_only=True):
    """What a worker is told.

    Runs of compute target `target` are taken, in `workspace` alone where one is given.
    `keep_attempts` keeps each attempt's folder after all of it was stored: for those who look
    for a fault in the preparation. Without it the disk holds what runs now, and environments.
    """

    service: ServiceSettings
    data: Path
    slots: int
    target: str
    workspace: str | None = None
    objects: str
    keep_attempts: bool = False
    node: str = ""
    heartbeat_seconds: float = HEARTBEAT_SECONDS

    @classmethod
    def from_environment(
        cls, service: ServiceSettings, environment: Mapping[str, str] = os.environ
    ) -> "WorkerSettings":
        """The settings of this worker.

        Raises:
            UnsafeSettings: one is missing, or is no value.
        """
        data, slots = environment.get("RUNHISTORY_WORKER_DATA"), _slots(environment)
        if not data:
            raise UnsafeSettings(
                "RUNHISTORY_WORKER_DATA is not set: name a folder for this worker alone."
            )
        if not service.objects:
            raise UnsafeSettings(
                "RUNHISTORY_OBJECTS is not set: the worker reads snapshots from the object store "
                "and keeps outputs there (file:///folder, s3://bucket/prefix, …)."
            )
        return cls(
            service=service,
            data=Path(data).resolve(),
            slots=slots,
            target=environment.get("RUNHISTORY_WORKER_TARGET") or "local",
            workspace=environment.get("RUNHISTORY_WORKER_WORKSPACE") or None,
            objects=service.objects,
            keep_attempts=_flag(environment, "RUNHISTORY_WORKER_KEEP_ATTEMPTS"),
            node=socket.gethostname(),
            heartbeat_seconds=seconds(
                environment, "RUNHISTORY_HEARTBEAT_SECONDS", HEARTBEAT_SECONDS
            ),
        )


def _slots(environment: Mapping[str, str]) -> int:
    text = environment.get("RUNHISTORY_WORKER_SLOTS") or "2"
    if not text.isdecimal() or not 1 <= int(text) <= 1_024:
        raise UnsafeSettings(f"RUNHISTORY_WORKER_SLOTS has to be 1 to 1024, not {text!r}.")
    return int(text)


def _flag(environment: Mapping[str, str], name: str) -> bool:
    text = environment.get(name) or "0"
    try:
        return _YES[text.lower()]
    except KeyError:
        raise UnsafeSettings(f"{name} has to be 0 or 1, not {text!r}.") from None
