"""How often the scheduler looks when nothing tells it to."""

import pytest

from runhistory.scheduler.local_node import Phase
from runhistory.scheduler.patience import FIRST_SECONDS
from runhistory.scheduler.service import IDLE_BEAT, beat


@pytest.mark.parametrize(
    ("phases", "holds_back", "at_most"),
    [
        (set(), False, IDLE_BEAT),
        (set(), True, FIRST_SECONDS),  # else a pause of a second would become one of ten
        ({"ready"}, False, FIRST_SECONDS),
        ({"ready", "started"}, False, 0.2),
    ],
)
def test_a_node_is_started_again_when_its_pause_is_over(
    phases: set[Phase], holds_back: bool, at_most: float
) -> None:
    assert beat(phases, holds_back=holds_back) <= at_most
