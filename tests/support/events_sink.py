"""`python -m tests.support.events_sink`: a sink that stores run.events and no run's data."""

from functools import partial

from runhistory.gateway.event_log import EVENTS_TOPIC
from runhistory.runtime.service import run_service
from runhistory.sink import service
from runhistory.sink.group import Group

if __name__ == "__main__":
    service.Group = partial(Group, topics=(EVENTS_TOPIC,))  # type: ignore[misc, assignment]
    run_service("sink", service.main)
