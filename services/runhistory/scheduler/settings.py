"""Settings of the scheduler beyond those that every service has."""

import os
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from runhistory.runtime.settings import ServiceSettings, UnsafeSettings


class SchedulerSettings(Struct, frozen=True, kw_only=True):
    """What the scheduler is told: `data` is its folder, in which its nodes have theirs."""

    service: ServiceSettings
    data: Path

    @classmethod
    def from_environment(
        cls, service: ServiceSettings, environment: Mapping[str, str] = os.environ
    ) -> "SchedulerSettings":
        """The settings of this scheduler.

        Raises:
            UnsafeSettings: one is missing.
        """
        data = environment.get("RUNHISTORY_SCHEDULER_DATA")
        if not data:
            raise UnsafeSettings(
                "RUNHISTORY_SCHEDULER_DATA is not set: name a folder for the scheduler and its "
                "nodes."
            )
        if not service.objects:
            raise UnsafeSettings(
                "RUNHISTORY_OBJECTS is not set: the nodes read snapshots from the object store."
            )
        return cls(service=service, data=Path(data).resolve())
