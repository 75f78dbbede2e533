"""How a subscriber is told of the events that it wants: each by itself, or several together."""

from collections.abc import Sequence
from typing import Final, Protocol

from runhistory.gateway.published import Published
from runhistory.kafka.log_ends import Positions

Admitted = tuple[bytes, Published]
"""The line `id` that goes on behind an event, and the event."""


class Shape(Protocol):
    """How a subscriber is told of what it wants."""

    @property
    def pause_seconds(self) -> float:
        """So long events are gathered after some were given out."""

    @property
    def max_gap(self) -> int | None:
        """Who lacks more records than that is not given them, but `reset`; None: never."""

    def messages(self, admitted: Sequence[Admitted]) -> bytes:
        """Server-sent events that tell of these; an id stands where one may go on."""

    def reset(self, positions: Positions) -> bytes:
        """The message, without its id, that what came before these positions is left out."""


class EachEvent:
    """Every event as it is."""

    pause_seconds = 0.0
    max_gap = None

    def messages(self, admitted: Sequence[Admitted]) -> bytes:
        """One message for each."""
        return b"".join(identity + b"\n" + event.message for identity, event in admitted)

    def reset(self, positions: Positions) -> bytes:
        """Never asked for: nothing is left out."""
        raise NotImplementedError


EACH_EVENT: Final = EachEvent()
