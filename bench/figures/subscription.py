"""event_to_subscriber_p99_ms: from the decision to the subscriber, by server-sent events.

An event's `time` is when it was decided, before the transaction that made it true. Subscriber
and lifecycle read the same clock, since they are on one machine.
"""

import json
import threading
import time
from collections.abc import Iterator
from datetime import datetime

import httpx
from bench.figures.figure import Details, Figure, Report, percentile
from bench.figures.requests import create_run
from bench.figures.stack import BenchStack

EVENTS = 300
_PAUSE_SECONDS = 0.02
_WAIT_SECONDS = 30.0


def measure_event_to_subscriber(stack: BenchStack, details: Details, report: Report) -> float:
    """The 99th percentile of EVENTS events, some fifty a second, seen by one subscriber."""
    subscriber = _Subscriber(stack.url)
    subscriber.start()
    assert subscriber.ready.wait(_WAIT_SECONDS), f"no subscription: {subscriber.trouble}"
    connection = stack.workspace().connection
    for _ in range(EVENTS):
        create_run(connection, "bench-events")
        time.sleep(_PAUSE_SECONDS)
    subscriber.join(_WAIT_SECONDS)
    found = subscriber.milliseconds
    assert len(found) == EVENTS, f"{len(found)} of {EVENTS} events came"
    details.add("p50", percentile(found, 0.5), "ms")
    details.add("slowest", max(found), "ms")
    return percentile(found, 0.99)


class _Subscriber(threading.Thread):
    """Reads until it has EVENTS events of runs created from now on."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url = f"{url}/api/v1/workspaces/default/events"
        self.milliseconds: list[float] = []
        self.ready = threading.Event()
        self.trouble = ""

    def run(self) -> None:
        try:
            with httpx.stream("GET", self._url, params=_WANTED, timeout=_WAIT_SECONDS) as answer:
                if answer.status_code != 200:
                    self.trouble = f"{answer.status_code} {answer.read()!r}"
                    return
                for event in _events(answer, self.ready):
                    arrived, decided = time.time(), datetime.fromisoformat(event["time"])
                    self.milliseconds.append((arrived - decided.timestamp()) * 1e3)
                    if len(self.milliseconds) == EVENTS:
                        return
        except httpx.HTTPError as error:
            self.trouble = repr(error)


_WANTED = {"type": "run.created.v1", "experiment": "bench-events"}


def _events(answer: httpx.Response, ready: threading.Event) -> Iterator[dict[str, str]]:
    for line in answer.iter_lines():
        ready.set()  # the stream begins with a comment
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


FIGURES = [
    Figure(
        name="event_to_subscriber_p99_ms",
        unit="ms",
        goal=100,
        better="less",
        rounds=3,
        measure=measure_event_to_subscriber,
        about=f"decision (the event's time) until GET /events shows it, {EVENTS} events a round",
    )
]
