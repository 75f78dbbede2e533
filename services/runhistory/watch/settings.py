"""Settings of the watch service beyond those that every service has."""

import os
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from runhistory.events.heartbeat import HEARTBEAT_SECONDS
from runhistory.runtime.settings import UnsafeSettings, seconds

NOT_RESPONDING_SECONDS: Final = 60.0
LOST_SECONDS: Final = 420.0
GPU_IDLE_SECONDS: Final = 600.0


class WatchSettings(Struct, frozen=True, kw_only=True):
    """After how long, in seconds, what is said about an attempt or one of its GPUs."""

    heartbeat: float = HEARTBEAT_SECONDS
    not_responding: float = NOT_RESPONDING_SECONDS
    lost: float = LOST_SECONDS
    gpu_idle: float = GPU_IDLE_SECONDS

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "WatchSettings":
        """The settings of this process.

        Raises:
            UnsafeSettings: one is no value, or attempts that live would be taken for dead.
        """
        settings = cls(
            heartbeat=seconds(environment, "RUNHISTORY_HEARTBEAT_SECONDS", HEARTBEAT_SECONDS),
            not_responding=seconds(
                environment, "RUNHISTORY_NOT_RESPONDING_SECONDS", NOT_RESPONDING_SECONDS
            ),
            lost=seconds(environment, "RUNHISTORY_LOST_SECONDS", LOST_SECONDS),
            gpu_idle=seconds(environment, "RUNHISTORY_GPU_IDLE_SECONDS", GPU_IDLE_SECONDS),
        )
        if settings.not_responding < 3 * settings.heartbeat:
            raise UnsafeSettings(
                f"RUNHISTORY_NOT_RESPONDING_SECONDS={settings.not_responding:g} has to be at least "
                f"three times RUNHISTORY_HEARTBEAT_SECONDS={settings.heartbeat:g}: otherwise one "
                "heartbeat that is late would be a silence."
            )
        if settings.lost <= settings.not_responding:
            raise UnsafeSettings(
                f"RUNHISTORY_LOST_SECONDS={settings.lost:g} has to be more than "
                f"RUNHISTORY_NOT_RESPONDING_SECONDS={settings.not_responding:g}."
            )
        return settings
