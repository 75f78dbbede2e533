"""Settings with which attempts that live would be taken for dead are refused."""

import pytest

from runhistory.runtime.settings import UnsafeSettings
from runhistory.watch.settings import WatchSettings


def test_what_is_not_said_is_the_default() -> None:
    settings = WatchSettings.from_environment({"RUNHISTORY_LOST_SECONDS": "90.5"})
    assert (settings.heartbeat, settings.not_responding, settings.lost) == (10, 60, 90.5)


@pytest.mark.parametrize(
    "environment",
    [
        {"RUNHISTORY_NOT_RESPONDING_SECONDS": "29"},
        {"RUNHISTORY_HEARTBEAT_SECONDS": "21"},
        {"RUNHISTORY_LOST_SECONDS": "60"},
        {"RUNHISTORY_LOST_SECONDS": "soon"},
        {"RUNHISTORY_LOST_SECONDS": "nan"},
        {"RUNHISTORY_LOST_SECONDS": "inf"},
        {"RUNHISTORY_GPU_IDLE_SECONDS": "-1"},
    ],
)
def test_unsafe_ones_are_refused(environment: dict[str, str]) -> None:
    with pytest.raises(UnsafeSettings, match=next(iter(environment))):
        WatchSettings.from_environment(environment)
